/* SPDX-License-Identifier: MIT */
/*
 * The sockets are made and closed here (CURLOPT_OPENSOCKETFUNCTION, CURLOPT_CLOSESOCKETFUNCTION):
 * libcurl 7.88 makes them without CLOEXEC, and does not tell a lack of descriptors from a peer that refuses.
 * Of a socket that never came to be connected it does not tell the end: it closes it itself.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <syncer/base/macros.h>

#include "curl_sockets.h"

struct watched {
    struct curl_sockets *sockets;
    struct watched *next, *prev;
    struct loop_io io; /* registered while libcurl waits for it; else it is the socket of a kept connection */
    int fd;
    int ready; /* CURL_CSELECT_*: it waits for its turn, by ready_next */
    struct watched *ready_next;
    ino_t ino; /* of a socket that we have made; 0 = libcurl's own, such as those of its resolver */
    bool old;  /* must not serve another transfer than the present one */
};

/* ---- the list ---- */

static struct watched *find(const struct curl_sockets *sockets, int fd)
{
    struct watched *w = sockets->first;

    while (w && w->fd != fd)
        w = w->next;
    return w;
}

static struct watched *note(struct curl_sockets *sockets, int fd)
{
    struct watched *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->sockets = sockets;
    w->fd = fd;
    w->next = sockets->first;
    if (w->next)
        w->next->prev = w;
    sockets->first = w;
    return w;
}

/* ---- turns ---- */

/* One a turn, since each may be a step of a handshake: the arithmetic of several would hold the loop. */
static void on_turn(struct loop_task *task)
{
    struct curl_sockets *sockets = container_of(task, struct curl_sockets, turn);
    struct watched *w = sockets->ready;
    int what = w->ready;

    sockets->ready = w->ready_next;
    w->ready = 0;
    if (sockets->ready)
        loop_task_post(sockets->loop, task);
    sockets->on_ready(sockets, w->fd, what);
}

static void enqueue(struct watched *w, int what)
{
    struct watched **at = &w->sockets->ready;

    if (w->ready == 0) {
        while (*at)
            at = &(*at)->ready_next;
        *at = w;
        w->ready_next = NULL;
        loop_task_post(w->sockets->loop, &w->sockets->turn);
    }
    w->ready |= what;
}

static void dequeue(struct watched *w)
{
    struct watched **at = &w->sockets->ready;

    if (w->ready == 0)
        return;
    while (*at != w)
        at = &(*at)->ready_next;
    *at = w->ready_next;
    w->ready = 0;
    if (!w->sockets->ready)
        loop_task_cancel(w->sockets->loop, &w->sockets->turn);
}

/* Of no interest to libcurl any more. */
static void unwatch(struct watched *w)
{
    dequeue(w);
    loop_io_delete(&w->io);
}

static void forget(struct watched *w)
{
    unwatch(w);
    if (w->prev)
        w->prev->next = w->next;
    else
        w->sockets->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    free(w);
}

/* ---- kept connections ---- */

static bool is_kept(const struct watched *w)
{
    return w->ino != 0 && !w->io.loop;
}

/* libcurl may not be told to close a connection; that it takes one that was ended for dead can be relied on.
 * What had arrived must go, since it takes any byte for a sign of life. */
