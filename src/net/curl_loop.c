/* SPDX-License-Identifier: MIT */
/*
 * The hinge between libcurl's multi interface and our loop. libcurl tells the sockets that it waits for through
 * CURLMOPT_SOCKETFUNCTION and a time through CURLMOPT_TIMERFUNCTION; both only note it, since nothing of libcurl may be
 * called from there (https://curl.se/libcurl/c/CURLMOPT_SOCKETFUNCTION.html). A socket is forgotten when libcurl closes it,
 * not when it stops to wait for it: descriptor numbers are used again at once.
 */
#include <config.h>

#include <stdlib.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/net/curl_loop.h>

struct watched {
    struct curl_loop *cl;
    struct watched *next, *prev;
    struct loop_io io;
    int fd;
};

struct curl_loop {
    CURLM *multi;
    struct loop *loop;
    struct loop_timer timer;
    struct loop_task reap; /* looks for ended transfers outside of libcurl's calls */
    struct watched *watched;
    size_t handles;
};

static void act(struct curl_loop *cl, curl_socket_t fd, int what)
{
    int running;

    curl_multi_socket_action(cl->multi, fd, what, &running);
    loop_task_post(cl->loop, &cl->reap);
}

/* ---- sockets ---- */

static struct watched *find(const struct curl_loop *cl, int fd)
{
    struct watched *w = cl->watched;

    while (w && w->fd != fd)
        w = w->next;
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

static int watch(struct curl_loop *cl, int fd, uint32_t events)
{
    struct watched *w = find(cl, fd);

    if (w && w->io.loop)
        return loop_io_modify(&w->io, events);
    if (!w) {
        w = calloc(1, sizeof(*w));
        if (!w)
            return -1;
        w->cl = cl;
        w->fd = fd;
        w->next = cl->watched;
        if (w->next)
            w->next->prev = w;
        cl->watched = w;
    }
    return loop_io_add(cl->loop, &w->io, fd, events, on_socket);
}

/* CURLMOPT_SOCKETFUNCTION. The socket is taken out of the loop when libcurl no longer waits: whoever uses it directly
 * (link.c) registers it itself. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
    struct curl_loop *cl = arg;
    struct watched *w;

    (void)easy;
    (void)per_socket;
    if (what != CURL_POLL_REMOVE)
        return watch(cl, fd, (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0));
    w = find(cl, fd);
    if (w)
        forget(w);
    return 0;
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

/* One at a time: on_done may take any handle out. */
static void on_reap(struct loop_task *task)
{
    struct curl_loop *cl = container_of(task, struct curl_loop, reap);
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(cl->multi, &left))) {
        struct curl_transfer *transfer = NULL;
        CURLcode code = message->data.result;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        if (transfer)
            transfer->on_done(transfer, code);
    }
}

/* ---- life ---- */

struct curl_loop *curl_loop_new(struct loop *loop, long max_connects, struct err *err)
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
    must(cl->handles == 0);
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

    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    code = curl_multi_add_handle(cl->multi, easy);
    if (code != CURLM_OK)
        return err_set(err, "libcurl: %s", curl_multi_strerror(code));
    cl->handles++;
    return 0;
}

void curl_loop_remove(struct curl_loop *cl, CURL *easy)
{
    must(cl->handles > 0);
    cl->handles--;
    curl_multi_remove_handle(cl->multi, easy);
}
