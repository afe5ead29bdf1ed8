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

#include "trust_curl.h"

#define CONNECT_TIMEOUT_MS 5000
#define RETRY_AFTER_MAX_S 3600
#define BEARER_MAX 16384

struct fetcher {
    struct loop *loop;
    struct curl_loop *cl;
    char *user_agent;
    struct fetch *fetches;
    int64_t forgot_ns; /* connections made before are not used again; 0 = never */
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
    CURL *easy;
    bool in_multi, head_told, refused, silent;
    struct curl_slist *fields, *connect_to;
    struct trust *shared; /* what `trust` uses: a cancelled transfer may still be connecting */
    struct trust_use trust;
    char error[CURL_ERROR_SIZE];
};

/* ---- what arrives ---- */

static int status_of(const struct fetch *fetch)
{
    long status = 0;

    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
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
    curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
    if (fetch->events->on_head)
        fetch->events->on_head(fetch->arg, status_of(fetch), type ? type : "");
}

/* CURLOPT_HEADERFUNCTION: one line at a time, an empty one at the end of each head, interim ones (1xx) too
 * (https://curl.se/libcurl/c/CURLOPT_HEADERFUNCTION.html). Another number than the line's length ends the
 * transfer. */
static size_t on_header(char *line, size_t size, size_t n, void *arg) /* NOLINT(*-non-const-parameter) */
{
    struct fetch *fetch = arg;
    size_t len = size * n;

    move_idle(fetch);
    if (len > 0 && (line[0] == '\r' || line[0] == '\n'))
        tell_head(fetch);
    return fetch->handle ? len : len + 1; /* cancelled from on_head */
}

/* CURLOPT_WRITEFUNCTION: another number than `len` ends the transfer. */
static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct fetch *fetch = arg;
    size_t len = size * n;

    move_idle(fetch);
    if (fetch->events->on_data(fetch->arg, data, len) == 0 && fetch->handle)
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
        curl_loop_remove(fetcher->cl, fetch->easy);
    if (fetch->easy)
        curl_easy_cleanup(fetch->easy);
    for (struct curl_slist *field = fetch->fields; field; field = field->next)
        explicit_bzero(field->data, strlen(field->data)); /* one holds the token */
    curl_slist_free_all(fetch->fields);
    curl_slist_free_all(fetch->connect_to);
    trust_free(fetch->shared);
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
    curl_easy_getinfo(fetch->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    switch (code) {
    case CURLE_OK:
        return fetch->head_told ? FETCH_COMPLETE
                                : FETCH_BROKEN; /* cut within the head: libcurl finds it good */
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return FETCH_NO_CONNECT;
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
    const char *reason = fetch->error[0] ? fetch->error : curl_easy_strerror(code);

    if (result->end == FETCH_COMPLETE)
        return;
    if (fetch->silent)
        reason = "the server has been silent for too long";
    else if (fetch->refused)
        reason = "the answer was given up";
    else if (code == CURLE_OK)
        reason = "the connection ended within the answer's head";
    if (code == CURLE_PEER_FAILED_VERIFICATION && fetch->trust.names[0])
        snprintf(result->reason, sizeof(result->reason), "certificate for %.120s: %.110s", fetch->trust.names,
                 reason);
    else
        snprintf(result->reason, sizeof(result->reason), "%.*s", (int)sizeof(result->reason) - 1, reason);
}

static int64_t retry_after_ms(const struct fetch *fetch)
{
    curl_off_t seconds = 0;

    curl_easy_getinfo(fetch->easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds <= 0)
        return -1;
    return (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
}

static void finish(struct fetch *fetch, CURLcode code)
{
    struct fetch_result result = {.end = end_of(fetch, code), .status = status_of(fetch)};

    if (!fetch->handle) {
        fetch_free(fetch);
        return;
    }
    result.retry_after_ms = retry_after_ms(fetch);
    explain(fetch, code, &result);
    *fetch->handle = NULL;
    fetch->handle = NULL;
    fetch->events->on_done(fetch->arg, &result);
    fetch_free(fetch);
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

static int add_field(struct fetch *fetch, const char *field)
{
    struct curl_slist *fields = curl_slist_append(fetch->fields, field);

    if (!fields)
        return -1;
    fetch->fields = fields;
    return 0;
}

static int set_fields(struct fetch *fetch, const struct fetch_request *request, struct err *err)
{
    char *field;
    size_t room;
    int rc = -1;

    if (request->bearer && strlen(request->bearer) > BEARER_MAX)
        return err_set(err, "the token is longer than %d bytes", BEARER_MAX);
    room = sizeof("Authorization: Bearer ") + (request->bearer ? strlen(request->bearer) : 0) + 256;
    field = malloc(room);
    if (!field)
        return err_set(err, "out of memory");
    snprintf(field, room, "Accept: %.200s", request->accept ? request->accept : "application/json");
    rc = add_field(fetch, field);
    if (rc == 0 && request->bearer) {
        snprintf(field, room, "Authorization: Bearer %s", request->bearer);
        rc = add_field(fetch, field);
    }
    explicit_bzero(field, room);
    free(field);
    return rc == 0 ? 0 : err_set(err, "out of memory");
}

/* How old a kept connection may be to be used: younger than the last forgetting. 0 = any age. */
static long lifetime_s(const struct fetcher *fetcher)
{
    int64_t age = clock_now_ns() - fetcher->forgot_ns;

    if (fetcher->forgot_ns == 0)
        return 0;
    return age < NS_PER_S ? 1 : (long)(age / NS_PER_S);
}

static int set_options(struct fetch *fetch, const struct fetch_request *request, struct err *err)
{
    CURL *easy = fetch->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_HTTPHEADER, fetch->fields);
    SET(CURLOPT_USERAGENT, fetch->fetcher->user_agent);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    SET(CURLOPT_MAXAGE_CONN, 55L);
    SET(CURLOPT_MAXLIFETIME_CONN, lifetime_s(fetch->fetcher));
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(request->connect_timeout_ms ? request->connect_timeout_ms : CONNECT_TIMEOUT_MS));
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_ERRORBUFFER, fetch->error);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, fetch);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, fetch);
    if (request->unix_socket)
        SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
