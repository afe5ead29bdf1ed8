/* SPDX-License-Identifier: MIT */
/*
 * Reading JSON (RFC 8259) by jsmn: the only file pair that sees jsmn. Strict on top of it (jsmn alone accepts much that
 * is no JSON). A document borrows the text; values are walked by path, never searched as text. Any process.
 */
#ifndef SYNCER_WIRE_JSON_READ_H
#define SYNCER_WIRE_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/err.h>

struct json_doc;

/* A value of a document: an index into it; JSON_NONE for "not there", which every function takes and passes on. */
typedef int json_value;
#define JSON_NONE (-1)

enum json_type { JSON_MISSING, JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* An empty reader that keeps its memory from text to text. max_values: tokens at most; depth is bounded at 64. */
struct json_doc *json_doc_new(size_t max_values);
void json_doc_free(struct json_doc *doc);

/* Parses `text` whole (one value, blanks around it). 0, or -1 with rule and offset. The text must stay until the next
 * parse. The root is value 0. */
int json_doc_parse(struct json_doc *doc, const char *text, size_t len, struct err *err);

enum json_type json_type(const struct json_doc *doc, json_value v);

/* Member `key` (compared after unescaping; of two equal ones the last), JSON_NONE if v is no object or has none. */
json_value json_get(const struct json_doc *doc, json_value v, const char *key);

/* json_get along a NULL-terminated row of keys: json_path(doc, 0, "metadata", "name", NULL). */
json_value json_path(const struct json_doc *doc, json_value v, ...) __attribute__((sentinel));

/* Members or elements; 0 for others. */
size_t json_size(const struct json_doc *doc, json_value v);

/* Walking: the first element (of an array) or member KEY (of an object), then the next; JSON_NONE at the end. For an
 * object json_member_value() leads from a key to its value. */
json_value json_first(const struct json_doc *doc, json_value v);
json_value json_next(const struct json_doc *doc, json_value v);
json_value json_member_value(const struct json_doc *doc, json_value key);

/* Copies a string unescaped, as UTF-8, with a NUL. Its length, or -1 if it is no string, does not fit in `room`, or
 * holds U+0000 or a lone surrogate. */
int json_str(const struct json_doc *doc, json_value v, char *out, size_t room);

/* Is v the string `text`? */
bool json_is(const struct json_doc *doc, json_value v, const char *text);

/* true/false into *out; 0 or -1. */
int json_bool(const struct json_doc *doc, json_value v, bool *out);

/* An integer without fraction or exponent; 0 or -1. */
int json_int(const struct json_doc *doc, json_value v, int64_t *out);

/* A number without exponent and at most 10^12, in thousandths, what is smaller cut off: 1.2345 is 1234; 0 or -1. */
int json_thousandths(const struct json_doc *doc, json_value v, int64_t *out);

#endif
