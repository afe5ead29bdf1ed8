/* SPDX-License-Identifier: MIT */
/*
 * Connections that libcurl opens and verifies and that we then use ourselves (CURLOPT_CONNECT_ONLY). What was found out
 * about that in libcurl 7.88 and holds here: the handle stays in its multi for the connection's life; right after the
 * connect one curl_easy_recv() takes the session tickets of TLS 1.3 and marks the connection as in use, without which
 * libcurl would close it at MAXAGE_CONN; ages are ours; the descriptor is registered once, edge-triggered.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/net/curl_loop.h>
#include <syncer/net/link.h>

#include "trust_curl.h"

#define GROUP_LINKS 24 /* a multi handle: a call of libcurl takes longer the more it has */
#define NEVER_S (1L << 30)

enum link_state { LINK_CLOSED, LINK_QUEUED, LINK_CONNECTING, LINK_OPEN };

struct link_group {
    struct curl_loop *cl;
    uint32_t n;
};

struct link_hub {
    struct loop *loop;
    struct link_hub_settings settings;
    char *server_name;
    struct link_group *groups;
    size_t n_groups;
    uint32_t n_links, n_connecting;
    struct link *queue_first, *queue_last; /* LINK_QUEUED */
    struct loop_task pump;
};

struct link {
    struct link_hub *hub;
    struct curl_transfer transfer;
    enum link_state state;
    struct link *next, *prev; /* of the queue */
    size_t group;             /* while CONNECTING and OPEN */
    struct loop_io io;
    const struct link_events *events;
    void *owner;
    CURL *easy;
    struct curl_slist *connect_to;
    struct trust_use trust;
    char error[CURL_ERROR_SIZE];
};

/* ---- the queue ---- */

static void enqueue(struct link *link)
{
    struct link_hub *hub = link->hub;

    link->next = NULL;
    link->prev = hub->queue_last;
    if (link->prev)
        link->prev->next = link;
    else
        hub->queue_first = link;
    hub->queue_last = link;
    link->state = LINK_QUEUED;
    loop_task_post(hub->loop, &hub->pump);
}

static void dequeue(struct link *link)
{
    struct link_hub *hub = link->hub;

    if (link->prev)
        link->prev->next = link->next;
    else
        hub->queue_first = link->next;
    if (link->next)
        link->next->prev = link->prev;
    else
        hub->queue_last = link->prev;
    link->next = link->prev = NULL;
    link->state = LINK_CLOSED;
}

/* ---- groups ---- */

/* The number of a group with room, made if need be; -1 if memory is out. */
static ssize_t find_group(struct link_hub *hub, struct err *err)
{
    struct link_group *groups;

    for (size_t i = 0; i < hub->n_groups; i++)
        if (hub->groups[i].n < GROUP_LINKS)
            return (ssize_t)i;
    groups = realloc(hub->groups, (hub->n_groups + 1) * sizeof(*groups));
    if (!groups)
        return err_set(err, "out of memory");
    hub->groups = groups;
    groups[hub->n_groups].n = 0;
    groups[hub->n_groups].cl = curl_loop_new(hub->loop, 4L * GROUP_LINKS, err);
    return groups[hub->n_groups].cl ? (ssize_t)hub->n_groups++ : -1;
}

static int join_group(struct link *link, struct err *err)
{
    struct link_hub *hub = link->hub;
    ssize_t group = find_group(hub, err);

    if (group < 0 || curl_loop_add(hub->groups[group].cl, link->easy, &link->transfer, err) < 0)
        return -1;
    link->group = (size_t)group;
    hub->groups[group].n++;
    return 0;
}

static void leave_group(struct link *link)
{
    struct link_group *group = &link->hub->groups[link->group];

    loop_io_delete(&link->io);
    curl_loop_remove(group->cl, link->easy); /* closes a CONNECT_ONLY connection */
    group->n--;
}

/* ---- opening ---- */

static void on_io(struct loop_io *io, uint32_t events)
{
    struct link *link = container_of(io, struct link, io);

    (void)events;
    link->events->on_event(link);
}

/* The connection stands: takes what belongs to the handshake and hands the descriptor to the loop. */
static int take_over(struct link *link)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    char byte;
    size_t got = 0;

    if (curl_easy_getinfo(link->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD) {
        snprintf(link->error, sizeof(link->error), "the connection ended at once");
        return -1;
    }
    if (curl_easy_recv(link->easy, &byte, 1, &got) != CURLE_AGAIN) {
        snprintf(link->error, sizeof(link->error), "the pod %s before it was asked anything",
                 got > 0 ? "sent bytes" : "ended the connection");
        return -1;
    }
    if (loop_io_add(link->hub->loop, &link->io, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_io) < 0) {
        snprintf(link->error, sizeof(link->error), "epoll: %s", strerror(errno));
        return -1;
    }
    return 0;
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
    long os_errno = 0;

    curl_easy_getinfo(link->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == EMFILE || os_errno == ENFILE || os_errno == ENOMEM || os_errno == ENOBUFS)
        return LINK_NO_RESOURCES;
    return is_tls(code) ? LINK_TLS_FAILED : LINK_NO_CONNECTION;
}