static void ruin(struct watched *w)
{
    char sink[4096];

    shutdown(w->fd, SHUT_RDWR);
    while (recv(w->fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
        ;
}

void curl_sockets_ruin_unsilent(struct curl_sockets *sockets)
{
    char byte;

    for (struct watched *w = sockets->first; w; w = w->next)
        if (is_kept(w) && (recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN))
            ruin(w);
}

void curl_sockets_forget_kept(struct curl_sockets *sockets)
{
    for (struct watched *w = sockets->first; w; w = w->next) {
        w->old = true;
        if (is_kept(w))
            ruin(w);
    }
}

/* ---- callbacks ---- */

static void on_socket(struct loop_io *io, uint32_t events)
{
    struct watched *w = container_of(io, struct watched, io);
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

    if (what != 0)
        enqueue(w, what);
}

static ino_t ino_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Of our making, connected, and not another one that has its number by now: the end of this one will be told. */
static bool is_connected(const struct watched *w)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    return w->ino != 0 && ino_of(w->fd) == w->ino && getpeername(w->fd, (struct sockaddr *)&peer, &len) == 0;
}

/* CURLMOPT_SOCKETFUNCTION. The socket is taken out of the loop when libcurl no longer waits: whoever uses it
 * directly (link.c) registers it itself. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
    struct curl_sockets *sockets = arg;
    struct watched *w = find(sockets, fd);
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

    (void)easy;
    (void)per_socket;
    if (what != CURL_POLL_REMOVE) {
        if (!w)
            w = note(sockets, fd);
        if (!w)
            return -1;
        return w->io.loop ? loop_io_modify(&w->io, events) : loop_io_add(sockets->loop, &w->io, fd, events, on_socket);
    }
    if (w && sockets->keeps && is_connected(w)) {
        unwatch(w);
        if (w->old)
            ruin(w);
    } else if (w) {
        forget(w);
    }
    return 0;
}

/* CURLOPT_OPENSOCKETFUNCTION. Registered at once, though for nothing yet, so that a lack of memory for that
 * fails one connection and not the whole multi handle. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
    struct curl_transfer *transfer = arg;
    struct curl_sockets *sockets = transfer->sockets;
    int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, addr->protocol);
    struct watched *w = find(sockets, fd);

    (void)purpose;
    if (w) /* closed without a word, and its number is used again */
        forget(w);
    w = fd >= 0 ? note(sockets, fd) : NULL;
    if (w && loop_io_add(sockets->loop, &w->io, fd, 0, on_socket) == 0) {
        w->ino = ino_of(fd);
        return fd;
    }
    transfer->socket_errno = errno;
    if (w)
        forget(w);
    if (fd >= 0)
        close(fd);
    return CURL_SOCKET_BAD;
}

/* CURLOPT_CLOSESOCKETFUNCTION. */
static int on_close_socket(void *arg, curl_socket_t fd)
{
    struct watched *w = find(arg, fd);

    if (w)
        forget(w);
    return close(fd);
}

/* ---- life ---- */

void curl_sockets_init(struct curl_sockets *sockets, struct loop *loop, CURLM *multi, bool keeps,
                       void (*on_ready)(struct curl_sockets *sockets, int fd, int what))
{
    *sockets = (struct curl_sockets){.loop = loop, .keeps = keeps, .on_ready = on_ready, .turn.run = on_turn};
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, sockets);
}

void curl_sockets_serve(struct curl_sockets *sockets, CURL *easy, struct curl_transfer *transfer)
{
    transfer->sockets = sockets;
    transfer->socket_errno = 0;
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets); /* a kept connection outlives its transfer */
}

void curl_sockets_release(struct curl_sockets *sockets)
{
    for (struct watched *w = sockets->first, *next; w; w = next) {
        next = w->next;
        forget(w);
    }
}

/* ---- what was lacking ---- */

/* What kept the name from being looked up is not told; whether it was that shows now. */
static int socket_errno(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static long errno_of(CURL *easy, const struct curl_transfer *transfer, CURLcode code)
{
    long os_errno = transfer->socket_errno;

    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return socket_errno();
    if (code != CURLE_COULDNT_CONNECT)
        return 0;
    if (os_errno == 0)
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    return os_errno;
}

int curl_loop_own_errno(CURL *easy, const struct curl_transfer *transfer, CURLcode code)
{
    long os_errno = errno_of(easy, transfer, code);

    switch (os_errno) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EADDRNOTAVAIL:
        return (int)os_errno;
    default:
        return 0;
    }
}
