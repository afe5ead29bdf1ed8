/* SPDX-License-Identifier: MIT */
/*
 * Whole transfers. libcurl does the protocol; what it can't be trusted with is here: a silent server (our own
 * timer, which a byte moves on), ends that look like success, and a handle that is given up from within one
 * of its own callbacks.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/net/curl_loop.h>
#include <syncer/net/fetch.h>

#include "fetch_easy.h"

#define RETRY_AFTER_MAX_S 3600

struct fetcher {
    struct loop *loop;
    struct curl_loop *cl;
    char *user_agent;
    struct fetch *fetches;
};

struct fetch {
    struct fetcher *fetcher;
    struct fetch *next, *prev;
    struct fetch **handle; /* the caller's; NULL once it was told */
    struct curl_transfer transfer;
    struct loop_timer idle;
    struct loop_task reap; /* cancelled: freed outside of libcurl's calls */
    int64_t idle_timeout_ns;
    const struct fetch_events *events;
    void *arg;
    bool in_multi, head_told, refused, silent;
    struct fetch_easy curl;
};

/* ---- what arrives ---- */

/* Bytes may come until the task that frees it has run, which can be a turn later: `arg` is nobody's any more
 * then. */
static bool is_cancelled(const struct fetch *fetch)
{
    return !fetch->handle;
}

