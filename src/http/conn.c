/* SPDX-License-Identifier: MIT */
/*
 * The way of a request: a connection has a state, each state a step, and conn_run() takes step after step
 * until one has to wait.
 *
 *      idle -> head -> [body] -> route -> [handler] -> write -> log -> idle, or head if more has come, or
 * linger
 *
 * An answer that is made while not all of the body has come says `Connection: close`: what comes after it
 * could not be told from the next request if the client never sends that body (nginx's auth_request passes on
 * the length alone).
 */
#include <config.h>

#include <stdlib.h>

#include <syncer/base/macros.h>
#include <syncer/base/log.h>
#include <syncer/base/must.h>

#include "layout.h"

/* What one connection may do before the others get their turn: bytes read and written, a request counting as
 * 4 KB. */
#define TURN_BUDGET (64 * 1024)
#define REQUEST_COST (4 * 1024)

/* Payload of a chunked body; nobody here wants one. */
#define BODY_MAX_BYTES UINT64_C(1048576)

/* Written at once: a copy of so much to the kernel is some 50 us. */
#define WRITE_MAX_BYTES 262144

/* Thrown away while lingering. */
#define LINGER_MAX_BYTES (8 * 1024 * 1024)
#define LINGER_READ_BYTES (16 * 1024)

/* RFC 9112 section 3 asks for lines of 8,000 bytes. */
static const struct http_request_limits limits = {
    .line_bytes = 8192,
    .head_bytes = 8192 + 16384,
    .fields = HTTP_REQUEST_MAX_FIELDS,
};

enum go {
    GO_ON,   /* to the step of the state, which may be another by now */
    GO_WAIT, /* for the descriptor, a deadline, or a handler */
    GO_END,  /* the connection is over */
};

static void enter(struct conn *conn, enum conn_state state)
{
    conn->state = state;
    conn->phase_ns = loop_now_ns(conn->server->loop);
}

static void set_busy(struct conn *conn, bool busy)
{
    conn->server->n_busy = conn->server->n_busy + busy - conn->busy;
    conn->busy = busy;
}

/* --- reading --- */

enum arrival {
    ARRIVED,
    ARRIVED_NOTHING, /* yet */
    ARRIVED_END,     /* nothing more will come */
    ARRIVED_ERROR,   /* the connection is broken, or memory is out */
};

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
    if (!buf_reserve(&x->in, 1)) /* by the limits of a head there is room, and a body is taken out */
        return ARRIVED_ERROR;
    room = x->in.room - x->in.len - 1;
    got = stream_read(&conn->stream, x->in.data + x->in.len, room);
    if (got == STREAM_ERROR)
        return ARRIVED_ERROR;
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

/* An error by which the connection's framing is lost, or that ends it anyway. */
static enum go refuse(struct conn *conn, int status, const char *why)
{
    conn->x->close = true;
    answer_error(conn->x, status, NULL, why);
    return GO_ON;
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
        return refuse(conn, 400, "the request ended before it was complete");
    case ARRIVED_ERROR:
        break;
    }
    return GO_END;
}

static enum go step_idle(struct conn *conn)
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
        set_busy(conn, true);
        enter(conn, CONN_HEAD);
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
        enter(conn, CONN_BODY);
        return GO_ON;
    }
    if (req->content_length > 0)
        exchange_skip_body(x);
    enter(conn, CONN_ROUTE);
    return GO_ON;
}

static enum go step_head(struct conn *conn)
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
    return refuse(conn, error->status, error->reason);
}

static enum go step_body(struct conn *conn)
{
    struct http_exchange *x = conn->x;

    switch (exchange_skip_body(x)) {
    case HTTP_DONE:
        enter(conn, CONN_ROUTE);
        return GO_ON;
    case HTTP_MORE:
        return read_on(conn);
    case HTTP_BAD:
        break;
    }
    return refuse(conn, x->body.over_limit ? 413 : 400, x->body.error);
}

static enum go step_route(struct conn *conn)
{
    struct http_exchange *x = conn->x;

    if (!exchange_decode_path(x))
        return GO_END; /* out of memory */
    enter(conn, CONN_HANDLER);
    http_router_dispatch(conn->server->router, x);
    return GO_ON;
}

static enum go step_handler(struct conn *conn)
{
    (void)conn;
    return GO_WAIT;
}

