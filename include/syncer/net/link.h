/* SPDX-License-Identifier: MIT */
/*
 * One kept, verified connection to a pod: libcurl's multi interface connects and verifies (CURLOPT_CONNECT_ONLY), then
 * bytes go by curl_easy_send() and curl_easy_recv() (https://curl.se/libcurl/c/curl_easy_recv.html). Knows no HTTP. TLS
 * sessions are resumed when the same link is opened again. Worker only.
 *
 *      CLOSED -> link_open() -> OPENING -> on_open -> OPEN -> link_close() -> CLOSED
 *
 * An OPEN link's descriptor is registered once, edge-triggered: after on_event the owner reads until LINK_AGAIN.
 */
#ifndef SYNCER_NET_LINK_H
#define SYNCER_NET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <syncer/base/addr.h>
#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/net/trust.h>

#define LINK_AGAIN (-1) /* nothing now; an event will tell */
#define LINK_ENDED (-2) /* the connection is broken, or cannot be used any more */

/* Some 16 to 32 links a multi handle: it makes as many as are needed and begins few cold connects at a time. */
struct link_hub;
struct link;

struct link_hub_settings {
    bool tls;                   /* false: plain TCP */
    struct trust *trust;        /* borrowed; must outlive the hub */
    const char *server_name;    /* what the certificate must name, and SNI; copied */
    uint32_t max_opening;       /* links that begin to connect at the same time, for 25 ms; the others wait in order */
    int64_t connect_timeout_ms; /* of one connection with its handshake, from the moment when its turn has come */
};

enum link_failure {
    LINK_OK,
    LINK_NO_CONNECTION, /* refused, unreachable, reset while connecting */
    LINK_TLS_FAILED,    /* the handshake, or the certificate */
    LINK_NO_RESOURCES,  /* no descriptor or memory here: not the pod's fault */
};

struct link_events {
    /* LINK_OK, or why not (`reason` for a person: for a wrong certificate both the name that was expected and those
     * that came); on failure the link is CLOSED. May open it again. Never called from within link_open(). */
    void (*on_open)(struct link *link, enum link_failure failure, const char *reason);
    /* Bytes, room to send, or the end may have come. */
    void (*on_event)(struct link *link);
};

/* NULL with the reason. */
struct link_hub *link_hub_new(struct loop *loop, const struct link_hub_settings *settings, struct err *err);
/* All links must have been freed. NULL is fine. */
void link_hub_free(struct link_hub *hub);

/* A CLOSED link, with `owner` to be found again by. NULL if memory is out. */
struct link *link_new(struct link_hub *hub, const struct addr *addr, uint16_t port, const struct link_events *events,
                      void *owner);
/* Closes and frees. NULL is fine. Allowed from within its own callbacks. */
void link_free(struct link *link);

void *link_owner(const struct link *link);
void link_set_owner(struct link *link, void *owner);

/* When the certificate expires that the pod showed last, in seconds since the epoch, whether it was taken or not; 0 = not
 * known. A resumed session shows none, so it may be one that has been replaced since. */
int64_t link_certificate_expiry(const struct link *link);

/* Begins to connect, or to wait for its turn; on_open tells. */
void link_open(struct link *link);

/* Gives the connection up whatever its state; no callback. Idempotent. The link may be opened again. */
void link_close(struct link *link);

/* Sends from `data`: bytes taken, LINK_AGAIN (repeat later with the very same address and length) or LINK_ENDED. A good
 * send proves nothing about the other side. */
ssize_t link_send(struct link *link, const void *data, size_t len);

/* Bytes read, 0 = the pod has ended it (FIN, close_notify), LINK_AGAIN or LINK_ENDED. */
ssize_t link_recv(struct link *link, void *buf, size_t room);

/* Nothing at all has come that was not read: link_recv() would say LINK_AGAIN, at a higher price. False says nothing. */
bool link_is_silent(const struct link *link);

/* Bytes have been taken from the socket that link_recv() has not given yet, of which no event will tell. They need be no
 * bytes for us. After LINK_AGAIN: the beginning of a record whose rest is still to come. */
bool link_has_read_ahead(const struct link *link);

#endif
