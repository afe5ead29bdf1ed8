/* SPDX-License-Identifier: MIT */
/* Connections: what drives their steps (step.h), their deadlines, and how they begin and end. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "step.h"

void conn_enter(struct conn *conn, enum conn_state state)
{
    conn->state = state;
    conn->phase_ns = loop_now_ns(conn->server->loop);
}

void conn_set_busy(struct conn *conn, bool busy)
{
    conn->server->n_busy = conn->server->n_busy + busy - conn->busy;
    conn->busy = busy;
}

static enum go step_handler(struct conn *conn)
{
    (void)conn;
    return GO_WAIT;
}

void conn_answered(struct conn *conn)
{
    conn_enter(conn, CONN_WRITE);
    /* From a step, that one's driver goes on; from elsewhere a task does, so that whoever answers finds
     * itself in no other request's handler. */
    if (!conn->running)
        loop_task_post(conn->server->loop, &conn->task);
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
    /* A handshake has the time that a request has. */
    enum conn_limit kind = stream_is_shaking(&conn->stream) ? LIMIT_CLIENT : steps[conn->state].limit;
    int64_t limit = conn->server->limit_ns[kind];
    uint32_t events = conn->stream.wants ? conn->stream.wants : steps[conn->state].events;

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

/* A handshake is some 1 ms of arithmetic: one step a turn, whoever else waits for his, so that no flood of them keeps
 * other connections waiting, nor those of another door. */
static bool may_go(struct conn *conn)
{
    struct http_server *server = conn->server;

    if (!stream_is_shaking(&conn->stream))
        return true;
    if (server->turn.posted)
        return false;
    loop_task_post(server->loop, &server->turn);
    return true;
}

static void go_on(struct conn *conn)
{
    if (may_go(conn))
        conn_run(conn);
    else
        loop_task_post(conn->server->loop, &conn->task);
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
        go_on(conn);
}

static void on_task(struct loop_task *task)
{
    go_on(container_of(task, struct conn, task));
}

static void on_expired(struct conn *conn)
{
    switch (conn->state) {
    case CONN_HEAD:
    case CONN_BODY:
        if (conn_is_asked(conn))
            conn_refuse(conn, 408, "the request took too long to come");
        else
            conn_free(conn);
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
    conn->door->n_conns += !conn->refused;
}

static void unlink_from(struct conn *conn)
{
    struct http_server *server = conn->server;

    *(conn->prev ? &conn->prev->next : &server->conns) = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    server->n_conns--;
    server->n_refused -= conn->refused;
    conn->door->n_conns -= !conn->refused;
    if (server->n_conns == 0 && server->on_empty)
        loop_task_post(server->loop, &server->empty);
}

static void tell_refused(struct conn *conn)
{
    conn_enter(conn, CONN_HANDLER);
    conn->x = exchange_take(conn);
    if (!conn->x) {
        conn_free(conn);
        return;
    }
    conn_refuse(conn, 503, "there are too many connections; try again later");
}

void conn_tell_starved(const struct http_server *server, int error)
{
    if (server->events->on_starved)
        server->events->on_starved(server->arg, error);
}

void conn_new(const struct listener *listener, struct stream *stream, bool refused)
{
    struct http_server *server = listener->server;
    struct conn *conn = calloc(1, sizeof(*conn));

    if (!conn || loop_io_add(server->loop, &conn->io, stream->fd, EPOLLIN, on_event) != 0) {
        conn_tell_starved(server, errno);
        free(conn);
        stream_close(stream);
        return;
    }
    conn->server = server;
    conn->door = listener->door;
    conn->stream = *stream;
    conn->task.run = on_task;
    conn->refused = refused;
    loop_timer_init(&conn->timer, server->loop, LOOP_EARLY, on_due);
    link_in(conn);
    if (!refused && server->events->on_accepted)
        server->events->on_accepted(server->arg);
    conn_enter(conn, CONN_IDLE);
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
    conn_set_busy(conn, false);
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
