/* SPDX-License-Identifier: MIT */
/*
 * One question put to the name servers in turn: by UDP, on a fresh connected socket each try, so that the
 * kernel takes datagrams of the server asked only; by TCP where an answer was cut. In the loop, never
 * blocking.
 */
#ifndef SYNCER_SRC_PODS_DNS_ASK_H
#define SYNCER_SRC_PODS_DNS_ASK_H

#include <stdbool.h>

#include <syncer/base/loop.h>

#include "dns_resolv.h"

struct dns_ask {
    /* the owner's */
    void (*on_done)(struct dns_ask *ask); /* once a question, from the loop; may ask the next */

    /* the result, in on_done */
    bool failed;              /* nobody could say: reason */
    struct dns_answer answer; /* else: found, no data or no name */
    struct err reason;
    size_t server; /* that has answered; at start: to be asked first */

    /* dns_ask.c's */
    const struct dns_resolv *resolv;
    struct dns_question question;
    struct loop *loop;
    struct loop_io io;
    int fd;                  /* -1 = between two tries */
    struct loop_timer timer; /* of the present try; or the next one begins */
    int64_t give_up_ns;
    int tries;
    bool by_tcp, connected;
    size_t n_query, sent; /* by TCP, two bytes of length are in front */
    size_t got;           /* by TCP, the same */
    uint8_t query[2 + DNS_QUERY_MAX];
    uint8_t message[2 + DNS_MESSAGE_MAX];
};

void dns_ask_init(struct dns_ask *ask, struct loop *loop, void (*on_done)(struct dns_ask *ask));

/* `resolv` is borrowed until on_done. `name` is absolute. Ends in on_done, never from within. */
void dns_ask_start(struct dns_ask *ask, const struct dns_resolv *resolv, const char *name, enum dns_family family);

/* Without on_done. Idempotent; also releases. */
void dns_ask_cancel(struct dns_ask *ask);

#endif
