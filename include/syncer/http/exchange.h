/* SPDX-License-Identifier: MIT */
/*
 * One request and its answer, as a handler sees them. The exchange belongs to the connection: a handler borrows it until
 * it has answered, or until its on_abort was called. It answers exactly once: from within the handler, or later.
 * Worker only.
 */
#ifndef SYNCER_HTTP_EXCHANGE_H
#define SYNCER_HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/addr.h>
#include <syncer/base/buf.h>
#include <syncer/wire/http_request.h>

struct http_exchange;

/* --- the request; all borrowed until the answer --- */

const struct http_request *http_exchange_request(const struct http_exchange *x);
/* The bytes that the request's slices count in. They may move between two turns of the loop: never keep. */
const char *http_exchange_bytes(const struct http_exchange *x);
/* The decoded path ("/v1/synced") that the router compared; not NUL-terminated. */
const char *http_exchange_path(const struct http_exchange *x, size_t *len);
/* How often field `lower` (a lower-case literal) occurs: 0, 1, 2 = more; the first one's value in *value, *len. */
unsigned http_exchange_field(const struct http_exchange *x, const char *lower, const char **value, size_t *len);
/* When the head was complete; monotonic ns. */
int64_t http_exchange_began_ns(const struct http_exchange *x);
/* The client's address; family 0 on a unix socket. */
const struct addr *http_exchange_peer(const struct http_exchange *x);

/* The same for the log: "unix" on a unix socket. */
const char *http_exchange_client(const struct http_exchange *x, char out[ADDR_TEXT_BYTES]);

/* A place for the handler's own pointer. */
void http_exchange_set_data(struct http_exchange *x, void *data);
void *http_exchange_data(const struct http_exchange *x);
/* Called if the connection ends before the answer; the exchange may not be used any more afterwards. A half-closed
 * client is not gone: it still gets its answer. */
void http_exchange_on_abort(struct http_exchange *x, void (*on_abort)(struct http_exchange *x));

/* --- for the access log, which shows nothing of a request but its method, the route, and this --- */

#define HTTP_EXCHANGE_ID_MAX 128

/* What the request is called in logs; at most HTTP_EXCHANGE_ID_MAX bytes, copied. "" until it is set. */
void http_exchange_set_id(struct http_exchange *x, const char *id, size_t len);
const char *http_exchange_id(const struct http_exchange *x);
/* What came of it: a literal. */
void http_exchange_set_result(struct http_exchange *x, const char *result);
/* The query has been read, and nothing of it can be a secret. */
void http_exchange_show_query(struct http_exchange *x);

/* --- the answer --- */

/* Begins one: status 200-599. */
void http_answer_begin(struct http_exchange *x, int status);
/* One more field. Name and value are ours: must() refuses what would break the framing. Date, Content-Length, Connection
 * and Content-Type are the server's. */
void http_answer_field(struct http_exchange *x, const char *name, const char *value);
/* Ends it and sends: content_type NULL and len 0 for an answer without a body. The body is copied. To HEAD the same
 * fields go out and no byte of the body. */
void http_answer_end(struct http_exchange *x, const char *content_type, const void *body, size_t len);
/* As http_answer_end(), but takes the memory of `body` (released or emptied when it is out). */
void http_answer_end_buf(struct http_exchange *x, const char *content_type, struct buf *body);
/* A body that is made while it goes out, a slice each time the client has taken the one before, so that a long one holds
 * neither the loop nor more memory than a slice. Part of a struct of the handler's own. */
struct http_producer {
    /* Appends the next slice, some HTTP_SLICE_BYTES and never more than HTTP_SLICE_MAX, and says whether there is more.
     * It may append nothing where there was much to look at and nothing to say. A buffer that has failed ends the
     * connection. The first call comes from within http_answer_end_producer(), the others from the loop. */
    bool (*next)(struct http_producer *producer, struct buf *out);
    /* Once, after the last slice or when the client is gone. */
    void (*release)(struct http_producer *producer);
};
#define HTTP_SLICE_BYTES ((size_t)16 * 1024)
#define HTTP_SLICE_MAX ((size_t)64 * 1024)
/* As http_answer_end() with the body of `producer`, which is the exchange's from now on. A body of one slice goes out
 * with its length, a longer one chunked, or to a client of HTTP/1.0 until the connection ends. */
void http_answer_end_producer(struct http_exchange *x, const char *content_type, struct http_producer *producer);
/* A whole answer as application/problem+json (RFC 9457): begin, the caller's fields, then this. */
void http_answer_end_problem(struct http_exchange *x, const char *detail);
/* "Not Found"; "" for a status without a name. */
const char *http_status_text(int status);

#endif
