/* SPDX-License-Identifier: MIT */
/*
 * Writing JSON into a buffer. Commas, quotes and escapes are its own; nesting is checked by must(). Failure shows in
 * buf->failed. Strings are any bytes: what is no UTF-8 is written as U+FFFD. Any process.
 *
 *     json_object_begin(&w); json_key(&w, "name"); json_string(&w, name, len); json_object_end(&w);
 */
#ifndef SYNCER_WIRE_JSON_WRITE_H
#define SYNCER_WIRE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/buf.h>

struct json_writer {
    struct buf *out; /* borrowed */
    uint32_t depth;
    uint64_t first;   /* bit per depth: nothing written there yet */
    uint64_t objects; /* bit per depth: an object, not an array */
    bool after_key;
};

void json_writer_init(struct json_writer *w, struct buf *out);
void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_string(struct json_writer *w, const char *str, size_t len);
void json_cstring(struct json_writer *w, const char *str); /* NULL writes null */
void json_number(struct json_writer *w, int64_t n);
void json_decimal(struct json_writer *w, int64_t thousandths); /* 1234 writes 1.234 */
void json_boolean(struct json_writer *w, bool b);
void json_null(struct json_writer *w);

/* Key and value in one. */
void json_put_string(struct json_writer *w, const char *key, const char *str);
void json_put_number(struct json_writer *w, const char *key, int64_t n);
void json_put_boolean(struct json_writer *w, const char *key, bool b);

#endif
