/* SPDX-License-Identifier: MIT */
/* The second half of the way: the answer goes out, is told of, and the next request or the end begins. */
#include <config.h>

#include <errno.h>

#include <syncer/base/macros.h>

#include "step.h"

/* Written at once: a copy of so much to the kernel is some 50 us. */
#define WRITE_MAX_BYTES 262144

/* Thrown away while lingering. */
#define LINGER_MAX_BYTES (8 * 1024 * 1024)
#define LINGER_READ_BYTES (16 * 1024)

static int pending(struct http_exchange *x, struct iovec iov[2])
{
    struct buf *parts[2] = {&x->out, &x->out_body};
    size_t skip = x->sent, room = WRITE_MAX_BYTES;
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t left = parts[i]->len > skip ? parts[i]->len - skip : 0;

        if (left > room)
            left = room;
        if (left > 0)
            iov[n++] = (struct iovec){.iov_base = parts[i]->data + skip, .iov_len = left};
        skip -= parts[i]->len < skip ? parts[i]->len : skip;
        room -= left;
    }
    return n;
}

enum go step_write(struct conn *conn)
{
    struct http_exchange *x = conn->x;
    struct iovec iov[2];
    ssize_t sent;

    if (x->out.failed || x->out_body.failed) {
        conn_tell_starved(conn->server, ENOMEM);
        return GO_END;
    }
    sent = stream_writev(&conn->stream, iov, pending(x, iov));
    if (sent == STREAM_ERROR)
        return GO_END;
    if (sent == STREAM_AGAIN)
        return GO_WAIT;
    x->sent += (size_t)sent;
    conn->spent += (uint32_t)sent;
    if (x->sent < x->out.len + x->out_body.len)
        return GO_WAIT; /* the rest in a later turn, even if there should be room already */
    if (answer_next_slice(x))
        return GO_WAIT; /* one a turn, as above */
    conn_enter(conn, CONN_LOG);
    return GO_ON;
}

enum go step_log(struct conn *conn)
{
    struct http_server *server = conn->server;
    struct http_exchange *x = conn->x;
    bool close = x->close;

    conn_set_busy(conn, false);
    if (!conn->refused && server->events->on_answered)
        server->events->on_answered(server->arg, x->status);
    if (server->settings.access_log)
        access_log(x);
    if (!close)
        exchange_next(x);
    if (!close && x->in.len > x->start) {
        conn_set_busy(conn, true);
        conn_enter(conn, CONN_HEAD);
        return GO_ON;
    }
    exchange_give_back(conn);
    if (close)
        stream_shutdown(&conn->stream);
    conn_enter(conn, close ? CONN_LINGER : CONN_IDLE);
    return GO_ON;
}

/* A close() with bytes unread, or before they arrive, makes the kernel send a reset, by which the client may
 * lose an answer that it has not read yet: RFC 9112 section 9.6. */
enum go step_linger(struct conn *conn)
{
    char trash[LINGER_READ_BYTES];
    ssize_t got;

    if (conn->eof)
        return GO_END;
    got = stream_read(&conn->stream, trash, sizeof(trash));
    if (got == STREAM_AGAIN)
        return conn->refused && conn->server->n_refused > MAX_REFUSED_LINGER ? GO_END : GO_WAIT;
    if (got <= 0)
        return GO_END;
    conn->spent += (uint32_t)got;
    conn->lingered += (uint32_t)got;
    return conn->lingered > LINGER_MAX_BYTES ? GO_END : GO_ON;
}
