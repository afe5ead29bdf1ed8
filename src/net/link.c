/* SPDX-License-Identifier: MIT */
/*
 * Connections that libcurl opens and verifies and that we then use ourselves (CURLOPT_CONNECT_ONLY). What was
 * found out about that in libcurl 7.88 and holds here: the handle stays in its multi for the connection's
 * life; right after the connect one curl_easy_recv() takes the session tickets of TLS 1.3 and marks the
 * connection as in use, without which libcurl would close it at MAXAGE_CONN; ages are ours; the descriptor is
 * registered once, edge-triggered.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/net/memory.h>

#include "link_private.h"

#define NEVER_S (1L << 30)

/* ---- opening ---- */

static void on_io(struct loop_io *io, uint32_t events)
{
    struct link *link = container_of(io, struct link, io);

    (void)events;
    link->events->on_event(link);
}

static bool lacked_memory(const struct link *link)
{
    return memory_refused() != link->refused;
}

static bool is_empty(const struct link *link)
{
    char byte;

    return recv(link->socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR);
}

/* By libcurl. A record without bytes looks as if nothing had come, but what came behind it may have been read already: so
 * it is asked twice again before the socket is believed. */
static CURLcode receive(const struct link *link, void *buf, size_t room, size_t *got)
{
    CURLcode code = curl_easy_recv(link->easy, buf, room, got);

    for (int records = 1; code == CURLE_AGAIN && link->hub->settings.tls; records++) {
        if (records > 2 && is_empty(link))
            return CURLE_AGAIN;
        if (records == LINK_TLS_EMPTY_MAX)
            return CURLE_RECV_ERROR;
        code = curl_easy_recv(link->easy, buf, room, got);
    }
    return code;
}

/* The connection stands: takes what belongs to the handshake and hands the descriptor to the loop. */
static enum link_failure take_over(struct link *link)
{
    char byte;
    size_t got = 0;

    link->socket.fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(link->easy, CURLINFO_ACTIVESOCKET, &link->socket.fd) != CURLE_OK ||
        link->socket.fd == CURL_SOCKET_BAD) {
        snprintf(link->error, sizeof(link->error), "the connection ended at once");
        return LINK_NO_CONNECTION;
    }
    if (receive(link, &byte, 1, &got) != CURLE_AGAIN) {
        snprintf(link->error, sizeof(link->error), "the pod %s before it was asked anything",
                 got > 0 ? "sent bytes" : "ended the connection");
        return lacked_memory(link) ? LINK_NO_RESOURCES : LINK_NO_CONNECTION;
    }
    if (loop_io_add(link->hub->loop, &link->io, link->socket.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_io) <
        0) {
        snprintf(link->error, sizeof(link->error), "epoll: %s", strerror(errno));
        return LINK_NO_RESOURCES;
    }
    return LINK_OK;
}

static bool is_tls(CURLcode code)
{
    switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_OUT_OF_MEMORY: /* as libcurl calls some handshakes that the other side spoils */
        return true;
    default:
        return false;
    }
}

static enum link_failure failure_of(const struct link *link, CURLcode code)
{
    if (lacked_memory(link) || curl_loop_own_errno(link->easy, &link->transfer, code) != 0)
        return LINK_NO_RESOURCES;
    return is_tls(code) ? LINK_TLS_FAILED : LINK_NO_CONNECTION;
}

static void explain(const struct link *link, CURLcode code, char *out, size_t room)
{
    const char *reason = link->error[0] ? link->error : curl_easy_strerror(code);
    int own_errno = curl_loop_own_errno(link->easy, &link->transfer, code);
    long os_errno = 0;

    curl_easy_getinfo(link->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (lacked_memory(link))
        snprintf(out, room, "no memory for a connection");
    else if (code == CURLE_PEER_FAILED_VERIFICATION && link->trust.names[0])
        snprintf(out, room, "certificate for %.160s, should be for %.160s: %.80s", link->trust.names,
                 link->hub->server_name, reason);
    else if (own_errno != 0)
        snprintf(out, room, "no socket for a connection: %s", strerror(own_errno));
    else if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
        snprintf(out, room, "%.*s: %s", (int)room - 100, reason, strerror((int)os_errno));
    else
        snprintf(out, room, "%.*s", (int)room - 1, reason);
}

static void on_connected(struct curl_transfer *transfer, CURLcode code)
{
    struct link *link = container_of(transfer, struct link, transfer);
    enum link_failure failure;
    char reason[ERR_TEXT_BYTES] = "";

    must(link->state == LINK_CONNECTING);
    link_hub_connected(link);
    failure = code == CURLE_OK ? take_over(link) : failure_of(link, code);
    link->state = LINK_OPEN;
    if (failure != LINK_OK) {
        explain(link, code, reason, sizeof(reason));
        link_hub_leave(link);
        link->state = LINK_CLOSED;
    }
    link->events->on_open(link, failure, reason);
}

bool link_begin(struct link *link)
{
    struct err err;

    link->refused = memory_refused();
    link->ssl = NULL;
    link->error[0] = '\0'; /* the names stay: a resumed session shows no certificate again */
    if (link_hub_join(link, &err) < 0) {
        link->events->on_open(link, LINK_NO_RESOURCES, err.text);
        return false;
    }
    link->state = LINK_CONNECTING;
    return true;
}

/* ---- links ---- */

static int set_address(struct link *link, const struct addr *addr, uint16_t port)
{
    const struct link_hub *hub = link->hub;
    char ip[ADDR_TEXT_BYTES], text[512];
    CURLcode code;

    addr_format(addr, ip);
    snprintf(text, sizeof(text), addr->family == 6 ? "::[%s]:%u" : "::%s:%u", ip, (unsigned)port);
    link->connect_to = curl_slist_append(NULL, text);
    if (!link->connect_to)
        return -1;
    snprintf(text, sizeof(text), "%s://%s:%u/", hub->settings.tls ? "https" : "http", hub->server_name, (unsigned)port);
    code = curl_easy_setopt(link->easy, CURLOPT_URL, text);
    return code == CURLE_OK && curl_easy_setopt(link->easy, CURLOPT_CONNECT_TO, link->connect_to) == CURLE_OK ? 0 : -1;
}

static int set_options(struct link *link)
{
    const struct link_hub *hub = link->hub;
    CURL *easy = link->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_CONNECT_ONLY, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_MAXAGE_CONN, NEVER_S);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)hub->settings.connect_timeout_ms);
    SET(CURLOPT_ERRORBUFFER, link->error);
