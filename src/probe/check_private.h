/* SPDX-License-Identifier: MIT */
/*
 * Checks and what they share. A *check* is what one client waits for: its deadline, its patience, what it has heard of each
 * peer, its verdict. A *flight* is the asking that is done for it: the peers, their probes, the schedule. Checks for the same
 * token, origin and expectation that are under way at the same time are in one flight.
 *
 *      check_start -> flight: [follow the table -> ask who is due -> answers ...] -> each check hears, and concludes -> on_done
 *
 *      checker.c         all of a worker: which flight a check belongs to, changes of the table
 *      check.c           one check: begun, told what has come, concluded
 *      flight.c          one flight: who joins and leaves, step by step
 *      flight_peer.c     one peer: asked, and what its answer is
 *      flight_origin.c   the origin, where it is asked whether it has the token itself
 *      flight_table.c    who is a peer: the origin, the table's changes
 *
 * The schedule is kept as the newest of the checks needs it: what is finished for that one is so for the older ones too,
 * since their patience ends earlier and nothing was known to it that was not known to them.
 */
#ifndef SYNCER_SRC_PROBE_CHECK_PRIVATE_H
#define SYNCER_SRC_PROBE_CHECK_PRIVATE_H

#include <syncer/probe/check.h>

/* ---- flights ---- */

struct flight_peer {
    struct probe probe;
    struct flight *flight;
    struct pool_pod *pod; /* held */
    uint32_t number;      /* in the schedule, and in each check's heard[] */
    bool dropped;         /* it does not count any more */
    int64_t vouched_ns;   /* when it was asked what it answered as expected; -1: that was not its last answer */
};

/* Peers never move, since their probes are linked from elsewhere; those that join later come in chunks of their own. */
struct peer_chunk {
    struct peer_chunk *next;
    size_t n;
    struct flight_peer peers[];
};

struct flight {
    struct checker *checker;
    struct flight *next, *prev; /* of the checker's */
    struct flight *same_hash;   /* the next in its bucket */
    uint64_t hash;              /* keyed, of the token */
    unsigned refs;              /* checks that have not been freed, also those that are done */

    char origin[CHECK_ORIGIN_MAX + 1];
    struct addr origin_addr; /* family 0: the origin is a name, or "-" */
    bool origin_known;       /* "-", or in the table */
    bool origin_shared;      /* more than one pod has its address: nobody can tell which, so all are asked */
    bool expect_absent;
    struct probe_text *text; /* with the fields of the check that it began with */

    bool somebody;     /* has been as expected */
    bool origin_asked; /* or could not be */
    uint32_t n_answers;
    struct pool_pod *origin_pod; /* held; NULL: it is not being asked */
    struct probe origin_probe;

    struct check *first, *last; /* checks that run, the oldest first; none: nobody is asked any more */
    struct schedule schedule;
    struct peer_chunk *chunks;
    uint64_t generation; /* of the table that the peers are of */
    struct loop_timer wake;
    struct loop_task again; /* one more step, in a turn of its own */
};

/* ---- checks ---- */

/* What a check knows of a peer, by the peer's number. */
struct check_heard {
    int64_t expected_ns;
    uint16_t code, attempts;
    uint8_t outcome; /* enum probe_outcome */
    bool counts : 1; /* not dropped */
    bool finished : 1, expected : 1, broken_before : 1;
    bool absent_first : 1; /* its first answer was not the expected one: what follows measures the replication lag */
};

enum check_state {
    CHECK_RUNNING, /* peers are asked, or waited for */
    CHECK_DONE,    /* the result stands, on_done is next */
};

struct check {
    struct checker *checker;
    struct flight *flight;       /* held until the end, since the peers are there */
    struct check *newer, *older; /* in the flight, while it is RUNNING */
    enum check_state state;
    enum check_refusal refusal;
    enum verdict verdict;
    bool without_origin; /* the origin does not have the token */

    bool refresh_wanted;   /* to be asked for */
    bool refresh_pending;  /* asked for: no Synced before it has come or failed */
    uint64_t refresh_mark; /* it has when more reads than this have ended */

