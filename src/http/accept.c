/* SPDX-License-Identifier: MIT */
/* Listening sockets that several workers share: who accepts what, and what happens when too much comes. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include <syncer/base/macros.h>

#include "layout.h"

/* Out of descriptors or memory: connections wait in the kernel's queue meanwhile, or another worker takes
 * them. */
#define PAUSE_NS (100 * NS_PER_MS)

/* Who has more than its share of the clients leaves the next one to the others for so long. They may not have the time:
 * so it is one that is taken then, after the next wait two, then four, and nobody waits much longer for them. */
#define STAND_BACK_NS NS_PER_MS
#define MAX_TAKEN_ANYWAY 1024

/* Connections that are being told "503"; further ones are closed without a word. There are so many only where that
 * takes a handshake, or clients keep theirs open: see MAX_REFUSED_LINGER. */
#define MAX_REFUSED ((size_t)2 * MAX_REFUSED_LINGER)
#define LAST_ACCEPTS 256 /* a socket, when accepting stops */

/* While a door is full and another worker has room, its sockets are left to that one; looked at again after so long. */
#define FULL_NS (50 * NS_PER_MS)

static void on_connection(struct loop_io *io, uint32_t events);

/* 0, or -1 with errno. */
static int put_in(struct listener *listener)
{
    return loop_io_add(listener->server->loop, &listener->io, listener->fd, EPOLLIN | EPOLLEXCLUSIVE, on_connection);
}

static void take_out(struct http_server *server, int64_t pause_ns)
{
    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        loop_io_delete(&listener->io);
    loop_timer_set(&server->pause, loop_now_ns(server->loop) + pause_ns);
}

/* errno says what is missing. */
static void pause_accepting(struct http_server *server)
{
    conn_tell_starved(server, errno);
    take_out(server, PAUSE_NS);
}

/* A burst of connections finds one worker running and the others about to be woken: the one would take them all. */
static bool stand_back(struct http_server *server)
{
    if (!server->events->has_enough || !server->events->has_enough(server->arg)) {
        server->take_anyway = 0;
        server->take_next = 1;
        return false;
    }
    if (server->take_anyway > 0) {
        server->take_anyway--;
        return false;
    }
    server->take_anyway = server->take_next;
    if (server->take_next < MAX_TAKEN_ANYWAY)
        server->take_next *= 2;
    take_out(server, STAND_BACK_NS);
    return true;
}

/* Puts it in, unless its door is full and somebody else has room: who came here would be refused. */
static void put_in_if_useful(struct listener *listener)
{
    struct http_server *server = listener->server;
    const struct http_door *door = listener->door;

    if (door->n_conns >= door->max_connections && server->events->others_have_room &&
        server->events->others_have_room(server->arg, door)) {
        if (!server->pause.set)
            loop_timer_set(&server->pause, loop_now_ns(server->loop) + FULL_NS);
    } else if (put_in(listener) != 0) {
        pause_accepting(server);
    }
}

void accept_resume(struct loop_timer *timer)
{
    struct http_server *server = container_of(timer, struct http_server, pause);

    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        if (!listener->io.loop)
            put_in_if_useful(listener);
}

static void take(const struct listener *listener, struct stream *stream)
{
    struct http_server *server = listener->server;

    if (listener->door->n_conns < listener->door->max_connections) {
        conn_new(listener, stream, false);
        return;
    }
    if (server->events->on_refused)
        server->events->on_refused(server->arg);
    if (server->n_refused < MAX_REFUSED)
        conn_new(listener, stream, true);
    else
        stream_close(stream);
}

static void on_connection(struct loop_io *io, uint32_t events)
{
    struct listener *listener = container_of(io, struct listener, io);
    struct http_server *server = listener->server;
    struct stream stream;
    int rc;

    (void)events;
    if (stand_back(server))
        return;
    rc = stream_accept(&stream, listener->fd, listener->door->identity);
    if (rc == STREAM_AGAIN)
        return; /* another worker was faster */
    if (rc == STREAM_ERROR) {
        pause_accepting(server);
        return;
    }
    /* Out and in again moves this worker to the end of the socket's queue, so that connections go around:
     * otherwise the one that comes first in it gets nearly all. */
    loop_io_delete(io);
    take(listener, &stream);
    put_in_if_useful(listener);
}

int http_server_listen(struct http_server *server, int listen_fd, struct http_door *door, struct err *err)
{
    struct listener *listener = calloc(1, sizeof(*listener));

    if (!listener)
        return err_set(err, "cannot accept connections: out of memory");
    listener->server = server;
    listener->door = door;
    listener->fd = listen_fd;
    if (!server->pause.set && put_in(listener) != 0) {
        err_set_errno(err, errno, "cannot accept connections");
        free(listener);
        return -1;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    return 0;
}

/* Whoever is in a socket's queue has been told that the connection stands. Bounded, since more may come meanwhile. */
static void take_waiting(const struct listener *listener)
{
    struct stream stream;

    for (int i = 0; i < LAST_ACCEPTS && stream_accept(&stream, listener->fd, listener->door->identity) == 0; i++)
        take(listener, &stream);
}

void accept_last(struct http_server *server)
{
    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        take_waiting(listener);
}

void accept_stop(struct http_server *server)
{
    loop_timer_cancel(&server->pause);
    while (server->listeners) {
        struct listener *listener = server->listeners;

        server->listeners = listener->next;
        loop_io_delete(&listener->io);
        free(listener);
    }
}
