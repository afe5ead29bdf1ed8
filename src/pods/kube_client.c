/* SPDX-License-Identifier: MIT */
/* Requests, each with the credentials of its moment. Knows no resource: what is asked and what the answers
 * mean is kube_reflector.c's. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/buf.h>

#include "kube_access.h"
#include "kube_client.h"

#define CONNECT_TIMEOUT_MS 5000
#define PATH_MAX_BYTES 65536 /* a selector and a continue token, escaped */

struct kube_client {
    struct fetcher *fetcher;
    struct kube_access *access;
    const char *namespace; /* borrowed */
    struct kube_request *requests;
};

struct kube_request {
    struct kube_client *client;
    struct kube_request *next, *prev;
    struct kube_request **handle; /* the caller's; never NULL */
    struct fetch *fetch;
    struct buf url;
    struct kube_get get; /* its path is in `url` */
    const struct fetch_events *events;
    void *arg;
    bool retried;      /* it is the second time */
    bool unauthorized; /* a 401 that is kept back */
};

/* --- life --- */

static int make_parts(struct kube_client *client, struct loop *loop, const struct conf *conf, const char *user_agent,
                      struct err *err)
{
    client->access = kube_access_new(conf, err);
    if (!client->access)
        return -1;
    client->namespace = conf->namespace ? conf->namespace : kube_access_namespace(client->access);
    if (!client->namespace)
        return err_set(err, "namespace: should be set, since the context of the kubeconfig has none");
    client->fetcher = fetcher_new(loop, user_agent, err);
    return client->fetcher ? 0 : -1;
}

struct kube_client *kube_client_new(struct loop *loop, const struct conf *conf, const char *user_agent, struct err *err)
{
    struct kube_client *client = calloc(1, sizeof(*client));

    if (!client) {
        err_set(err, "out of memory");
        return NULL;
    }
    if (make_parts(client, loop, conf, user_agent, err) != 0) {
        kube_client_free(client);
        return NULL;
    }
    return client;
}

void kube_client_free(struct kube_client *client)
{
    if (!client)
        return;
    while (client->requests)
        kube_request_cancel(client->requests->handle);
    fetcher_free(client->fetcher);
    kube_access_free(client->access);
    free(client);
}

const char *kube_client_url(const struct kube_client *client)
{
    return kube_access_url(client->access);
}

const char *kube_client_namespace(const struct kube_client *client)
{
    return client->namespace;
}

const char *kube_client_warning(const struct kube_client *client)
{
    return kube_access_warning(client->access);
}

#define PIECE_BYTES 16 /* of a token, or all of a shorter one */

static bool has_piece(const char *text, const char *token, size_t len)
{
    size_t piece = len < PIECE_BYTES ? len : PIECE_BYTES, text_len = strlen(text);

    for (size_t i = 0; len > 0 && i + piece <= len; i++)
        if (memmem(text, text_len, token + i, piece))
            return true;
    return false;
}

void kube_client_screen(const struct kube_client *client, char text[KUBE_MESSAGE_BYTES])
{
    struct buf token;

    if (text[0] == '\0')
        return;
    buf_init(&token, KUBE_TOKEN_MAX_BYTES);
    if (kube_access_token(client->access, &token, NULL) != 0 || has_piece(text, buf_str(&token), token.len))
        snprintf(text, KUBE_MESSAGE_BYTES, "(not shown: the token may be in it)");
    buf_wipe(&token);
}

/* --- a request --- */

static void request_free(struct kube_request *request)
{
    if (request->prev)
        request->prev->next = request->next;
    else
        request->client->requests = request->next;
    if (request->next)
        request->next->prev = request->prev;
    fetch_cancel(&request->fetch);
    buf_release(&request->url);
    free(request);
}

void kube_request_cancel(struct kube_request **handle)
{
    struct kube_request *request = *handle;

    *handle = NULL;
    if (request)
        request_free(request);
}

static int send(struct kube_request *request, struct err *err);

