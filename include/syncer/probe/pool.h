/* SPDX-License-Identifier: MIT */
/*
 * The pods of the table as a worker sees them, and its kept connections to them. A connection is opened when a pod
 * appears and opened again whenever the last one ends, so that a login finds one; more are opened for probes that have
 * waited as long as opening one takes, up to host_keepalives; those beyond max_keepalives are closed after a second or
 * two without a question. Worker only.
 *
 * A pod that took no connection 3 times in a row over 1 s or more is *down*: its probes fail at once, and one attempt in
 * the background at a time (0.1 s, doubling to 2 s) brings it back.
 */
#ifndef SYNCER_PROBE_POOL_H
#define SYNCER_PROBE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/addr.h>
#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/net/link.h>
#include <syncer/share/podtable.h>
#include <syncer/share/scoreboard.h>

struct pool;

/* A pod that is or was in the table. Checks hold it over the table's changes. */
struct pool_pod;

struct pool_settings {
    struct loop *loop;
    struct link_hub *hub;          /* borrowed */
    struct scoreboard *board;      /* borrowed */
    uint64_t generation;           /* of the configuration */
    int64_t connection_timeout_ns; /* of a connection's opening, and of one exchange */
    uint32_t host_keepalives;      /* connections a pod */
    uint32_t max_keepalives; /* connections in all that are kept when idle, but one a pod in any case; 0 = 2 x pods */
    uint32_t max_probe_rate; /* probes a second and pod; 0 = any number */
    /* The head of every probe up to the token: "GET /path HTTP/1.1\r\nHost: ...\r\n ... Cookie: name="; copied. */
    const char *request_head;
};

/* What a person should read in the log; called from the loop. Every member may be NULL. */
struct pool_events {
    void (*on_down)(void *arg, const struct pool_pod *pod, const char *reason);
    void (*on_up)(void *arg, const struct pool_pod *pod);
    void (*on_unasked)(void *arg, const struct pool_pod *pod); /* it sent what nobody had asked for */
};

/* NULL with the reason. */
struct pool *pool_new(const struct pool_settings *settings, const struct pool_events *events, void *arg,
                      struct err *err);
/* Closes all connections. No probe may be under way but orphans, and nobody may hold a pod. NULL is fine. */
void pool_free(struct pool *pool);

/* Brings the pods up to date: new ones are connected to; those that left, changed their id or do not count any more are
 * gone (pool_pod_is_gone()), and their probes end as broken. 0, or -1 if memory is out: the old ones stay. */
int pool_update(struct pool *pool, const struct podtable_snapshot *snapshot);
/* The table's generation that it was last brought up to; 0 = none. */
uint64_t pool_generation(const struct pool *pool);

/* The pods that count: n, and each by number. Borrowed until pool_update(). */
size_t pool_size(const struct pool *pool);
struct pool_pod *pool_get(struct pool *pool, size_t i);

/* A connection is open to every pod, but to those that take none. */
bool pool_is_warm(const struct pool *pool);

/* Marks, by which the pods that somebody has are told from the others: set, looked at, and void at the next unmark_all. */
void pool_unmark_all(struct pool *pool);
void pool_pod_mark(struct pool_pod *pod);
bool pool_pod_is_marked(const struct pool_pod *pod);

/* To keep a pod over pool_update(). */
void pool_pod_hold(struct pool_pod *pod);
void pool_pod_drop(struct pool_pod *pod);

bool pool_pod_is_gone(const struct pool_pod *pod);
bool pool_pod_is_down(const struct pool_pod *pod);
/* It has all the connections that it may have, and on each an answer is awaited that nobody needs any more. */
bool pool_pod_is_overloaded(const struct pool_pod *pod);
/* It has not sent, in the last minute, what nobody had asked for: its answers of before can be believed. */
bool pool_pod_is_trusted(const struct pool_pod *pod);
/* It has answered 200 to some real token, of whichever worker, since the last reload. */
bool pool_pod_is_proven(const struct pool_pod *pod);
/* What the last control probe found, of whichever worker, under this configuration or a newer one. That a pod is
 * protected may be known for a second longer than it is true, anything else for 20 ms. */
enum scoreboard_guard pool_pod_guard(struct pool_pod *pod);
uint64_t pool_pod_id(const struct pool_pod *pod);
const char *pool_pod_name(const struct pool_pod *pod);
const struct addr *pool_pod_addr(const struct pool_pod *pod);
uint16_t pool_pod_port(const struct pool_pod *pod);
/* Why the last connection could not be opened or broke; "" if none did. */
const char *pool_pod_reason(const struct pool_pod *pod);

#endif
