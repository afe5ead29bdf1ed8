/* SPDX-License-Identifier: MIT */
/* The server as a whole: made, emptied, ended. */
#include <config.h>

#include <stdlib.h>
#include <sys/socket.h>

#include <syncer/base/macros.h>

#include "layout.h"

/* After the last byte of a last answer. */
#define LINGER_MAX_NS (2 * NS_PER_S)

static void on_empty_task(struct loop_task *task)
{
    struct http_server *server = container_of(task, struct http_server, empty);
    void (*on_empty)(void *arg) = server->on_empty;

    if (server->n_conns > 0 || !on_empty)
        return;
    server->on_empty = NULL;
    on_empty(server->on_empty_arg);
}

/* That it is not posted any more is all that it tells. */
static void on_turn(struct loop_task *task)
{
    (void)task;
}

struct http_server *http_server_new(struct loop *loop, const struct http_settings *settings,
                                    const struct http_events *events, void *arg, struct err *err)
{
    struct http_server *server = calloc(1, sizeof(*server));
    int64_t client_ns = settings->client_timeout_ms * NS_PER_MS;

    if (!server) {
        err_set(err, "HTTP server: out of memory");
        return NULL;
    }
    server->loop = loop;
    server->settings = *settings;
    server->events = events;
    server->arg = arg;
    server->say_close = settings->keepalive_timeout_ms == 0;
    server->limit_ns[LIMIT_IDLE] = server->say_close ? client_ns : settings->keepalive_timeout_ms * NS_PER_MS;
    server->limit_ns[LIMIT_CLIENT] = client_ns;
    server->limit_ns[LIMIT_LINGER] = client_ns < LINGER_MAX_NS ? client_ns : LINGER_MAX_NS;
    server->take_next = 1;
    server->turn.run = on_turn;
    server->empty.run = on_empty_task;
    loop_timer_init(&server->pause, loop, LOOP_EARLY, accept_resume);
    return server;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    accept_stop(server);
    server->on_empty = NULL;
    while (server->conns)
        conn_free(server->conns);
    loop_task_cancel(server->loop, &server->turn);
    loop_task_cancel(server->loop, &server->empty);
    exchange_free_all(server);
    free(server);
}

void http_server_stop_accepting(struct http_server *server)
{
    accept_last(server);
    accept_stop(server);
}

void http_server_say_close(struct http_server *server)
{
    server->say_close = true;
}

/* Has something come that no event has told of yet? */
static bool has_bytes(const struct conn *conn)
{
    char byte;

    return recv(conn->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void http_server_close_idle(struct http_server *server)
{
    struct conn *next;

    for (struct conn *conn = server->conns; conn; conn = next) {
        next = conn->next;
        if (conn->state == CONN_IDLE && !has_bytes(conn))
            conn_free(conn);
    }
}

size_t http_server_connections(const struct http_server *server)
{
    return server->n_conns;
}

size_t http_server_busy(const struct http_server *server)
{
    return server->n_busy;
}

void http_server_on_empty(struct http_server *server, void (*on_empty)(void *arg), void *arg)
{
    server->on_empty = on_empty;
    server->on_empty_arg = arg;
    if (server->n_conns == 0)
        loop_task_post(server->loop, &server->empty);
}
