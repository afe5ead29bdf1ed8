/* SPDX-License-Identifier: MIT */
/* Any value: a line of one newline, at its end; as JSON one object whose fields are whole; as logfmt quotes that close. */
#include <config.h>

#include <syncer/base/macros.h>
#include <syncer/base/utf8.h>
#include <syncer/wire/json_read.h>

#include "../../src/base/log_line.h"

#include "fuzz.h"

static void check_text(const char *line, size_t len)
{
    uint32_t code;

    HOLDS(len > 0 && len <= LOG_LINE_BYTES && memchr(line, '\n', len) == line + len - 1);
    for (size_t i = 0; i < len;) {
        size_t took = utf8_decode(line + i, len - i, &code);

        HOLDS(took > 0 && (code >= 0x20 || i == len - 1) && code != 0x7f);
        i += took;
    }
}

static void check_json(const char *line, size_t len)
{
    struct json_doc *doc = json_doc_new(100);
    struct err err;
    int64_t number;

    HOLDS(doc && json_doc_parse(doc, line, len - 1, &err) == 0);
    HOLDS(json_type(doc, 0) == JSON_OBJECT && json_is(doc, json_get(doc, 0, "level"), "warn"));
    if (json_get(doc, 0, "n") != JSON_NONE)
        HOLDS(json_int(doc, json_get(doc, 0, "n"), &number) == 0 && number == -1234567);
    json_doc_free(doc);
}

static void check_logfmt(const char *line, size_t len)
{
    bool open = false;

    for (size_t i = 0; i < len; i++) {
        if (open && line[i] == '\\')
            i++;
        else if (line[i] == '"')
            open = !open;
    }
    HOLDS(!open);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct log_head head = {.level = LOG_LEVEL_WARN, .process = "worker", .wall_ms = (int64_t)size, .pid = 1};
    char line[LOG_LINE_BYTES], *text = exact_copy(data, size);
    const struct log_field fields[] = {LOG_BYTES("a", text, size / 2), LOG_INT("n", -1234567), LOG_OPT("o", ""),
                                       LOG_MS("ms", size), LOG_BYTES("b", text + size / 2, size - size / 2)};
    size_t len = log_line_format(line, LOG_FORMAT_JSON, &head, "a message", fields, ARRAY_LEN(fields));

    check_text(line, len);
    check_json(line, len);
    len = log_line_format(line, LOG_FORMAT_LOGFMT, &head, "a message", fields, ARRAY_LEN(fields));
    check_text(line, len);
    check_logfmt(line, len);
    free(text);
    return 0;
}
