/* SPDX-License-Identifier: MIT */
/* What a link and its hub know of each other: link.c and link_hub.c only. */
#ifndef SYNCER_NET_LINK_PRIVATE_H
#define SYNCER_NET_LINK_PRIVATE_H

#include <curl/curl.h>

#include <syncer/net/curl_loop.h>
#include <syncer/net/link.h>

#include "link_tls.h"
#include "trust_curl.h"

enum link_state { LINK_CLOSED, LINK_QUEUED, LINK_CONNECTING, LINK_OPEN };

struct link_queue {
    struct link *first, *last;
};

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
    uint32_t n_links;
    struct link_queue queued;   /* LINK_QUEUED */
    struct link_queue starting; /* LINK_CONNECTING, with one of the max_opening places; in the order of their begin */
    uint32_t n_starting;
    struct loop_timer slow; /* the first of `starting` gives its place up */
    struct loop_task pump;
};

struct link {
    struct link_hub *hub;
    struct curl_transfer transfer;
    enum link_state state;
    struct link *next, *prev; /* of a queue of the hub */
    bool has_place;           /* it is in `starting` */
    int64_t began_ns;
    size_t group; /* while CONNECTING and OPEN */
    struct loop_io io;
    const struct link_events *events;
    void *owner;
    CURL *easy;
    SSL *ssl; /* once the connection has carried an answer; libcurl's */
    struct link_socket socket;
    struct curl_slist *connect_to;
    struct trust_use trust;
    uint64_t refused; /* memory_refused() when it began to connect */
    char error[CURL_ERROR_SIZE];
};

/* ---- the hub's ---- */

/* CLOSED -> QUEUED: link_begin() comes when its turn has. */
void link_hub_enqueue(struct link *link);
/* QUEUED -> CLOSED. */
void link_hub_dequeue(struct link *link);
/* Puts the handle into a multi handle and thus begins to connect. 0, or -1 with the reason. */
int link_hub_join(struct link *link, struct err *err);
/* Takes it out, which closes a CONNECT_ONLY connection. */
void link_hub_leave(struct link *link);
/* It no longer connects: if it had a place still, that is another one's. */
void link_hub_connected(struct link *link);

/* ---- the link's ---- */

/* Its turn has come; it is CLOSED. False if it failed, with on_open called. */
bool link_begin(struct link *link);

#endif