#undef SET
    if (code != CURLE_OK)
        return err_set(err, "%.200s: %s", request->url, curl_easy_strerror(code));
    if (!request->trust)
        return 0;
    fetch->shared = trust_share(request->trust);
    return trust_apply(&fetch->trust, fetch->shared, easy, err);
}

/* "::HOST:PORT" of the request's URL, for CURLOPT_CONNECT_TO, and the URL with `name` in place of its host.
 */
static CURLUcode rename_host(struct fetch *fetch, CURLU *url, const char *name)
{
    char *host = NULL, *port = NULL, *renamed = NULL, text[1024];
    CURLUcode code = curl_url_get(url, CURLUPART_HOST, &host, 0);

    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (code == CURLUE_OK)
        code = curl_url_set(url, CURLUPART_HOST, name, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_URL, &renamed, 0);
    if (code == CURLUE_OK) {
        snprintf(text, sizeof(text), "::%s:%s", host, port);
        fetch->connect_to = curl_slist_append(NULL, text);
        if (!fetch->connect_to || curl_easy_setopt(fetch->easy, CURLOPT_URL, renamed) != CURLE_OK ||
            curl_easy_setopt(fetch->easy, CURLOPT_CONNECT_TO, fetch->connect_to) != CURLE_OK)
            code = CURLUE_OUT_OF_MEMORY;
    }
    curl_free(host);
    curl_free(port);
    curl_free(renamed);
    return code;
}

/* The name that the certificate must have is the URL's host for libcurl: where another is wanted, the URL
 * gets that one and the connection is led to the address. */
static int set_server_name(struct fetch *fetch, const struct fetch_request *request, struct err *err)
{
    CURLU *url;
    CURLUcode code;

    if (!request->server_name)
        return 0;
    url = curl_url();
    code = url ? curl_url_set(url, CURLUPART_URL, request->url, 0) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = rename_host(fetch, url, request->server_name);
    curl_url_cleanup(url);
    return code == CURLUE_OK ? 0 : err_set(err, "%.200s: %s", request->url, curl_url_strerror(code));
}

static struct fetch *fetch_new(struct fetcher *fetcher, const struct fetch_events *events, void *arg)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));

    if (!fetch)
        return NULL;
    fetch->fetcher = fetcher;
    fetch->events = events;
    fetch->arg = arg;
    fetch->transfer.on_done = on_transfer_done;
    fetch->reap.run = on_reap;
    loop_timer_init(&fetch->idle, fetcher->loop, LOOP_EARLY, on_idle_due);
    fetch->next = fetcher->fetches;
    if (fetch->next)
        fetch->next->prev = fetch;
    fetcher->fetches = fetch;
    fetch->easy = curl_easy_init();
    if (!fetch->easy) {
        fetch_free(fetch);
        return NULL;
    }
    return fetch;
}

int fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                const struct fetch_events *events, void *arg, struct fetch **handle, struct err *err)
{
    struct fetch *fetch = fetch_new(fetcher, events, arg);

    *handle = NULL;
    if (!fetch)
        return err_set(err, "out of memory");
    if (set_fields(fetch, request, err) < 0 || set_options(fetch, request, err) < 0 ||
        set_server_name(fetch, request, err) < 0 ||
        curl_loop_add(fetcher->cl, fetch->easy, &fetch->transfer, err) < 0) {
        fetch_free(fetch);
        return -1;
    }
    fetch->in_multi = true;
    fetch->handle = handle;
    *handle = fetch;
    fetch->idle_timeout_ns = request->idle_timeout_ms * NS_PER_MS;
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
    fetcher->cl = fetcher->user_agent ? curl_loop_new(loop, 0, err) : NULL;
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
    fetcher->forgot_ns = clock_now_ns();
}