#undef SET
    if (code != CURLE_OK)
        return -1;
    link->trust.by_record = true;
    return hub->settings.tls ? trust_apply(&link->trust, hub->settings.trust, easy, NULL) : 0;
}

struct link *link_new(struct link_hub *hub, const struct addr *addr, uint16_t port, const struct link_events *events,
                      void *owner)
{
    struct link *link = calloc(1, sizeof(*link));

    if (!link)
        return NULL;
    link->hub = hub;
    hub->n_links++;
    link->events = events;
    link->owner = owner;
    link->transfer.on_done = on_connected;
    link->io.fd = -1;
    link->easy = curl_easy_init();
    if (!link->easy || set_address(link, addr, port) < 0 || set_options(link) < 0) {
        link_free(link);
        return NULL;
    }
    return link;
}

void link_free(struct link *link)
{
    if (!link)
        return;
    link_close(link);
    if (link->easy)
        curl_easy_cleanup(link->easy);
    curl_slist_free_all(link->connect_to);
    link->hub->n_links--;
    free(link);
}

void *link_owner(const struct link *link)
{
    return link->owner;
}

void link_set_owner(struct link *link, void *owner)
{
    link->owner = owner;
}

int64_t link_certificate_expiry(const struct link *link)
{
    return link->trust.expires_s;
}

void link_open(struct link *link)
{
    must(link->state == LINK_CLOSED);
    link_hub_enqueue(link);
}

void link_close(struct link *link)
{
    if (link->state == LINK_QUEUED) {
        link_hub_dequeue(link);
    } else if (link->state != LINK_CLOSED) {
        if (link->state == LINK_CONNECTING)
            link_hub_connected(link);
        link_hub_leave(link);
    }
    link->state = LINK_CLOSED;
}

/* From the first answer on. What comes before it may be session tickets, which libcurl must see to keep them. */
static void take_tls(struct link *link)
{
    if (link->hub->settings.tls)
        link->ssl = link_tls_take(link->easy, &link->socket);
}

ssize_t link_send(struct link *link, const void *data, size_t len)
{
    size_t sent = 0;
    CURLcode code;

    must(link->state == LINK_OPEN);
    if (link->ssl)
        return link_tls_send(link->ssl, data, len);
    code = curl_easy_send(link->easy, data, len, &sent);
    if (code == CURLE_OK)
        return (ssize_t)sent;
    return code == CURLE_AGAIN ? LINK_AGAIN : LINK_ENDED;
}

ssize_t link_recv(struct link *link, void *buf, size_t room)
{
    size_t got = 0;
    CURLcode code;

    must(link->state == LINK_OPEN);
    if (link->ssl)
        return link_tls_recv(link->ssl, buf, room);
    code = receive(link, buf, room, &got);
    if (code == CURLE_OK && got > 0)
        take_tls(link);
    if (code == CURLE_OK)
        return (ssize_t)got;
    return code == CURLE_AGAIN ? LINK_AGAIN : LINK_ENDED;
}

bool link_is_silent(const struct link *link)
{
    must(link->state == LINK_OPEN);
    if (link->ssl ? link_tls_has_read_ahead(link->ssl) : link->hub->settings.tls)
        return false;
    return is_empty(link);
}

bool link_has_read_ahead(const struct link *link)
{
    return link->ssl && link_tls_has_read_ahead(link->ssl);
}
