/* SPDX-License-Identifier: MIT */
/*
 * What HTTP/1.1 requests and responses share (RFC 9110, RFC 9112): characters, field lines, list tokens, lengths, body
 * framing. Pure functions over the caller's bytes: no I/O, no clock, no allocation. Any process.
 */
#ifndef SYNCER_WIRE_HTTP_SCAN_H
#define SYNCER_WIRE_HTTP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a buffer that may move: offset and length instead of a pointer. */
struct slice {
    uint32_t off, len;
};

/* The three ends of an incremental step. */
enum http_progress {
    HTTP_DONE, /* complete */
    HTTP_MORE, /* correct so far; call again with more bytes */
    HTTP_BAD,  /* never correct whatever follows; the object's error says why */
};

struct http_field {
    struct slice name;  /* as sent; compare with http_name_is() */
    struct slice value; /* without the blanks around it */
};

bool http_is_tchar(unsigned char c);       /* RFC 9110 section 5.6.2 */
bool http_is_field_vchar(unsigned char c); /* VCHAR, SP, HTAB, obs-text */
/* How many bytes from `text` on are such. */
size_t http_field_vchars(const char *text, size_t len);
bool http_is_cookie_octet(unsigned char c); /* RFC 6265 section 4.1.1 */

/* Case-insensitive comparison with a lower-case literal. */
bool http_name_is(const char *data, struct slice name, const char *lower);

/* Steps through a comma list, empty members too, each without the blanks around it; *pos starts at 0. */
bool http_list_next(const char *data, struct slice list, uint32_t *pos, struct slice *member);

/* Is `token` (lower-case) a member of the comma list in `value`? RFC 9110 section 5.6.1. */
bool http_list_has(const char *data, struct slice value, const char *token);

/* 1*DIGIT without sign, blank or overflow. 0 or -1. RFC 9110 section 8.6. */
int http_parse_length(const char *text, size_t len, uint64_t *out);

/* One field line (without its CRLF) as RFC 9112 section 5 has it. false on any error of grammar. */
bool http_parse_field(const char *data, struct slice line, struct http_field *out);

/* What the Transfer-Encoding lines of a head come to, RFC 9112 section 6.1. */
enum http_coding {
    HTTP_CODING_NONE,
    HTTP_CODING_CHUNKED, /* exactly once and alone */
    HTTP_CODING_OTHER,   /* a coding that we do not know */
    HTTP_CODING_BAD,     /* chunked twice or not last, an empty member, a parameter, no token */
};
/* Adds one more Transfer-Encoding line to what the lines before it came to. */
enum http_coding http_coding_add(enum http_coding so_far, const char *data, struct slice value);

/* --- body framing ------------------------------------------------------------------------------------------------ */

enum http_body_kind {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,      /* Content-Length */
    HTTP_BODY_CHUNKED,     /* RFC 9112 section 7.1, extensions and trailers read and thrown away, both bounded */
    HTTP_BODY_UNTIL_CLOSE, /* responses only */
};

struct http_body {
    enum http_body_kind kind;
    uint64_t left;       /* LENGTH: of the body; CHUNKED: of this chunk */
    uint64_t read;       /* payload bytes so far */
    uint64_t limit;      /* more payload than this is HTTP_BAD */
    uint32_t state;      /* CHUNKED: the scanner's own */
    uint32_t line_len;   /* CHUNKED: bytes of the present size or trailer line, bounded */
    uint32_t extensions; /* CHUNKED: bytes of chunk extensions so far, bounded over the whole body */
    uint32_t trailers;   /* CHUNKED: bytes of the trailer section so far, bounded */
    const char *error;   /* after HTTP_BAD: the rule broken, a literal */
    bool over_limit;     /* after HTTP_BAD: well formed, but more than the limit */
};

void http_body_init(struct http_body *body, enum http_body_kind kind, uint64_t length, uint64_t limit);

/* Reads and throws away body bytes. *used = how many of `len` belong to the body; the rest is what follows. Chunk data
 * is skipped, not stored. UNTIL_CLOSE never gets DONE by itself. */
enum http_progress http_body_skip(struct http_body *body, const char *data, size_t len, size_t *used);

#endif