static int status_of(const struct fetch *fetch)
{
    long status = 0;

    curl_easy_getinfo(fetch->curl.easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static void move_idle(struct fetch *fetch)
{
    if (fetch->idle_timeout_ns > 0)
        loop_timer_set(&fetch->idle, clock_now_ns() + fetch->idle_timeout_ns);
}

/* The final head is complete: told once, so that the trailers of a chunked body change nothing. */
static void tell_head(struct fetch *fetch)
{
    const char *type = NULL;

    if (fetch->head_told || status_of(fetch) < 200)
        return;
    fetch->head_told = true;
    curl_easy_getinfo(fetch->curl.easy, CURLINFO_CONTENT_TYPE, &type);
    if (fetch->events->on_head)
        fetch->events->on_head(fetch->arg, status_of(fetch), type ? type : "");
}

static void tell_field(struct fetch *fetch, const char *line, size_t len)
{
    if (!fetch->events->on_field || fetch->head_told || status_of(fetch) < 200)
        return;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
        len--;
    if (len > 0)
        fetch->events->on_field(fetch->arg, line, len);
}

/* CURLOPT_HEADERFUNCTION: one line at a time, an empty one at the end of each head, interim ones (1xx) too
 * (https://curl.se/libcurl/c/CURLOPT_HEADERFUNCTION.html). Another number than the line's length ends the
 * transfer. */
static size_t on_header(char *line, size_t size, size_t n, void *arg) /* NOLINT(*-non-const-parameter) */
{
    struct fetch *fetch = arg;
    size_t len = size * n;

    if (is_cancelled(fetch))
        return len + 1;
    move_idle(fetch);
    tell_field(fetch, line, len);
    if (is_cancelled(fetch))
        return len + 1;
    if (len > 0 && (line[0] == '\r' || line[0] == '\n'))
        tell_head(fetch);
    return is_cancelled(fetch) ? len + 1 : len; /* from on_head */
}

/* CURLOPT_WRITEFUNCTION: another number than `len` ends the transfer. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct fetch *fetch = arg;
    size_t len = size * n;

    if (is_cancelled(fetch))
        return len + 1;
    move_idle(fetch);
    fetch_easy_forbid_surplus(&fetch->curl);
    if (fetch->events->on_data(fetch->arg, data, len) == 0 && !is_cancelled(fetch))
        return len;
    fetch->refused = true;
    return len + 1;
}

/* ---- the end ---- */

static void fetch_free(struct fetch *fetch)
{
    struct fetcher *fetcher = fetch->fetcher;

    loop_timer_cancel(&fetch->idle);
    loop_task_cancel(fetcher->loop, &fetch->reap);
    if (fetch->in_multi)
        curl_loop_remove(fetcher->cl, fetch->curl.easy);
    fetch_easy_release(&fetch->curl);
    if (fetch->prev)
        fetch->prev->next = fetch->next;
    else
        fetcher->fetches = fetch->next;
    if (fetch->next)
        fetch->next->prev = fetch->prev;
    free(fetch);
}

static enum fetch_end end_of(const struct fetch *fetch, CURLcode code)
{
    curl_off_t connected = 0;

    if (fetch->refused)
        return FETCH_REFUSED;
    if (fetch->silent)
        return FETCH_TIMEOUT;
    curl_easy_getinfo(fetch->curl.easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    switch (code) {
    case CURLE_OK:
        return fetch->head_told ? FETCH_COMPLETE : FETCH_BROKEN; /* cut within the head: libcurl finds it good */
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return curl_loop_own_errno(fetch->curl.easy, &fetch->transfer, code) != 0 ? FETCH_LOCAL : FETCH_NO_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        return connected > 0 ? FETCH_TIMEOUT : FETCH_NO_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return FETCH_TLS;
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
        return FETCH_LOCAL;
    default:
        return FETCH_BROKEN;
    }
}

static void explain(const struct fetch *fetch, CURLcode code, struct fetch_result *result)
{
    const char *reason = fetch->curl.error[0] ? fetch->curl.error : curl_easy_strerror(code);
    int own_errno = curl_loop_own_errno(fetch->curl.easy, &fetch->transfer, code);
    long os_errno = 0;

    if (result->end == FETCH_COMPLETE)
        return;
    curl_easy_getinfo(fetch->curl.easy, CURLINFO_OS_ERRNO, &os_errno);
    if (fetch->silent)
        reason = "the server has been silent for too long";
    else if (fetch->refused)
        reason = "the answer was given up";
    else if (code == CURLE_OK)
        reason = "the connection ended within the answer's head";
    if (result->end == FETCH_LOCAL && own_errno != 0)
        snprintf(result->reason, sizeof(result->reason), "no socket for a connection: %s", strerror(own_errno));
    else if (code == CURLE_PEER_FAILED_VERIFICATION && fetch->curl.trust.names[0])
        snprintf(result->reason, sizeof(result->reason), "certificate for %.120s: %.110s", fetch->curl.trust.names,
                 reason);
    else if (code == CURLE_COULDNT_CONNECT && os_errno != 0 && fetch->curl.by_unix)
        snprintf(result->reason, sizeof(result->reason), "cannot connect: %s", strerror((int)os_errno));
    else if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
        snprintf(result->reason, sizeof(result->reason), "%.300s: %s", reason, strerror((int)os_errno));
    else
        snprintf(result->reason, sizeof(result->reason), "%.*s", (int)sizeof(result->reason) - 1, reason);
}

static int64_t retry_after_ms(const struct fetch *fetch)
{
    curl_off_t seconds = 0;

    curl_easy_getinfo(fetch->curl.easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds <= 0)
        return -1;
    return (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
}

/* on_done comes last, when nothing here is needed any more: it may free the fetcher. */
static void finish(struct fetch *fetch, CURLcode code)
{
    struct fetch_result result = {
        .end = end_of(fetch, code), .status = status_of(fetch), .certificate_expires_s = fetch->curl.trust.expires_s};
    const struct fetch_events *events = fetch->events;
    void *arg = fetch->arg;
    bool cancelled = is_cancelled(fetch);

    result.retry_after_ms = retry_after_ms(fetch);
    explain(fetch, code, &result);
    if (!cancelled)
        *fetch->handle = NULL;
    fetch_free(fetch);
    if (!cancelled)
        events->on_done(arg, &result);
}

static void on_transfer_done(struct curl_transfer *transfer, CURLcode code)
{
    finish(container_of(transfer, struct fetch, transfer), code);
}

static void on_idle_due(struct loop_timer *timer)
{
    struct fetch *fetch = container_of(timer, struct fetch, idle);

    fetch->silent = true;
    finish(fetch, CURLE_OPERATION_TIMEDOUT);
}

static void on_reap(struct loop_task *task)
{
    fetch_free(container_of(task, struct fetch, reap));
}

void fetch_cancel(struct fetch **handle)
{
    struct fetch *fetch = *handle;

    if (!fetch)
        return;
    *handle = NULL;
    fetch->handle = NULL;
    loop_timer_cancel(&fetch->idle);
    loop_task_post(fetch->fetcher->loop, &fetch->reap);
}

/* ---- the beginning ---- */

static struct fetch *fetch_new(struct fetcher *fetcher, const struct fetch_request *request, struct err *err)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));

    if (!fetch) {
        err_set(err, "out of memory");
        return NULL;
    }
    if (fetch_easy_init(&fetch->curl, request, fetcher->user_agent, err) < 0) {
        free(fetch);
        return NULL;
    }
    fetch->fetcher = fetcher;
    fetch->idle_timeout_ns = request->idle_timeout_ms * NS_PER_MS;
    fetch->transfer.on_done = on_transfer_done;
    fetch->reap.run = on_reap;
    loop_timer_init(&fetch->idle, fetcher->loop, LOOP_EARLY, on_idle_due);
    curl_easy_setopt(fetch->curl.easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(fetch->curl.easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(fetch->curl.easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(fetch->curl.easy, CURLOPT_HEADERDATA, fetch);
    fetch->next = fetcher->fetches;
    if (fetch->next)
        fetch->next->prev = fetch;
    fetcher->fetches = fetch;
    return fetch;
}

int fetch_start(struct fetcher *fetcher, const struct fetch_request *request, const struct fetch_events *events,
                void *arg, struct fetch **handle, struct err *err)
{
    struct fetch *fetch;

    *handle = NULL;
    fetch = fetch_new(fetcher, request, err);
    if (!fetch)
        return -1;
    fetch->events = events;
    fetch->arg = arg;
    fetch->in_multi = curl_loop_add(fetcher->cl, fetch->curl.easy, &fetch->transfer, err) == 0;
    if (!fetch->in_multi) {
        fetch_free(fetch);
        return -1;
    }
    fetch->handle = handle;
    *handle = fetch;
    move_idle(fetch);
    return 0;
}

/* ---- the fetcher ---- */

struct fetcher *fetcher_new(struct loop *loop, const char *user_agent, struct err *err)
{
    struct fetcher *fetcher = calloc(1, sizeof(*fetcher));

    if (!fetcher) {
        err_set(err, "out of memory");
        return NULL;
    }
    fetcher->loop = loop;
    fetcher->user_agent = strdup(user_agent);
    fetcher->cl = fetcher->user_agent ? curl_loop_new(loop, 0, true, err) : NULL;
    if (!fetcher->cl) {
        if (!fetcher->user_agent)
            err_set(err, "out of memory");
        free(fetcher->user_agent);
        free(fetcher);
        return NULL;
    }
    return fetcher;
}

void fetcher_free(struct fetcher *fetcher)
{
    struct fetch *fetch, *next;

    if (!fetcher)
        return;
    for (fetch = fetcher->fetches; fetch; fetch = next) {
        next = fetch->next;
        if (fetch->handle)
            *fetch->handle = NULL;
        fetch_free(fetch);
    }
    curl_loop_free(fetcher->cl);
    free(fetcher->user_agent);
    free(fetcher);
}

void fetcher_forget_connections(struct fetcher *fetcher)
{
    curl_loop_forget_kept(fetcher->cl);
}
