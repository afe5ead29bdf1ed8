/* SPDX-License-Identifier: MIT */
/* Members that may be missing, so that who shows them needs no branch for it. */
#include <config.h>

#include "member.h"

void member_text(const struct json_doc *doc, json_value object, const char *key, char *out, size_t room)
{
    if (json_str(doc, json_get(doc, object, key), out, room) < 0)
        out[0] = '\0';
}

int64_t member_number(const struct json_doc *doc, json_value object, const char *key)
{
    int64_t n;

    return json_int(doc, json_get(doc, object, key), &n) == 0 ? n : -1;
}

bool member_is_true(const struct json_doc *doc, json_value object, const char *key)
{
    bool yes = false;

    return json_bool(doc, json_get(doc, object, key), &yes) == 0 && yes;
}
