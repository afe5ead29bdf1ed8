/* SPDX-License-Identifier: MIT */
/*
 * The life of a question: try after try until one server has said something of the name, all have been asked
 * as often as resolv.conf wants, or time is up. Only "found", "no data" and "no name" are answers; what else
 * a server says, or that it says nothing, is remembered as the reason and leads to the next one.
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/fd.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/base/random.h>

#include "dns_ask.h"

#define TRY_MAX_MS 5000
#define ALL_TRIES_NS (15 * NS_PER_S)
#define DATAGRAMS_PER_EVENT 16

static const struct dns_server *server_of(const struct dns_ask *ask)
{
    return &ask->resolv->servers[ask->server];
}

/* ---- the ends ---- */

static void close_try(struct dns_ask *ask)
{
    loop_io_delete(&ask->io);
    fd_close(&ask->fd);
}

static void finish(struct dns_ask *ask, bool failed)
{
    close_try(ask);
    loop_timer_cancel(&ask->timer);
    ask->failed = failed;
    ask->on_done(ask);
}

static const char *family_name(const struct dns_ask *ask)
{
    return ask->question.family == DNS_IPV4 ? "A" : "AAAA";
}

/* This try has come to nothing: the next one, in a turn of its own. */
PRINTF_LIKE(2, 3) static void give_up_try(struct dns_ask *ask, const char *fmt, ...)
{
    char what[200], server[DNS_SERVER_TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    err_set(&ask->reason, "%s of %s: %s %s", family_name(ask), ask->question.name,
            dns_server_format(server_of(ask), server), what);
    close_try(ask);
    ask->server = (ask->server + 1) % ask->resolv->n_servers;
    ask->tries++;
    loop_timer_set(&ask->timer, loop_now_ns(ask->loop));
}

static void set_limit(struct dns_ask *ask)
{
    int64_t ms = ask->resolv->timeout_ms < TRY_MAX_MS ? ask->resolv->timeout_ms : TRY_MAX_MS;

    loop_timer_set(&ask->timer, clock_now_ns() + ms * NS_PER_MS);
}

static void begin_tcp(struct dns_ask *ask);

/* What the server has sent is read: whether that was it. */
static bool take(struct dns_ask *ask, const uint8_t *message, size_t len)
{
    dns_answer_read(&ask->answer, &ask->question, message, len);
    switch (ask->answer.outcome) {
    case DNS_FOUND:
    case DNS_NO_DATA:
    case DNS_NO_NAME:
        finish(ask, false);
        return true;
    case DNS_FOREIGN:
        return false;
    case DNS_TRUNCATED:
        if (ask->by_tcp)
            give_up_try(ask, "cut an answer although asked by TCP");
        else
            begin_tcp(ask);
        return true;
    case DNS_REFUSED:
        give_up_try(ask, "answers %s", dns_rcode_name(ask->answer.rcode));
        return true;
    case DNS_MALFORMED:
        give_up_try(ask, "gives no valid answer: %s", ask->answer.error);
        return true;
    }
    return false;
}

/* ---- UDP ---- */

static void on_datagram(struct loop_io *io, uint32_t events)
{
    struct dns_ask *ask = container_of(io, struct dns_ask, io);

    (void)events;
    for (int i = 0; i < DATAGRAMS_PER_EVENT; i++) {
        ssize_t got = recv(ask->fd, ask->message, sizeof(ask->message), 0);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got < 0) {
            give_up_try(ask, "cannot be asked: %s", strerror(errno));
            return;
        }
        if (take(ask, ask->message, (size_t)got))
            return;
    }
}

/* ---- TCP (RFC 7766): messages have their length in front ---- */

static void read_tcp(struct dns_ask *ask)
{
    for (;;) {
        size_t want = ask->got < 2 ? 2 : 2 + (size_t)(ask->message[0] << 8 | ask->message[1]);
        ssize_t got;

        if (ask->got >= 2 && ask->got == want) {
            if (!take(ask, ask->message + 2, want - 2))
                give_up_try(ask, "answers another question");
            return;
        }
        got = recv(ask->fd, ask->message + ask->got, want - ask->got, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            give_up_try(ask, "broke off an answer by TCP: %s", got < 0 ? strerror(errno) : "it closed the connection");
            return;
        }
        ask->got += (size_t)got;
    }
}

static void write_tcp(struct dns_ask *ask)
{
    ssize_t done = send(ask->fd, ask->query + ask->sent, ask->n_query - ask->sent, MSG_NOSIGNAL);

    if (done < 0 && errno != EAGAIN && errno != EINTR) {
        give_up_try(ask, "cannot be asked by TCP: %s", strerror(errno));
        return;
    }
    ask->sent += done > 0 ? (size_t)done : 0;
    if (ask->sent == ask->n_query)
        loop_io_modify(&ask->io, EPOLLIN);
}