static void on_head(void *arg, int status, const char *content_type)
{
    struct kube_request *request = arg;

    request->unauthorized = status == 401 && !request->retried;
    if (!request->unauthorized)
        request->events->on_head(request->arg, status, content_type);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct kube_request *request = arg;

    return request->unauthorized ? 0 : request->events->on_data(request->arg, data, len);
}

static void end(struct kube_request *request, const struct fetch_result *result)
{
    const struct fetch_events *events = request->events;
    void *arg = request->arg;

    *request->handle = NULL;
    request_free(request);
    events->on_done(arg, result);
}

/* A certificate that is refused: which one should have come? */
static void end_untrusted(struct kube_request *request, const struct fetch_result *result)
{
    const struct kube_access *access = request->client->access;
    const char *name = kube_access_server_name(access);
    struct fetch_result told = *result;
    size_t len = strlen(told.reason);

    snprintf(told.reason + len, sizeof(told.reason) - len, "; expected: one for %.80s by %.200s",
             name ? name : kube_access_url(access), kube_access_ca_name(access));
    end(request, &told);
}

static void on_done(void *arg, const struct fetch_result *result)
{
    struct kube_request *request = arg;
    struct fetch_result local = {.end = FETCH_LOCAL, .retry_after_ms = -1};
    struct err err = {""};

    if (result->end == FETCH_TLS && strncmp(result->reason, "certificate for", 15) == 0) {
        end_untrusted(request, result);
        return;
    }
    if (!request->unauthorized || result->end != FETCH_COMPLETE) {
        end(request, result);
        return;
    }
    kube_access_refused(request->client->access);
    request->retried = true;
    request->unauthorized = false;
    if (send(request, &err) == 0)
        return;
    memcpy(local.reason, err.text, sizeof(local.reason) - 1);
    end(request, &local);
}

/* The token is with libcurl only, and only as long as the transfer. */
static int start(struct kube_request *request, struct err *err)
{
    static const struct fetch_events events = {.on_head = on_head, .on_data = on_data, .on_done = on_done};
    const struct kube_access *access = request->client->access;
    struct fetch_request fetch = {
        .url = buf_str(&request->url),
        .trust = kube_access_trust(access),
        .server_name = kube_access_server_name(access),
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .timeout_ms = request->get.timeout_ms,
        .idle_timeout_ms = request->get.idle_timeout_ms,
    };
    struct buf token;
    int rc;

    buf_init(&token, KUBE_TOKEN_MAX_BYTES);
    rc = kube_access_token(access, &token, err);
    if (rc == 0) {
        fetch.bearer = token.len > 0 ? buf_str(&token) : NULL;
        rc = fetch_start(request->client->fetcher, &fetch, &events, request, &request->fetch, err);
    }
    buf_wipe(&token);
    return rc;
}

static int send(struct kube_request *request, struct err *err)
{
    bool changed;

    if (kube_access_refresh(request->client->access, &changed, err) != 0)
        return -1;
    if (changed)
        fetcher_forget_connections(request->client->fetcher);
    return start(request, err);
}

static struct kube_request *request_new(struct kube_client *client, const struct kube_get *get)
{
    struct kube_request *request = calloc(1, sizeof(*request));

    if (!request)
        return NULL;
    request->client = client;
    request->get = *get;
    buf_init(&request->url, PATH_MAX_BYTES);
    buf_addf(&request->url, "%s%s", kube_client_url(client), get->path);
    request->next = client->requests;
    if (request->next)
        request->next->prev = request;
    client->requests = request;
    return request;
}

int kube_client_get(struct kube_client *client, const struct kube_get *get, const struct fetch_events *events,
                    void *arg, struct kube_request **handle, struct err *err)
{
    struct kube_request *request = request_new(client, get);
    int rc = -1;

    *handle = NULL;
    if (!request)
        return err_set(err, "out of memory");
    request->handle = handle;
    request->events = events;
    request->arg = arg;
    if (request->url.failed)
        err_set(err, "the request would be longer than %d bytes", PATH_MAX_BYTES);
    else
        rc = send(request, err);
    if (rc == 0)
        *handle = request;
    else
        request_free(request);
    return rc;
}