void conn_answered(struct conn *conn)
{
    enter(conn, CONN_WRITE);
    /* From a step, that one's driver goes on; from elsewhere a task does, so that whoever answers finds
     * itself in no other request's handler. */
    if (!conn->running)
        loop_task_post(conn->server->loop, &conn->task);
}

/* --- the answer --- */

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

static enum go step_write(struct conn *conn)
{
    struct http_exchange *x = conn->x;
    struct iovec iov[2];
    ssize_t sent;

    if (x->out.failed || x->out_body.failed)
        return GO_END; /* out of memory */
    sent = stream_writev(&conn->stream, iov, pending(x, iov));
    if (sent == STREAM_ERROR)
        return GO_END;
    if (sent == STREAM_AGAIN)
        return GO_WAIT;
    x->sent += (size_t)sent;
    conn->spent += (uint32_t)sent;
    if (x->sent < x->out.len + x->out_body.len)
        return GO_WAIT; /* the rest in a later turn, even if there should be room already */
    enter(conn, CONN_LOG);
    return GO_ON;
}

/* No header and no query: they may hold a token. */
static void log_access(const struct http_exchange *x)
{
    const struct http_request *req = &x->req;
    const char *bytes = http_exchange_bytes(x);

    log_info("request", LOG_BYTES("method", bytes + req->method_name.off, req->method_name.len),
             LOG_BYTES("path", bytes + req->path.off, req->path.len), LOG_INT("status", x->status),
             LOG_INT("ms", (loop_now_ns(x->conn->server->loop) - x->began_ns) / NS_PER_MS),
             LOG_INT("bytes", x->sent));
}

static enum go step_log(struct conn *conn)
{
    struct http_server *server = conn->server;
    struct http_exchange *x = conn->x;
    bool close = x->close;

    set_busy(conn, false);
    if (!conn->refused && server->events->on_answered)
        server->events->on_answered(server->arg, x->status);
    if (server->settings.access_log)
        log_access(x);
    if (!close)
        exchange_next(x);
    if (!close && x->in.len > x->start) {
        set_busy(conn, true);
        enter(conn, CONN_HEAD);
        return GO_ON;
    }
    exchange_give_back(conn);
    if (close)
        stream_shutdown(&conn->stream);
    enter(conn, close ? CONN_LINGER : CONN_IDLE);
    return GO_ON;
}

/* A close() with bytes unread, or before they arrive, makes the kernel send a reset, by which the client may
 * lose an answer that it has not read yet: RFC 9112 section 9.6. */
static enum go step_linger(struct conn *conn)
{
    char trash[LINGER_READ_BYTES];
    ssize_t got;

    if (conn->eof)
        return GO_END;
    got = stream_read(&conn->stream, trash, sizeof(trash));
    if (got == STREAM_AGAIN)
        return GO_WAIT;
    if (got <= 0)
        return GO_END;
    conn->spent += (uint32_t)got;
    conn->lingered += (uint32_t)got;
    return conn->lingered > LINGER_MAX_BYTES ? GO_END : GO_ON;
}

/* --- the driver --- */

static const struct {
    enum go (*step)(struct conn *conn);
    uint32_t events; /* waited for */
    enum conn_limit limit;
} steps[] = {
    [CONN_IDLE] = {step_idle, EPOLLIN, LIMIT_IDLE},   [CONN_HEAD] = {step_head, EPOLLIN, LIMIT_CLIENT},
    [CONN_BODY] = {step_body, EPOLLIN, LIMIT_CLIENT}, [CONN_ROUTE] = {step_route, 0, LIMIT_NONE},
    [CONN_HANDLER] = {step_handler, 0, LIMIT_NONE},   [CONN_WRITE] = {step_write, EPOLLOUT, LIMIT_CLIENT},
    [CONN_LOG] = {step_log, 0, LIMIT_NONE},           [CONN_LINGER] = {step_linger, EPOLLIN, LIMIT_LINGER},
};

/* 0, or -1 if the kernel refuses. */
static int wait_in_state(struct conn *conn)
{
    int64_t limit = conn->server->limit_ns[steps[conn->state].limit];
    uint32_t events = steps[conn->state].events;

    conn->deadline_ns = limit > 0 ? conn->phase_ns + limit : INT64_MAX;
    if (limit > 0 && (!conn->timer.set || conn->timer.due_ns > conn->deadline_ns))
        loop_timer_set(&conn->timer, conn->deadline_ns);
    /* While a handler works, interest stays as it is until something comes: mostly nothing does. */
    return events == 0 ? 0 : loop_io_modify(&conn->io, events);
}

