/* SPDX-License-Identifier: MIT */
/* Credentials and requests. Knows no resource: what is asked and what the answers mean is kubernetes.c's. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/addr.h>
#include <syncer/base/buf.h>
#include <syncer/base/fd.h>

#include "kube_client.h"

#define CONNECT_TIMEOUT_MS 5000
#define TOKEN_MAX_BYTES 16384
#define CA_MAX_BYTES ((size_t)1024 * 1024)
#define PATH_MAX_BYTES 65536 /* a selector and a continue token, escaped */

struct kube_client {
    struct fetcher *fetcher;
    const char *dir; /* borrowed */
    struct buf url;  /* of the server, without a path */
    struct buf namespace;
    struct buf ca;       /* ca.crt as `trust` was made of it */
    struct trust *trust; /* NULL until the CA has been read */
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

/* --- files --- */

static int read_file(const char *dir, const char *name, struct buf *out, struct err *err)
{
    struct buf path;
    int rc = -1;

    buf_init(&path, 4096);
    buf_addf(&path, "%s/%s", dir, name);
    buf_clear(out);
    if (path.failed)
        err_set(err, "serviceaccount_dir: too long a path");
    else if (fd_read_file(buf_str(&path), out, err) != 0)
        err_context(err, "credentials of the ServiceAccount");
    else if (out->len == 0)
        err_set(err, "credentials of the ServiceAccount: %s is empty", buf_str(&path));
    else
        rc = 0;
    buf_release(&path);
    return rc;
}

/* A word of visible ASCII, perhaps with a newline behind, which is cut off. */
static int read_word(const char *dir, const char *name, struct buf *out, struct err *err)
{
    if (read_file(dir, name, out, err) != 0)
        return -1;
    while (out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
        out->len--;
    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] <= ' ' || out->data[i] > '~')
            return err_set(err, "%s/%s: should be one word without blanks", dir, name);
    return out->len > 0 ? 0 : err_set(err, "%s/%s: is empty", dir, name);
}

/* --- trust --- */

static bool same_bytes(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Makes the trust anew if ca.crt has changed. A CA that can't be read leaves the old one, and no request is
 * made. */
static int load_trust(struct kube_client *client, struct err *err)
{
    struct trust_settings settings = {.verify = true};
    struct trust *trust;
    struct buf ca, path;
    int rc = -1;

    buf_init(&ca, CA_MAX_BYTES);
    buf_init(&path, 4096);
    buf_addf(&path, "%s/ca.crt", client->dir);
    if (read_file(client->dir, "ca.crt", &ca, err) != 0)
        goto out;
    if (client->trust && same_bytes(&client->ca, &ca)) {
        rc = 0;
        goto out;
    }
    settings.ca_file = buf_str(&path);
    trust = trust_new(&settings, err);
    if (!trust)
        goto out;
    fetcher_forget_connections(client->fetcher);
    trust_free(client->trust); /* requests under way share it */
    client->trust = trust;
    buf_release(&client->ca);
    client->ca = ca;
    buf_init(&ca, 0);
    rc = 0;
out:
    buf_release(&ca);
    buf_release(&path);
    return rc;
}

/* --- where the server is --- */

static int write_url(struct buf *url, const char *host, const char *port, struct err *err)
{
    struct addr addr;
    char *end;
    long number;

    if (!host || !host[0] || !port || !port[0])
        return err_set(
            err, "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, as they are in every pod "
                 "of a cluster; outside of one, say pods: static");
    number = strtol(port, &end, 10);
    if (*end || number < 1 || number > 65535)
        return err_set(err, "KUBERNETES_SERVICE_PORT: \"%.20s\" should be 1 to 65535", port);
    if (addr_parse(&addr, host, strlen(host)) == 0) {
        bool brackets = strchr(host, ':') != NULL;

        buf_addf(url, "https://%s%s%s:%ld", brackets ? "[" : "", host, brackets ? "]" : "", number);
        return 0;
    }
    if (strlen(host) > 253 ||
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != strlen(host))
        return err_set(err, "KUBERNETES_SERVICE_HOST: \"%.60s\" should be an IP address or a name", host);
    buf_addf(url, "https://%s:%ld", host, number);
    return 0;
}

/* --- life --- */

static int try_credentials(struct kube_client *client, struct err *err)
{
    struct buf token;
    int rc;

    buf_init(&token, TOKEN_MAX_BYTES);
    rc = read_word(client->dir, "token", &token, err);
    buf_wipe(&token);
    return rc == 0 ? load_trust(client, err) : -1;
}

static int find_namespace(struct kube_client *client, const struct conf *conf, struct err *err)
{
    if (!conf->namespace)
        return read_word(client->dir, "namespace", &client->namespace, err);
    buf_add_str(&client->namespace, conf->namespace);
    return 0;
}

static int make_parts(struct kube_client *client, struct loop *loop, const struct conf *conf,
                      const char *user_agent, struct err *err)
{
    if (find_namespace(client, conf, err) != 0)
        return -1;
    if (write_url(&client->url, getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT"), err) !=
        0)
        return -1;
    buf_str(&client->url);
    buf_str(&client->namespace);
    if (client->url.failed || client->namespace.failed)
        return err_set(err, "out of memory");
    client->fetcher = fetcher_new(loop, user_agent, err);
    return client->fetcher ? try_credentials(client, err) : -1;
}

struct kube_client *kube_client_new(struct loop *loop, const struct conf *conf, const char *user_agent,
                                    struct err *err)
{
    struct kube_client *client = calloc(1, sizeof(*client));

    if (!client) {
        err_set(err, "out of memory");
        return NULL;
    }
    client->dir = conf->serviceaccount_dir;
    buf_init(&client->url, 512);
    buf_init(&client->namespace, 4096);
    buf_init(&client->ca, CA_MAX_BYTES);
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
    trust_free(client->trust);
    buf_release(&client->ca);
    buf_release(&client->url);
    buf_release(&client->namespace);
    free(client);
}

const char *kube_client_url(const struct kube_client *client)
{
    return client->url.data;
}

const char *kube_client_namespace(const struct kube_client *client)
{
    return client->namespace.data;
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

static void on_done(void *arg, const struct fetch_result *result)
{
    struct kube_request *request = arg;
    struct fetch_result local = {.end = FETCH_LOCAL, .retry_after_ms = -1};
    struct err err = {""};

    if (!request->unauthorized || result->end != FETCH_COMPLETE) {
        end(request, result);
        return;
    }
    request->retried = true;
    request->unauthorized = false;
    if (send(request, &err) == 0)
        return;
    memcpy(local.reason, err.text, sizeof(local.reason) - 1);
    end(request, &local);
}

static int send(struct kube_request *request, struct err *err)
{
    static const struct fetch_events events = {on_head, on_data, on_done};
    struct kube_client *client = request->client;
    struct fetch_request fetch = {
        .url = buf_str(&request->url),
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .timeout_ms = request->get.timeout_ms,
        .idle_timeout_ms = request->get.idle_timeout_ms,
    };
    struct buf token;
    int rc = -1;

    if (load_trust(client, err) != 0)
        return -1;
    /* All its room at once: growing would leave a copy behind in the heap. */
    buf_init(&token, TOKEN_MAX_BYTES);
    if (!buf_reserve(&token, TOKEN_MAX_BYTES)) {
        err_set(err, "out of memory");
    } else if (read_word(client->dir, "token", &token, err) == 0) {
        fetch.bearer = buf_str(&token);
        fetch.trust = client->trust;
        rc = fetch_start(client->fetcher, &fetch, &events, request, &request->fetch, err);
    }
    buf_wipe(&token);
    return rc;
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
