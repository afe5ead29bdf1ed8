/* SPDX-License-Identifier: MIT */
/*
 * The parser of a pod's answer to a probe, RFC 9112: pure, incremental, strict where a false 200 could come of laxity.
 * Interim 1xx answers are skipped (101 is refused: a probe asks for no upgrade), bodies are skipped and bounded. The
 * answer is complete only when its framing says so. Any process.
 */
#ifndef SYNCER_WIRE_HTTP_RESPONSE_H
#define SYNCER_WIRE_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/wire/http_scan.h>

#define HTTP_RESPONSE_MAX_HEAD_BYTES 16384
#define HTTP_RESPONSE_MAX_INTERIM 4

struct http_response {
    /* the scanner's own */
    uint32_t scanned, line_start;
    bool line_done, head_done;
    uint32_t interim;
    struct http_body body;
    bool has_length;
    enum http_coding coding;
    uint64_t content_length;

    /* valid once head_done */
    int status; /* 200-599 */
    uint8_t minor;
    bool keep_alive; /* version, Connection, and framing allow another request */

    const char *error;   /* after HTTP_BAD: the rule broken, a literal */
    uint64_t body_limit; /* set by init */
};

/* body_limit: a longer body is HTTP_BAD. */
void http_response_init(struct http_response *resp, uint64_t body_limit);

/*
 * Feeds bytes in order. Until the head is complete the caller keeps the unconsumed bytes and calls again with them in
 * front of the new ones; afterwards each call consumes all it is given.
 *   *used  bytes that need not be given again; after HTTP_DONE what follows them is surplus (the caller closes).
 */
enum http_progress http_response_parse(struct http_response *resp, const char *data, size_t len, size_t *used);

/* The connection has ended. DONE if that completes the answer (body until close), else BAD. */
enum http_progress http_response_end(struct http_response *resp);

#endif