static void explain(const struct link *link, CURLcode code, char *out, size_t room)
{
    const char *reason = link->error[0] ? link->error : curl_easy_strerror(code);
    long os_errno = 0;

    curl_easy_getinfo(link->easy, CURLINFO_OS_ERRNO, &os_errno);

    if (code == CURLE_PEER_FAILED_VERIFICATION && link->trust.names[0])
        snprintf(out, room, "certificate for %.160s, should be for %.160s: %.80s", link->trust.names, link->hub->server_name,
                 reason);
    else if (code == CURLE_COULDNT_CONNECT && os_errno != 0)
        snprintf(out, room, "%.*s: %s", (int)room - 100, reason, strerror((int)os_errno));
    else
        snprintf(out, room, "%.*s", (int)room - 1, reason);
}

static void on_connected(struct curl_transfer *transfer, CURLcode code)
{
    struct link *link = container_of(transfer, struct link, transfer);
    struct link_hub *hub = link->hub;
    enum link_failure failure = LINK_OK;
    char reason[ERR_TEXT_BYTES] = "";

    must(link->state == LINK_CONNECTING);
    hub->n_connecting--;
    loop_task_post(hub->loop, &hub->pump);
    if (code != CURLE_OK)
        failure = failure_of(link, code);
    else if (take_over(link) < 0)
        failure = LINK_NO_CONNECTION;
    link->state = LINK_OPEN;
    if (failure != LINK_OK) {
        explain(link, code, reason, sizeof(reason));
        leave_group(link);
        link->state = LINK_CLOSED;
    }
    link->events->on_open(link, failure, reason);
}

static void begin(struct link *link)
{
    struct link_hub *hub = link->hub;
    struct err err;

    link->error[0] = link->trust.names[0] = '\0';
    if (join_group(link, &err) < 0) {
        link->events->on_open(link, LINK_NO_RESOURCES, err.text);
        return;
    }
    link->state = LINK_CONNECTING;
    hub->n_connecting++;
}

static void on_pump(struct loop_task *task)
{
    struct link_hub *hub = container_of(task, struct link_hub, pump);

    while (hub->queue_first && hub->n_connecting < hub->settings.max_opening) {
        struct link *link = hub->queue_first;

        dequeue(link);
        begin(link);
    }
}

/* ---- the hub ---- */

struct link_hub *link_hub_new(struct loop *loop, const struct link_hub_settings *settings, struct err *err)
{
    struct link_hub *hub = calloc(1, sizeof(*hub));

    if (hub)
        hub->server_name = strdup(settings->server_name);
    if (!hub || !hub->server_name) {
        free(hub);
        err_set(err, "connections: out of memory");
        return NULL;
    }
    hub->loop = loop;
    hub->settings = *settings;
    hub->settings.server_name = hub->server_name;
    hub->pump.run = on_pump;
    return hub;
}

void link_hub_free(struct link_hub *hub)
{
    if (!hub)
        return;
    must(hub->n_links == 0);
    loop_task_cancel(hub->loop, &hub->pump);
    for (size_t i = 0; i < hub->n_groups; i++)
        curl_loop_free(hub->groups[i].cl);
    free(hub->groups);
    free(hub->server_name);
    free(hub);
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

void link_open(struct link *link)
{
    must(link->state == LINK_CLOSED);
    enqueue(link);
}

bool link_is_open(const struct link *link)
{
    return link->state == LINK_OPEN;
}

void link_close(struct link *link)
{
    struct link_hub *hub = link->hub;

    if (link->state == LINK_QUEUED) {
        dequeue(link);
    } else if (link->state != LINK_CLOSED) {
        if (link->state == LINK_CONNECTING) {
            hub->n_connecting--;
            loop_task_post(hub->loop, &hub->pump);
        }
        leave_group(link);
    }
    link->state = LINK_CLOSED;
}

ssize_t link_send(struct link *link, const void *data, size_t len)
{
    size_t sent = 0;
    CURLcode code;

    must(link->state == LINK_OPEN);
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
    code = curl_easy_recv(link->easy, buf, room, &got);
    if (code == CURLE_OK)
        return (ssize_t)got;
    return code == CURLE_AGAIN ? LINK_AGAIN : LINK_ENDED;
}
