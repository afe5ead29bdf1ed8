/* SPDX-License-Identifier: MIT */
/*
 * One probe: one question to one pod, and what came of it. It goes out on a connection of the pool that is free, or waits
 * in order for one. A kept connection that turns out to have ended before the first byte of an answer is no failure and no
 * attempt: the question is sent again on another one (RFC 9110 section 9.2.2). Worker only.
 */
#ifndef SYNCER_PROBE_PROBE_H
#define SYNCER_PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/loop.h>
#include <syncer/probe/pool.h>

/* The bytes of the question, shared by the probes of one token; wiped when the last is done with them. */
struct probe_text;

/* `fields`: further field lines, each with its CRLF ("" for none). NULL if memory is out. */
struct probe_text *probe_text_new(const struct pool *pool, const char *token, size_t token_len, const char *fields);
/* A question like any other, with a token that is made up (128 random bits). Its answer is counted as none of the pod's
 * results. NULL if memory is out. */
struct probe_text *probe_text_made_up(const struct pool *pool);
void probe_text_drop(struct probe_text *text);
/* Whether it asks for this token: compared whole. */
bool probe_text_asks_for(const struct probe_text *text, const char *token, size_t token_len);

enum probe_outcome {
    PROBE_NONE,       /* no result yet */
    PROBE_PRESENT,    /* 200 */
    PROBE_ABSENT,     /* 401 */
    PROBE_STATUS,     /* another status */
    PROBE_CONNECT,    /* no connection */
    PROBE_TLS,        /* the handshake, or the certificate */
    PROBE_TIMEOUT,    /* no whole answer within connection_timeout */
    PROBE_CUT,        /* being asked when the check's deadline came; no probe ends so */
    PROBE_BROKEN,     /* ended before a whole answer, or no HTTP */
    PROBE_DOWN,       /* not asked: the pod takes no connection */
    PROBE_OVERLOADED, /* not asked: all its connections wait for answers that nobody needs any more */
    PROBE_SHORT,      /* not asked: memory or descriptors are out here, which says nothing of the pod */
    /* Of a check that heeds control probes (guard.h), in place of PRESENT: */
    PROBE_UNPROTECTED, /* 200, as to the made-up token */
    PROBE_UNCONFIRMED, /* 200, but what the pod says to a made-up one is not known yet */
    PROBE_OUTCOMES
};
/* "present", "absent", "status", "connect", "tls", "timeout", "cut", "broken", "down", "overloaded", "short",
 * "unprotected", "unconfirmed"; "none". */
const char *probe_outcome_name(enum probe_outcome outcome);
/* How the pod's last connection failed: PROBE_CONNECT, PROBE_TLS or PROBE_SHORT; pool_pod_reason() says it in words. */
enum probe_outcome pool_pod_failure(const struct pool_pod *pod);

struct pool_link;

struct probe {
    /* the result, valid in on_done */
    enum probe_outcome outcome;
    uint16_t code;                        /* HTTP status, or 0 */
    void (*on_done)(struct probe *probe); /* once, from the loop, never from within probe_start() */

    /* its own */
    struct pool_pod *pod; /* NULL while it is not under way */
    struct probe_text *text;
    struct pool_link *link;    /* NULL: waits in the pod's queue */
    struct probe *next, *prev; /* of that queue */
    struct loop_timer limit;
    int64_t started_ns;
};

/* Before the first start. */
void probe_init(struct probe *probe, struct loop *loop, void (*on_done)(struct probe *probe));

/* Asks. The limit is connection_timeout; who has less time cancels it. The pod must not be gone or down. */
void probe_start(struct probe *probe, struct pool_pod *pod, struct probe_text *text);
/* Between start and on_done or cancel. */
bool probe_is_under_way(const struct probe *probe);

/* Nobody waits for it any more; no on_done. The exchange may go on as an orphan, bounded by connection_timeout. Idempotent. */
void probe_cancel(struct probe *probe);

#endif