    struct check_heard *heard;
    uint32_t n_heard, room;
    size_t n_peers, n_expected, n_unfinished; /* of those that count */

    int64_t began_ns, joined_ns, patience_end_ns, deadline_ns, ended_ns;
    struct loop_timer deadline;
    struct loop_timer patience; /* set if a newer one has joined: the schedule goes by that one's then */
    struct loop_task done;
    void (*on_done)(struct check *check, void *arg);
    void *arg;
};

struct checker {
    struct checker_settings settings;
    struct flight *flights;
    struct flight **buckets; /* by hash */
    size_t n_buckets;        /* a power of two */
    size_t n;                /* checks */
    struct loop_task follow; /* the table has changed: flights are told, some a turn */
    struct flight *follow_at;
};

/* --- checker.c --- */

struct flight *checker_find_flight(const struct checker *checker, const struct check_request *request, uint64_t hash);
void checker_add_flight(struct checker *checker, struct flight *flight);
/* Nobody can join it any more. */
void checker_remove_flight(struct checker *checker, struct flight *flight);

/* --- check.c --- */

/* Room to hear of `n` peers in all. 0, or -1 if memory is out. */
int check_reserve(struct check *check, uint32_t n);
/* The next peer, which counts, or did and was dropped. */
struct check_heard *check_meet(struct check *check, bool counts);
/* What peer `number` has answered. */
void check_hear(struct check *check, const struct flight_peer *peer, enum probe_outcome outcome,
                enum schedule_answer answer);
/* The peer's last answer is as good as one to a question of this check's own. */
void check_take(struct check *check, const struct flight_peer *peer);
/* It has been asked, and will answer. */
void check_await(struct check *check, uint32_t number);
void check_forget(struct check *check, uint32_t number);
/* Sends the question for a refresh if it could not be sent before, and sees whether the refresh has come or failed. */
void check_follow_refresh(struct check *check);
/* Concludes if nothing is awaited. */
void check_settle(struct check *check);
/* The origin does not have the token: nothing can come. */
void check_give_up(struct check *check);
/* There will be no verdict. */
void check_refuse(struct check *check, enum check_refusal refusal);

/* --- flight.c --- */

/* NULL if memory is out. */
struct flight *flight_new(struct checker *checker, const struct check_request *request, uint64_t hash);
void flight_hold(struct flight *flight);
void flight_drop(struct flight *flight);
/* The check is told of what is known; it is the newest. The refusal if that can't be. */
enum check_refusal flight_join(struct flight *flight, struct check *check);
/* It is done, or its client is gone: with the last one the asking ends. */
void flight_leave(struct flight *flight, struct check *check);
/* What a flight does whenever something has happened. */
void flight_step(struct flight *flight);

/* --- flight_peer.c --- */

/* The chunk has room for it, and so have the checks. */
void flight_peer_add(struct flight *flight, struct peer_chunk *chunk, struct pool_pod *pod, int64_t now);
void flight_peer_ask(struct flight_peer *peer);
/* It does not count any more. */
void flight_peer_drop(struct flight_peer *peer);
/* Whether somebody who joins now may take its last answer for one to a question of his own. */
bool flight_peer_vouches(const struct flight_peer *peer);
/* By its number, which it must have. */
struct flight_peer *flight_peer_find(const struct flight *flight, uint32_t number);

/* --- flight_origin.c --- */

void flight_origin_init(struct flight *flight);
/* A peer has answered: asks the origin if that has come to be worth while. */
void flight_origin_look(struct flight *flight, enum schedule_answer answer);
void flight_origin_end(struct flight *flight);

/* --- flight_table.c --- */

bool flight_is_origin(const struct flight *flight, const struct pool_pod *pod);

/* Brings pool and peers up to the table. Whatever keeps it from that is a refusal: nothing may be said of a list that is
 * known to be an old one. */
enum check_refusal flight_follow_table(struct flight *flight);

#endif