static void conn_run(struct conn *conn)
{
    enum go go = GO_ON;

    conn->running = true;
    conn->spent = 0;
    while (go == GO_ON && conn->spent < TURN_BUDGET)
        go = steps[conn->state].step(conn);
    conn->running = false;
    if (go == GO_END || (go == GO_WAIT && wait_in_state(conn) != 0)) {
        conn_free(conn);
    } else if (go == GO_ON) {
        conn->deadline_ns = INT64_MAX;
        loop_task_post(conn->server->loop, &conn->task);
    }
}

static void on_event(struct loop_io *io, uint32_t events)
{
    struct conn *conn = container_of(io, struct conn, io);

    if ((events & EPOLLERR) || (conn->state == CONN_HANDLER && (events & EPOLLHUP))) {
        conn_free(conn);
        return;
    }
    if (conn->state == CONN_HANDLER) {
        /* Pipelined bytes, or the end of the client's sending: not looked at before the answer. */
        if (loop_io_modify(io, 0) != 0)
            conn_free(conn);
        return;
    }
    conn->readable = true;
    if (!conn->task.posted)
        conn_run(conn);
}

static void on_task(struct loop_task *task)
{
    conn_run(container_of(task, struct conn, task));
}

static void on_expired(struct conn *conn)
{
    switch (conn->state) {
    case CONN_HEAD:
    case CONN_BODY:
        refuse(conn, 408, "the request took too long to come");
        return;
    default: /* idle, or the client does not read, or does not close */
        conn_free(conn);
        return;
    }
}

static void on_due(struct loop_timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, timer);

    if (conn->deadline_ns <= loop_now_ns(conn->server->loop))
        on_expired(conn);
    else if (conn->deadline_ns != INT64_MAX)
        loop_timer_set(&conn->timer, conn->deadline_ns);
}

/* --- life --- */

static void link_in(struct conn *conn)
{
    struct http_server *server = conn->server;

    conn->next = server->conns;
    if (conn->next)
        conn->next->prev = conn;
    server->conns = conn;
    server->n_conns++;
    server->n_refused += conn->refused;
}

static void unlink_from(struct conn *conn)
{
    struct http_server *server = conn->server;

    *(conn->prev ? &conn->prev->next : &server->conns) = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    server->n_conns--;
    server->n_refused -= conn->refused;
    if (server->n_conns == 0 && server->on_empty)
        loop_task_post(server->loop, &server->empty);
}

static void tell_refused(struct conn *conn)
{
    enter(conn, CONN_HANDLER);
    conn->x = exchange_take(conn);
    if (!conn->x) {
        conn_free(conn);
        return;
    }
    refuse(conn, 503, "there are too many connections; try again later");
}

void conn_new(struct http_server *server, struct stream *stream, bool refused)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (!conn || loop_io_add(server->loop, &conn->io, stream->fd, EPOLLIN, on_event) != 0) {
        free(conn);
        stream_close(stream);
        return;
    }
    conn->server = server;
    conn->stream = *stream;
    conn->task.run = on_task;
    conn->refused = refused;
    loop_timer_init(&conn->timer, server->loop, LOOP_EARLY, on_due);
    link_in(conn);
    if (!refused && server->events->on_accepted)
        server->events->on_accepted(server->arg);
    enter(conn, CONN_IDLE);
    if (refused)
        tell_refused(conn);
    else if (wait_in_state(conn) != 0)
        conn_free(conn);
}

void conn_free(struct conn *conn)
{
    struct http_server *server = conn->server;

    must(!conn->running);
    if (conn->state == CONN_HANDLER && conn->x && conn->x->on_abort)
        conn->x->on_abort(conn->x);
    set_busy(conn, false);
    exchange_give_back(conn);
    loop_timer_cancel(&conn->timer);
    loop_task_cancel(server->loop, &conn->task);
    loop_io_delete(&conn->io);
    stream_close(&conn->stream);
    unlink_from(conn);
    if (!conn->refused && server->events->on_closed)
        server->events->on_closed(server->arg);
    free(conn);
}
