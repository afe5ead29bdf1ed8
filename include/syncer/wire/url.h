/* SPDX-License-Identifier: MIT */
/* The parts of RFC 3986 that are needed: escapes and query strings. Pure. Any process. */
#ifndef SYNCER_WIRE_URL_H
#define SYNCER_WIRE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include <syncer/base/buf.h>

/* Decodes %XX of exactly `len` bytes into `out` (room >= len); *out_len may hold NULs. -1 on a bad escape. */
int url_decode(const char *text, size_t len, char *out, size_t *out_len);

/* Appends `text` with everything but unreserved characters escaped. */
void url_encode(struct buf *out, const char *text, size_t len);

struct url_param {
    const char *name, *value; /* borrowed, still escaped; value is empty if there was no '=' */
    size_t name_len, value_len;
    bool has_value;
};
/* Steps through a query string ("a=1&b=2"): false at its end. *pos starts at 0. */
bool url_query_next(const char *query, size_t len, size_t *pos, struct url_param *out);

#endif
