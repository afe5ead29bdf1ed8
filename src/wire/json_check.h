/* SPDX-License-Identifier: MIT */
/* Is a text JSON at all? jsmn alone lets pass what is not: missing commas, bare words, control characters. Pure. */
#ifndef SYNCER_WIRE_JSON_CHECK_H
#define SYNCER_WIRE_JSON_CHECK_H

#include <stddef.h>

#define JSON_MAX_DEPTH 64

/* NULL if `text` is one value by the grammar of RFC 8259, nested no deeper than JSON_MAX_DEPTH; else the rule broken, a
 * literal, and where in *at. */
const char *json_check(const char *text, size_t len, size_t *at);

#endif
