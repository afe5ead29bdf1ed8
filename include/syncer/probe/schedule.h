/* SPDX-License-Identifier: MIT */
/*
 * Which peer of a check is asked when. Pure: the clock is an argument, peers are numbers in the order in which they were
 * added, and nothing is sent from here. Worker only.
 *
 *      schedule_add()        a peer, to be asked as soon as the mode allows
 *      schedule_next()       -> the peer to ask now; it is then "being asked"
 *      schedule_answer()     what came; tells whether the peer is finished
 *      schedule_wake_ns()    when schedule_next() will have something, if nothing else happens
 *
 * One rule holds in every mode: no re-probe starts after the end of patience, and at that end each peer that is neither
 * finished nor being asked is asked a last time.
 */
#ifndef SYNCER_PROBE_SCHEDULE_H
#define SYNCER_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_NONE UINT32_MAX
#define SCHEDULE_NEVER INT64_MAX

struct schedule_settings {
    int64_t sync_timeout_ns; /* an absent peer is asked again so long after its answer; so is, once, a broken one */
    int64_t patience_ns;     /* from the start */
};

enum schedule_answer {
    SCHEDULE_EXPECTED, /* in the state that is waited for: finished */
    SCHEDULE_NOT_YET,  /* in the other one */
    SCHEDULE_BROKEN,   /* no whole answer: one more attempt */
    SCHEDULE_FINAL,    /* nothing else will come of it: finished */
};

struct schedule_peer {
    int64_t due_ns;
    uint32_t next; /* in the queue; SCHEDULE_NONE at its end */
    bool broken_before, finished;
};

/* Due times grow along the queue, since each is the time of an answer plus one constant, cut at the end of patience. */
struct schedule {
    struct schedule_settings settings;
    int64_t patience_end_ns;
    struct schedule_peer *peers;
    uint32_t n, room;
    uint32_t first, last; /* of the queue */
    uint32_t unfinished;
};

void schedule_init(struct schedule *schedule, const struct schedule_settings *settings, int64_t start_ns);
void schedule_release(struct schedule *schedule);

/* Room for `n` peers in all. 0, or -1 if memory is out. */
int schedule_reserve(struct schedule *schedule, uint32_t n);
/* The number of the new peer (0, 1, ...), due at once. There must be room. */
uint32_t schedule_add(struct schedule *schedule, int64_t now_ns);
/* The peer no longer counts, whatever its state. Idempotent. */
void schedule_drop(struct schedule *schedule, uint32_t peer);

/* The next peer to ask now, or SCHEDULE_NONE. */
uint32_t schedule_next(struct schedule *schedule, int64_t now_ns);
/* When there will be one; SCHEDULE_NEVER if only answers can bring it. */
int64_t schedule_wake_ns(const struct schedule *schedule);

/* The answer of a peer that was being asked. True if the peer is finished. */
bool schedule_answer(struct schedule *schedule, uint32_t peer, enum schedule_answer answer, int64_t now_ns);

#endif
