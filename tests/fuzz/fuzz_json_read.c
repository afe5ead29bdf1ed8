/* SPDX-License-Identifier: MIT */
/* Any text: refused, or a document that can be walked to its end, in which all values are what they say. */
#include <config.h>

#include <syncer/wire/json_read.h>

#include "fuzz.h"

#define VALUES_MAX 2000

static void look_at(const struct json_doc *doc, json_value v)
{
    char text[256];
    int64_t number;
    bool flag;
    int len = json_str(doc, v, text, sizeof(text));

    HOLDS(len < (int)sizeof(text) && (len < 0 || (strlen(text) == (size_t)len && json_is(doc, v, text))));
    HOLDS(len < 0 || json_type(doc, v) == JSON_STRING);
    HOLDS(json_int(doc, v, &number) != 0 || json_type(doc, v) == JSON_NUMBER);
    HOLDS((json_bool(doc, v, &flag) == 0) == (json_type(doc, v) == JSON_BOOL));
}

/* Returns how many values there are. Depth is bounded by the reader. */
static size_t walk(const struct json_doc *doc, json_value v)
{
    size_t members = 0, values = 1;
    bool object = json_type(doc, v) == JSON_OBJECT;

    look_at(doc, v);
    for (json_value i = json_first(doc, v); i != JSON_NONE; i = json_next(doc, i)) {
        char key[256];

        members++;
        if (!object) {
            values += walk(doc, i);
            continue;
        }
        HOLDS(json_type(doc, i) == JSON_STRING);
        if (json_str(doc, i, key, sizeof(key)) >= 0)
            HOLDS(json_get(doc, v, key) != JSON_NONE);
        values += 1 + walk(doc, json_member_value(doc, i));
    }
    HOLDS(members == json_size(doc, v));
    return values;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_doc *doc = json_doc_new(VALUES_MAX);
    struct err err = {""};

    HOLDS(doc);
    if (json_doc_parse(doc, (const char *)data, size, &err) == 0)
        HOLDS(walk(doc, 0) <= VALUES_MAX);
    else
        HOLDS(err.text[0] != '\0');
    json_path(doc, 0, "metadata", "name", NULL);
    json_doc_free(doc);
    return 0;
}
