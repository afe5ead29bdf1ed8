/* SPDX-License-Identifier: MIT */
/*
 * The first half of the way: from the first byte to the handler.
 *
 * An answer that is made while not all of the body has come says `Connection: close`: what comes after it
 * could not be told from the next request if the client never sends that body (nginx's auth_request passes on
 * the length alone).
 */
#include <config.h>

#include <errno.h>

#include "step.h"

/* Payload of a chunked body; nobody here wants one. */
#define BODY_MAX_BYTES UINT64_C(1048576)

/* RFC 9112 section 3 asks for lines of 8,000 bytes. */
static const struct http_request_limits limits = {
    .line_bytes = 8192,
    .head_bytes = 8192 + 16384,
    .fields = HTTP_REQUEST_MAX_FIELDS,
};

/* An error by which the connection's framing is lost, or that ends it anyway. */
enum go conn_refuse(struct conn *conn, int status, const char *why)
{
    conn->x->close = true;
    answer_error(conn->x, status, NULL, why);
    return GO_ON;
}

/* --- reading --- */

enum arrival {
    ARRIVED,
    ARRIVED_NOTHING, /* yet */
    ARRIVED_END,     /* nothing more will come */
    ARRIVED_ERROR,   /* the connection is broken, or memory is out */
};

static void tell_shake_failed(const struct conn *conn)
{
    const struct http_server *server = conn->server;

    if (stream_is_shaking(&conn->stream) && server->events->on_shake_failed)
        server->events->on_shake_failed(server->arg, &conn->stream.peer, stream_reason());
}

static enum arrival read_some(struct conn *conn)
{
    struct http_exchange *x = conn->x;
    size_t room;
    ssize_t got;

    if (conn->eof)
        return ARRIVED_END;
    if (!conn->readable)
        return ARRIVED_NOTHING;
    buf_drop_front(&x->in, x->start);
    x->start = 0;
    if (!buf_reserve(&x->in, 1)) { /* by the limits of a head there is room, and a body is taken out */
        conn_tell_starved(conn->server, ENOMEM);
        return ARRIVED_ERROR;
    }
    room = x->in.room - x->in.len - 1;
    got = stream_read(&conn->stream, x->in.data + x->in.len, room);
    if (got == STREAM_ERROR) {
        tell_shake_failed(conn);
        return ARRIVED_ERROR;
    }
    conn->eof = got == 0;
    if (got < (ssize_t)room)
        conn->readable = false; /* so a request costs one read: if there is more after all, an event tells */
    if (got <= 0)
        return got == 0 ? ARRIVED_END : ARRIVED_NOTHING;
    x->in.len += (size_t)got;
    if (x->in.len > x->in_peak)
        x->in_peak = x->in.len;
    conn->spent += (uint32_t)got;
    return ARRIVED;
}

bool conn_is_asked(const struct conn *conn)
{
    const struct http_exchange *x = conn->x;

    return x->in.len - x->start > 2 || http_exchange_bytes(x)[0] != '\r';
}

/* Reads on in the middle of a request. */
static enum go read_on(struct conn *conn)
{
    switch (read_some(conn)) {
    case ARRIVED:
        return GO_ON;
    case ARRIVED_NOTHING:
        return GO_WAIT;
    case ARRIVED_END:
        return conn_is_asked(conn) ? conn_refuse(conn, 400, "the request ended before it was complete") : GO_END;
    case ARRIVED_ERROR:
        break;
    }
    return GO_END;
}

enum go step_idle(struct conn *conn)
{
    if (conn->eof)
        return GO_END;
    if (!conn->readable)
        return GO_WAIT;
    conn->x = exchange_take(conn);
    if (!conn->x)
        return GO_END;
    switch (read_some(conn)) {
    case ARRIVED:
        conn_set_busy(conn, true);
        conn_enter(conn, CONN_HEAD);
        return GO_ON;
    case ARRIVED_NOTHING:
        exchange_give_back(conn);
        return GO_WAIT;
    case ARRIVED_END:
    case ARRIVED_ERROR:
        break;
    }
    return GO_END;
}

/* --- the request --- */

static enum go head_complete(struct conn *conn)
{
    struct http_exchange *x = conn->x;
    const struct http_request *req = &x->req;
    bool nothing_yet = x->in.len == x->start + req->head_bytes;

    x->began_ns = loop_now_ns(conn->server->loop);
    conn->spent += REQUEST_COST;
    if (req->chunked)
        http_body_init(&x->body, HTTP_BODY_CHUNKED, 0, BODY_MAX_BYTES);
    else if (req->content_length > 0)
        http_body_init(&x->body, HTTP_BODY_LENGTH, req->content_length, UINT64_MAX);
    x->body_done = x->body.kind == HTTP_BODY_NONE;
    /* Whether chunks are well formed is seen only in them, so they are read before the answer; but not asked
     * for: who waits for a 100 gets the final answer instead (RFC 9110 section 10.1.1). */
    if (req->chunked && !(req->expect_continue && nothing_yet)) {
        conn_enter(conn, CONN_BODY);
        return GO_ON;
    }
    if (req->content_length > 0)
        exchange_skip_body(x);
    conn_enter(conn, CONN_ROUTE);
    return GO_ON;
}

enum go step_head(struct conn *conn)
{
    struct http_exchange *x = conn->x;
    const struct http_request_error_info *error;

    switch (http_request_parse(&x->req, http_exchange_bytes(x), x->in.len - x->start, &limits)) {
    case HTTP_DONE:
        return head_complete(conn);
    case HTTP_MORE:
        return read_on(conn);
    case HTTP_BAD:
        break;
    }
    error = &http_request_errors[x->req.error];
    return conn_refuse(conn, error->status, error->reason);
}

enum go step_body(struct conn *conn)
{
    struct http_exchange *x = conn->x;

    switch (exchange_skip_body(x)) {
    case HTTP_DONE:
        conn_enter(conn, CONN_ROUTE);
        return GO_ON;
    case HTTP_MORE:
        return read_on(conn);
    case HTTP_BAD:
        break;
    }
    return conn_refuse(conn, x->body.over_limit ? 413 : 400, x->body.error);
}

enum go step_route(struct conn *conn)
{
    struct http_exchange *x = conn->x;

    if (!exchange_decode_path(x))
        return GO_END; /* out of memory */
    conn_enter(conn, CONN_HANDLER);
    http_router_dispatch(conn->door->router, x);
    return GO_ON;
}