static void on_stream(struct loop_io *io, uint32_t events)
{
    struct dns_ask *ask = container_of(io, struct dns_ask, io);
    int error = 0;
    socklen_t len = sizeof(error);

    (void)events;
    if (!ask->connected && (getsockopt(ask->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0)) {
        give_up_try(ask, "cannot be asked by TCP: %s", strerror(error ? error : errno));
        return;
    }
    ask->connected = true;
    if (ask->sent < ask->n_query)
        write_tcp(ask);
    else
        read_tcp(ask);
}

/* ---- a try ---- */

/* A socket that is connected, or will be. 0 or -1 with errno. */
static int open_socket(struct dns_ask *ask, int type, uint32_t events,
                       void (*on_event)(struct loop_io *io, uint32_t events))
{
    const struct dns_server *server = server_of(ask);

    ask->fd = socket(server->addr.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (ask->fd < 0 || (connect(ask->fd, &server->addr.any, server->len) != 0 && errno != EINPROGRESS))
        return -1;
    return loop_io_add(ask->loop, &ask->io, ask->fd, events, on_event);
}

/* A query with an id of its own; false if the name can't be asked for, by whomever. */
static bool write_query(struct dns_ask *ask)
{
    int len;

    random_bytes(&ask->question.id, sizeof(ask->question.id));
    len = dns_query_write(&ask->question, ask->query + 2);
    if (len < 0)
        return false;
    ask->query[0] = (uint8_t)(len >> 8);
    ask->query[1] = (uint8_t)len;
    ask->n_query = 2 + (size_t)len;
    return true;
}

static void begin_tcp(struct dns_ask *ask)
{
    close_try(ask);
    ask->by_tcp = true;
    ask->connected = false;
    ask->sent = ask->got = 0;
    set_limit(ask);
    if (open_socket(ask, SOCK_STREAM, EPOLLIN | EPOLLOUT, on_stream) < 0)
        give_up_try(ask, "cannot be asked by TCP: %s", strerror(errno));
}

static void begin_udp(struct dns_ask *ask)
{
    size_t len = ask->n_query - 2;

    ask->by_tcp = false;
    set_limit(ask);
    if (open_socket(ask, SOCK_DGRAM, EPOLLIN, on_datagram) < 0 || send(ask->fd, ask->query + 2, len, 0) < 0)
        give_up_try(ask, "cannot be asked: %s", strerror(errno));
}

static void on_due(struct loop_timer *timer)
{
    struct dns_ask *ask = container_of(timer, struct dns_ask, timer);

    if (ask->fd >= 0) {
        give_up_try(ask, "has not answered%s in %d ms", ask->by_tcp ? " by TCP" : "",
                    ask->resolv->timeout_ms < TRY_MAX_MS ? ask->resolv->timeout_ms : TRY_MAX_MS);
        return;
    }
    if (!write_query(ask)) {
        err_set(&ask->reason, "%s: is no name that can be asked for", ask->question.name);
        finish(ask, true);
    } else if (ask->tries >= ask->resolv->attempts * (int)ask->resolv->n_servers ||
               (ask->tries > 0 && clock_now_ns() >= ask->give_up_ns)) {
        finish(ask, true);
    } else {
        begin_udp(ask);
    }
}

/* ---- life ---- */

void dns_ask_init(struct dns_ask *ask, struct loop *loop, void (*on_done)(struct dns_ask *ask))
{
    ask->loop = loop;
    ask->on_done = on_done;
    ask->io.fd = ask->fd = -1;
    ask->io.loop = NULL;
    ask->server = 0;
    loop_timer_init(&ask->timer, loop, LOOP_EARLY, on_due);
}

void dns_ask_start(struct dns_ask *ask, const struct dns_resolv *resolv, const char *name, enum dns_family family)
{
    must(ask->fd < 0);
    ask->resolv = resolv;
    ask->question.family = family;
    snprintf(ask->question.name, sizeof(ask->question.name), "%s", name);
    ask->server %= resolv->n_servers;
    ask->tries = 0;
    ask->give_up_ns = clock_now_ns() + ALL_TRIES_NS;
    err_clear(&ask->reason);
    loop_timer_set(&ask->timer, loop_now_ns(ask->loop));
}

void dns_ask_cancel(struct dns_ask *ask)
{
    close_try(ask);
    loop_timer_cancel(&ask->timer);
}
