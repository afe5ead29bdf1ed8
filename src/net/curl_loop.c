/* SPDX-License-Identifier: MIT */
/*
 * The hinge between libcurl's multi interface and our loop. libcurl tells the sockets that it waits for
 * through CURLMOPT_SOCKETFUNCTION (curl_sockets.c) and a time through CURLMOPT_TIMERFUNCTION; both only note
 * it, since nothing of libcurl may be called from there
 * (https://curl.se/libcurl/c/CURLMOPT_SOCKETFUNCTION.html).
 */
#include <config.h>

#include <stdlib.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "curl_sockets.h"

struct curl_loop {
    CURLM *multi;
    struct loop *loop;
    struct loop_timer timer;
    struct loop_task reap; /* looks for ended transfers outside of libcurl's calls */
    struct curl_sockets sockets;
    size_t handles;
    bool acting; /* within a call of libcurl */
};

static void act(struct curl_loop *cl, curl_socket_t fd, int what)
{
    int running;

    if (cl->sockets.keeps)
        curl_sockets_ruin_unsilent(&cl->sockets);
    cl->acting = true;
    curl_multi_socket_action(cl->multi, fd, what, &running);
    cl->acting = false;
    loop_task_post(cl->loop, &cl->reap);
}

static void on_ready(struct curl_sockets *sockets, int fd, int what)
{
    act(container_of(sockets, struct curl_loop, sockets), fd, what);
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
    cl->reap.run = on_reap;
    loop_timer_init(&cl->timer, loop, LOOP_EARLY, on_timer_due);
    curl_sockets_init(&cl->sockets, loop, cl->multi, keeps, on_ready);
    curl_multi_setopt(cl->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(cl->multi, CURLMOPT_TIMERDATA, cl);
    if (max_connects > 0)
        curl_multi_setopt(cl->multi, CURLMOPT_MAXCONNECTS, max_connects);
    return cl;
}

void curl_loop_free(struct curl_loop *cl)
{
    if (!cl)
        return;
    must(cl->handles == 0 && !cl->acting);
    curl_multi_cleanup(cl->multi);
    curl_sockets_release(&cl->sockets);
    loop_timer_cancel(&cl->timer);
    loop_task_cancel(cl->loop, &cl->reap);
    free(cl);
}

int curl_loop_add(struct curl_loop *cl, CURL *easy, struct curl_transfer *transfer, struct err *err)
{
    CURLMcode code;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_sockets_serve(&cl->sockets, easy, transfer);
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

void curl_loop_forget_kept(struct curl_loop *cl)
{
    curl_sockets_forget_kept(&cl->sockets);
}
