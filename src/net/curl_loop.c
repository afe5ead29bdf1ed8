/* SPDX-License-Identifier: MIT */
/*
 * The hinge between libcurl's multi interface and our loop. libcurl tells the sockets that it waits for
 * through CURLMOPT_SOCKETFUNCTION and a time through CURLMOPT_TIMERFUNCTION; both only note it, since nothing
 * of libcurl may be called from there (https://curl.se/libcurl/c/CURLMOPT_SOCKETFUNCTION.html).
 *
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

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/net/curl_loop.h>

struct watched {
    struct curl_loop *cl;
    struct watched *next, *prev;
    struct loop_io io; /* registered while libcurl waits for it; else it is the socket of a kept connection */
    int fd;
    ino_t ino; /* of a socket that we have made; 0 = libcurl's own, such as those of its resolver */
    bool old;  /* must not serve another transfer than the present one */
};

struct curl_loop {
    CURLM *multi;
    struct loop *loop;
    struct loop_timer timer;
    struct loop_task reap; /* looks for ended transfers outside of libcurl's calls */
    struct watched *watched;
    size_t handles;
    bool keeps;  /* ended transfers leave connections behind for later ones */
    bool acting; /* within a call of libcurl */
};

/* ---- kept connections ---- */

static bool is_kept(const struct watched *w)
{
    return !w->io.loop;
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

/* A kept connection on which anything has come would give that to the next transfer as its answer. Looked at
 * before each call of libcurl: any of them may be the one in which a transfer chooses its connection. */
static void ruin_unsilent(struct curl_loop *cl)
{
    char byte;

    for (struct watched *w = cl->watched; w; w = w->next)
        if (is_kept(w) && (recv(w->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN))
            ruin(w);
}

static void act(struct curl_loop *cl, curl_socket_t fd, int what)
{
    int running;

    if (cl->keeps)
        ruin_unsilent(cl);
    cl->acting = true;
    curl_multi_socket_action(cl->multi, fd, what, &running);
    cl->acting = false;
    loop_task_post(cl->loop, &cl->reap);
}

void curl_loop_forget_kept(struct curl_loop *cl)
{
    for (struct watched *w = cl->watched; w; w = w->next) {
        w->old = true;
        if (is_kept(w))
            ruin(w);
    }
}

/* ---- sockets ---- */

static struct watched *find(const struct curl_loop *cl, int fd)
{
    struct watched *w = cl->watched;

    while (w && w->fd != fd)
        w = w->next;
    return w;
}

static struct watched *note(struct curl_loop *cl, int fd)
{
    struct watched *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->cl = cl;
    w->fd = fd;
    w->next = cl->watched;
    if (w->next)
        w->next->prev = w;
    cl->watched = w;
    return w;
}

static void forget(struct watched *w)
{
    loop_io_delete(&w->io);
    if (w->prev)
        w->prev->next = w->next;
    else
        w->cl->watched = w->next;
    if (w->next)
        w->next->prev = w->prev;
    free(w);
}

static void on_socket(struct loop_io *io, uint32_t events)
{
    struct watched *w = container_of(io, struct watched, io);
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

    act(w->cl, w->fd, what);
}

static ino_t ino_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Of our making, connected, and not another one that has its number by now: the end of this one will be told.
 */
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
    struct curl_loop *cl = arg;
    struct watched *w = find(cl, fd);
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

    (void)easy;
    (void)per_socket;
    if (what != CURL_POLL_REMOVE) {
        if (!w)
            w = note(cl, fd);
        if (!w)
            return -1;
        return w->io.loop ? loop_io_modify(&w->io, events)
                          : loop_io_add(cl->loop, &w->io, fd, events, on_socket);
    }
    if (w && cl->keeps && is_connected(w)) {
        loop_io_delete(&w->io);
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
    struct curl_loop *cl = transfer->cl;
    int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, addr->protocol);
    struct watched *w = find(cl, fd);

    (void)purpose;
    if (w) /* closed without a word, and its number is used again */
        forget(w);
    w = fd >= 0 ? note(cl, fd) : NULL;
    if (w && loop_io_add(cl->loop, &w->io, fd, 0, on_socket) == 0) {
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

/* ---- time ---- */

static void on_timer_due(struct loop_timer *timer)
{
    act(container_of(timer, struct curl_loop, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long ms, void *arg)
{
    struct curl_loop *cl = arg;

    (void)multi;
    if (ms < 0)
        loop_timer_cancel(&cl->timer);
    else
        loop_timer_set(&cl->timer, clock_now_ns() + ms * NS_PER_MS);
    return 0;
}

/* ---- ends ---- */

/* One a turn, as the last thing that is done: on_done may take out any handle and then free all of this. */
static void on_reap(struct loop_task *task)
{
    struct curl_loop *cl = container_of(task, struct curl_loop, reap);
    struct curl_transfer *transfer = NULL;
    const CURLMsg *message;
    CURLcode code;
    int left;

    message = curl_multi_info_read(cl->multi, &left);
    if (!message)
        return;
    code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    if (left > 0)
        loop_task_post(cl->loop, task);
    transfer->on_done(transfer, code);
}

/* ---- life ---- */

struct curl_loop *curl_loop_new(struct loop *loop, long max_connects, bool keeps, struct err *err)
{
    struct curl_loop *cl = calloc(1, sizeof(*cl));

    if (cl)
        cl->multi = curl_multi_init();
    if (!cl || !cl->multi) {
        free(cl);
        err_set(err, "libcurl: out of memory");
        return NULL;
    }
    cl->loop = loop;
    cl->keeps = keeps;
    cl->reap.run = on_reap;
    loop_timer_init(&cl->timer, loop, LOOP_EARLY, on_timer_due);
    curl_multi_setopt(cl->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(cl->multi, CURLMOPT_SOCKETDATA, cl);
    curl_multi_setopt(cl->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(cl->multi, CURLMOPT_TIMERDATA, cl);
    if (max_connects > 0)
        curl_multi_setopt(cl->multi, CURLMOPT_MAXCONNECTS, max_connects);
    return cl;
}

void curl_loop_free(struct curl_loop *cl)
{
    struct watched *w, *next;

    if (!cl)
        return;
    must(cl->handles == 0 && !cl->acting);
    curl_multi_cleanup(cl->multi);
    for (w = cl->watched; w; w = next) {
        next = w->next;
        forget(w);
    }
    loop_timer_cancel(&cl->timer);
    loop_task_cancel(cl->loop, &cl->reap);
    free(cl);
}

int curl_loop_add(struct curl_loop *cl, CURL *easy, struct curl_transfer *transfer, struct err *err)
{
    CURLMcode code;

    transfer->cl = cl;
    transfer->socket_errno = 0;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, cl); /* a kept connection outlives its transfer */
    code = curl_multi_add_handle(cl->multi, easy);
    if (code != CURLM_OK)
        return err_set(err, "libcurl: %s", curl_multi_strerror(code));
    cl->handles++;
    return 0;
}

void curl_loop_remove(struct curl_loop *cl, CURL *easy)
{
    must(cl->handles > 0 && !cl->acting);
    cl->handles--;
    curl_multi_remove_handle(cl->multi, easy);
}

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
