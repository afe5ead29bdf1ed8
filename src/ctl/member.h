/* SPDX-License-Identifier: MIT */
/* Members of JSON objects that a server has sent; what is not there, or is something else, has a value too. */
#ifndef SYNCER_CTL_MEMBER_H
#define SYNCER_CTL_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/wire/json_read.h>

/* "" if there is no string that fits. */
void member_text(const struct json_doc *doc, json_value object, const char *key, char *out, size_t room);
/* -1 if there is no integer. */
int64_t member_number(const struct json_doc *doc, json_value object, const char *key);
bool member_is_true(const struct json_doc *doc, json_value object, const char *key);

#endif
