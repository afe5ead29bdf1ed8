/* SPDX-License-Identifier: MIT */
/* What a transfer asks of libcurl: the options of its handle, all of them, and nothing of its course. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/ssl.h>

#include <syncer/base/addr.h>

#include "fetch_easy.h"

#define CONNECT_TIMEOUT_MS 5000
#define BEARER_MAX 16384

static int add_field(struct fetch_easy *self, const char *field)
{
    struct curl_slist *fields = curl_slist_append(self->fields, field);

    if (!fields)
        return -1;
    self->fields = fields;
    return 0;
}

static int set_fields(struct fetch_easy *self, const struct fetch_request *request, struct err *err)
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
    rc = add_field(self, field);
    if (rc == 0 && request->bearer) {
        snprintf(field, room, "Authorization: Bearer %s", request->bearer);
        rc = add_field(self, field);
    }
    explicit_bzero(field, room);
    free(field);
    for (const char *const *more = request->fields; rc == 0 && more && *more; more++)
        rc = add_field(self, *more);
    return rc == 0 ? 0 : err_set(err, "out of memory");
}

static int set_options(struct fetch_easy *self, const struct fetch_request *request, const char *user_agent,
                       struct err *err)
{
    CURL *easy = self->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_PROTOCOLS_STR, request->trust ? "http,https" : "http");
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_HTTPHEADER, self->fields);
    SET(CURLOPT_USERAGENT, user_agent);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver's thread that is stuck is left behind, not waited for */
#endif
    SET(CURLOPT_MAXAGE_CONN, 55L);
    SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)(request->connect_timeout_ms ? request->connect_timeout_ms : CONNECT_TIMEOUT_MS));
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_ERRORBUFFER, self->error);
    self->by_unix = request->unix_socket != NULL;
    if (self->by_unix)
        SET(CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
#undef SET
    if (code != CURLE_OK)
        return err_set(err, "%.200s: %s", request->url, curl_easy_strerror(code));
    if (!request->trust)
        return 0;
    self->shared = trust_share(request->trust);
    return trust_apply(&self->trust, self->shared, easy, err);
}

/* "::HOST:PORT" of the request's URL, for CURLOPT_CONNECT_TO, and the URL with `name` in place of its host. */
static CURLUcode rename_host(struct fetch_easy *self, CURLU *url, const char *name)
{
    char *host = NULL, *port = NULL, *renamed = NULL, text[1024], bracketed[ADDR_TEXT_BYTES + 2];
    CURLUcode code = curl_url_get(url, CURLUPART_HOST, &host, 0);

    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    snprintf(bracketed, sizeof(bracketed), "[%.*s]", ADDR_TEXT_BYTES - 1, name);
    if (code == CURLUE_OK)
        code = curl_url_set(url, CURLUPART_HOST, strchr(name, ':') ? bracketed : name, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_URL, &renamed, 0);
    if (code == CURLUE_OK) {
        snprintf(text, sizeof(text), "::%s:%s", host, port);
        self->connect_to = curl_slist_append(NULL, text);
        if (!self->connect_to || curl_easy_setopt(self->easy, CURLOPT_URL, renamed) != CURLE_OK ||
            curl_easy_setopt(self->easy, CURLOPT_CONNECT_TO, self->connect_to) != CURLE_OK)
            code = CURLUE_OUT_OF_MEMORY;
    }
    curl_free(host);
    curl_free(port);
    curl_free(renamed);
    return code;
}

/* The name that the certificate must have is the URL's host for libcurl: where another is wanted, the URL
 * gets that one and the connection is led to the address. */
static int set_server_name(struct fetch_easy *self, const struct fetch_request *request, struct err *err)
{
    CURLU *url;
    CURLUcode code;

    if (!request->server_name)
        return 0;
    url = curl_url();
    code = url ? curl_url_set(url, CURLUPART_URL, request->url, 0) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = rename_host(self, url, request->server_name);
    curl_url_cleanup(url);
    return code == CURLUE_OK ? 0 : err_set(err, "%.200s: %s", request->url, curl_url_strerror(code));
}

int fetch_easy_init(struct fetch_easy *self, const struct fetch_request *request, const char *user_agent,
                    struct err *err)
{
    int rc = -1;

    *self = (struct fetch_easy){.easy = NULL};
    if (!request->trust && strncasecmp(request->url, "https:", 6) == 0)
        return err_set(err, "%.200s: https without certificates to trust", request->url);
    self->easy = curl_easy_init();
    if (!self->easy)
        err_set(err, "out of memory");
    else if (set_fields(self, request, err) == 0 && set_options(self, request, user_agent, err) == 0)
        rc = set_server_name(self, request, err);
    if (rc < 0)
        fetch_easy_release(self);
    return rc;
}

void fetch_easy_release(struct fetch_easy *self)
{
    if (self->easy)
        curl_easy_cleanup(self->easy);
    for (struct curl_slist *field = self->fields; field; field = field->next)
        explicit_bzero(field->data, strlen(field->data)); /* one holds the token */
    curl_slist_free_all(self->fields);
    curl_slist_free_all(self->connect_to);
    trust_free(self->shared);
    *self = (struct fetch_easy){.easy = NULL};
}

void fetch_easy_forbid_surplus(struct fetch_easy *self)
{
    const struct curl_tlssessioninfo *tls = NULL;
    long surplus = 0;

    if (curl_easy_getinfo(self->easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls && tls->internals)
        surplus = SSL_pending(tls->internals) > 0;
    curl_easy_setopt(self->easy, CURLOPT_FORBID_REUSE, surplus);
}
