/* SPDX-License-Identifier: MIT */
/*
 * The HTTP/1.1 server of a worker: shared listening sockets, connections, requests. Knows no path and no pod: a request
 * goes to the handler that the router's table names, which answers at once or later. Worker only; logs only the access
 * line.
 */
#ifndef SYNCER_HTTP_SERVER_H
#define SYNCER_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/addr.h>
#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/http/exchange.h>
#include <syncer/http/router.h>
#include <syncer/net/identity.h>

struct http_server;

struct http_settings {
    int64_t client_timeout_ms;    /* request head from its first byte, body, writing of an answer */
    int64_t keepalive_timeout_ms; /* idle, before the next request's first byte; 0 = one request a connection */
    bool access_log;
};

/* Where clients come in: the paths that they see, and how many of them may be there at a time, so that a flood at one door
 * does not keep anybody from another. Borrowed for the server's life. */
struct http_door {
    const struct http_router *router;
    uint32_t max_connections;  /* beyond: 503 overloaded at once, and close */
    struct identity *identity; /* TLS, but on unix sockets; NULL = none */
    size_t n_conns;            /* the server's: those that are in */
};

/* What the server tells its owner, for counting; every member may be NULL. */
struct http_events {
    void (*on_accepted)(void *arg);
    /* Asked before each accept: has this process more than its share of the clients of all that accept? Then it leaves the
     * next one to the others for a moment. */
    bool (*has_enough)(void *arg);
    /* Asked while a door is full: can another process take clients at it? Then they are left to that one. */
    bool (*others_have_room)(void *arg, const struct http_door *door);
    void (*on_refused)(void *arg); /* beyond max_connections */
    void (*on_closed)(void *arg);
    /* Descriptors or memory are out (an errno): clients wait in the sockets' queues, or a connection was let go. */
    void (*on_starved)(void *arg, int error);
    void (*on_shake_failed)(void *arg, const struct addr *client,
                            const char *reason); /* no TLS connection came about */
    void (*on_answered)(void *arg, int status);
};

/* events and arg are borrowed for the server's life. NULL with the reason. */
struct http_server *http_server_new(struct loop *loop, const struct http_settings *settings,
                                    const struct http_events *events, void *arg, struct err *err);
/* Ends all connections at once. Those that wait in a listening socket's queue are left to the other workers. NULL is fine. */
void http_server_free(struct http_server *server);

/* Takes a listening socket (not owned, never closed here) and accepts from it with EPOLLEXCLUSIVE: one accept a wake-up,
 * then EPOLL_CTL_DEL + ADD, which moves this worker to the end of the socket's queue, so that kept connections spread
 * evenly; in a burst of them also events->has_enough sees to that. 0 or -1 with the reason. */
int http_server_listen(struct http_server *server, int listen_fd, struct http_door *door, struct err *err);

/* Takes what waits in the listening sockets' queues, to be served, and then the sockets out of the loop: nothing more is
 * accepted. Idempotent. */
void http_server_stop_accepting(struct http_server *server);

/* From now on each answer says `Connection: close`. Idle connections stay open, so that a request that is on its way is
 * answered (SIGHUP, and drain_delay). Idempotent. */
void http_server_say_close(struct http_server *server);

/* Closes connections that are idle: no byte of a request has come (those that have only been accepted too). */
void http_server_close_idle(struct http_server *server);

/* Open connections, lingering ones too. */
size_t http_server_connections(const struct http_server *server);

/* Requests of which a byte has come and whose answer is not out yet. */
size_t http_server_busy(const struct http_server *server);

/* Calls `on_idle(arg)` from the loop, once, when there is no connection any more; at once (from the loop) if so now. */
void http_server_on_empty(struct http_server *server, void (*on_empty)(void *arg), void *arg);

#endif
