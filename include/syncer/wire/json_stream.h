/* SPDX-License-Identifier: MIT */
/*
 * Cuts a Kubernetes list as it arrives into pieces that are parsed one by one, so that a list of any length needs the
 * memory of its largest item: {"kind":..., "metadata":{...}, "items":[ITEM, ITEM, ...]}. Knows strings, escapes and
 * nesting, nothing else; each piece then goes through json_read, which is strict. Pure apart from its buffer.
 */
#ifndef SYNCER_WIRE_JSON_STREAM_H
#define SYNCER_WIRE_JSON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/buf.h>
#include <syncer/base/err.h>

enum json_stream_event {
    JSON_STREAM_MORE,   /* all bytes used, nothing complete */
    JSON_STREAM_ITEM,   /* `piece` is one element of "items" */
    JSON_STREAM_MEMBER, /* `piece` is the value of another top-level member, `key` its name */
    JSON_STREAM_END,    /* the top-level object is complete */
    JSON_STREAM_BAD,
};

struct json_stream {
    struct buf piece;  /* the piece that was just completed; valid until the next call */
    char key[64];      /* of the top-level member being read; longer ones are BAD */
    bool items_seen;   /* a list without "items" is no list */
    uint64_t items;    /* how many so far */
    const char *error; /* after BAD */
    /* the scanner's own */
    uint32_t state, depth, key_len;
    bool in_string, escaped;
};

/* max_piece_bytes bounds one item. */
void json_stream_init(struct json_stream *stream, size_t max_piece_bytes);
void json_stream_release(struct json_stream *stream);

/* Looks at bytes until something is complete; *used tells how many. Call again with the rest. */
enum json_stream_event json_stream_feed(struct json_stream *stream, const char *data, size_t len, size_t *used);

#endif
