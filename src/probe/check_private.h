/* SPDX-License-Identifier: MIT */
/*
 * A check, for the files that its life is made of:
 *
 *      check.c         the life: begun, step by step, concluded
 *      check_peer.c    one peer: asked, and what its answer is to the check
 *      check_table.c   who is a peer: the origin, the refresh that it may need, the table's changes
 */
#ifndef SYNCER_SRC_PROBE_CHECK_PRIVATE_H
#define SYNCER_SRC_PROBE_CHECK_PRIVATE_H

#include <syncer/probe/check.h>

struct check_peer {
    struct probe probe;
    struct check *check;
    struct pool_pod *pod;
    uint32_t number; /* in the schedule */
    enum probe_outcome outcome;
    uint16_t code, attempts;
    bool finished, expected, dropped;
    bool absent_first; /* its first answer was not the expected one: what follows measures the replication lag */
    int64_t expected_ns;
};

/* Peers never move, since their probes are linked from elsewhere; those that join later come in chunks of their own. */
struct peer_chunk {
    struct peer_chunk *next;
    size_t n;
    struct check_peer peers[];
};

enum check_state {
    CHECK_RUNNING, /* peers are asked, or waited for */
    CHECK_DONE,    /* the result stands, on_done is next */
};

struct check {
    struct checker *checker;
    struct check *next, *prev; /* of the checker's */
    enum check_state state;
    enum check_refusal refusal;
    enum verdict verdict;

    char origin[CHECK_ORIGIN_MAX + 1];
    struct addr origin_addr; /* family 0: the origin is a name, or "-" */
    bool origin_known;       /* "-", or in the table */
    bool origin_shared;      /* more than one pod has its address: nobody can tell which, so all are asked */
    bool refresh_wanted;     /* to be asked for */
    bool refresh_pending;    /* asked for: no Synced before it has come or failed */
    uint64_t refresh_mark;   /* it has when more reads than this have ended */

    bool expect_absent;
    struct probe_text *text;
    struct schedule schedule;
    struct peer_chunk *chunks;
    size_t n_peers, n_expected, n_unfinished; /* of those that count */
    uint64_t generation;                      /* of the table that the peers are of */

    int64_t began_ns, deadline_ns, ended_ns;
    struct loop_timer deadline, wake;
    struct loop_task again; /* one more step, in a turn of its own */
    void (*on_done)(struct check *check, void *arg);
    void *arg;
};

struct checker {
    struct checker_settings settings;
    struct check *checks;
    size_t n;
};

/* --- check.c --- */

/* What a check does whenever something has happened. */
void check_step(struct check *check);

/* --- check_peer.c --- */

/* The chunk has room for it. */
void check_peer_add(struct check *check, struct peer_chunk *chunk, struct pool_pod *pod, int64_t now);
void check_peer_ask(struct check_peer *peer);
/* It does not count any more. */
void check_peer_drop(struct check_peer *peer);
/* By its number, which it must have. */
struct check_peer *check_peer_find(const struct check *check, uint32_t number);

/* --- check_table.c --- */

/* Has the table read again for the origin's sake. */
void check_want_refresh(struct check *check);
/* Sends the question if it could not be sent before, and sees whether the refresh has come or failed. */
void check_follow_refresh(struct check *check);
/* Brings pool and peers up to the table. Whatever keeps it from that is a refusal: nothing may be said of a list that is
 * known to be an old one. */
enum check_refusal check_follow_table(struct check *check);

#endif
