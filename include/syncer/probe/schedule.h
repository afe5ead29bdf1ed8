/* SPDX-License-Identifier: MIT */
/*
 * Which peer of a check is asked when. Pure: clock and dice are arguments, peers are numbers in the order in
 * which they were added, and nothing is sent from here. Worker only.
 *
 *      schedule_add()        a peer, to be asked as soon as the mode allows
 *      schedule_next()       -> the peer to ask now; it is then "being asked"
 *      schedule_answer()     what came; tells whether the peer is finished
 *      schedule_wake_ns()    when schedule_next() will have something, if nothing else happens
 *
 * Two modes. `parallel` asks all peers at once, and each absent one again sync_timeout after its own answer.
 * `scout` uses that all peers get a token at nearly the same moment: it asks three peers drawn at random;
 * then one that is not yet present every scout_interval, in turn over a random order, so that a dead pod
 * blinds nothing; and as soon as one turns present all the others at once, which is a wave. After `waves` of
 * these the rest goes on as in `parallel`.
 *
 * One rule holds in both: no re-probe starts after the end of patience, and at that end each peer that is
 * neither finished nor being asked is asked a last time.
 */
#ifndef SYNCER_PROBE_SCHEDULE_H
#define SYNCER_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_NONE UINT32_MAX
#define SCHEDULE_NEVER INT64_MAX

enum schedule_mode { SCHEDULE_SCOUT, SCHEDULE_PARALLEL };

struct schedule_settings {
    enum schedule_mode mode;
    int64_t sync_timeout_ns;          /* parallel: an absent peer is asked again so long after its answer; so is, in
                                both modes and once, a broken one */
    int64_t patience_ns;              /* from the start */
    int64_t scout_interval_ns;        /* 0 = auto: sync_timeout / peers, 5 to 20 ms: about as many probes as parallel */
    uint32_t waves;                   /* of scout */
    uint32_t (*draw)(uint32_t below); /* uniform in 0 .. below-1; scout only */
};

enum schedule_answer {
    SCHEDULE_EXPECTED, /* in the state that is waited for: finished */
    SCHEDULE_NOT_YET,  /* in the other one */
    SCHEDULE_BROKEN,   /* no whole answer: one more attempt */
    SCHEDULE_FINAL,    /* nothing else will come of it: finished */
};

struct schedule_peer {
    int64_t due_ns; /* in `timed` */
    uint32_t next;  /* in its queue; SCHEDULE_NONE at its end */
    bool broken_before, finished;
    bool scout; /* one of the first three, its answer is awaited */
};

struct schedule_queue {
    uint32_t first, last;
};

struct schedule {
    struct schedule_settings settings;
    int64_t patience_end_ns;
    struct schedule_peer *peers;
    uint32_t n, room, unfinished;
    /* In order of due times: each is the time of an answer plus one constant, cut at the end of patience;
     * what is due at once goes in front. */
    struct schedule_queue timed;
    /* Scout: those that wait for their turn, for a wave, or for the end of patience. Empty once scouting is
     * over. */
    struct schedule_queue idle;
    bool begun, scouting;
    int64_t scout_due_ns;
    bool wave_wanted;
    int64_t next_wave_ns; /* not before */
    uint32_t scouts_out;  /* of the first three */
    uint32_t waves;       /* until now */
};

void schedule_init(struct schedule *schedule, const struct schedule_settings *settings, int64_t start_ns);
void schedule_release(struct schedule *schedule);

/* Room for `n` peers in all. 0, or -1 if memory is out. */
int schedule_reserve(struct schedule *schedule, uint32_t n);
/* The number of the new peer (0, 1, ...). There must be room. Before the first schedule_next() it is one of
 * those that the mode begins with, later it is due at once. */
uint32_t schedule_add(struct schedule *schedule, int64_t now_ns);
/* The peer no longer counts, whatever its state. Idempotent. */
void schedule_drop(struct schedule *schedule, uint32_t peer);

/* How many of the peers are asked at the beginning. */
uint32_t schedule_first_wave(const struct schedule *schedule);

/* The next peer to ask now, or SCHEDULE_NONE. */
uint32_t schedule_next(struct schedule *schedule, int64_t now_ns);
/* When there will be one; SCHEDULE_NEVER if only answers can bring it. */
int64_t schedule_wake_ns(const struct schedule *schedule);

/* The answer of a peer that was being asked. True if the peer is finished. */
bool schedule_answer(struct schedule *schedule, uint32_t peer, enum schedule_answer answer, int64_t now_ns);
/* The rule by which it is: for whoever waits beside the schedule with a patience of his own. */
bool schedule_is_last(const struct schedule_settings *settings, enum schedule_answer answer, bool broken_before,
                      int64_t patience_end_ns, int64_t now_ns);

/* ---- several that share one ----
 *
 * The schedule's patience is that of whoever came last: what is finished for him is so for those before him, too. */

/* One more, whose patience begins at start_ns: patience ends later, waves and broken attempts are counted anew. */
void schedule_extend(struct schedule *schedule, int64_t start_ns);
bool schedule_is_finished(const struct schedule *schedule, uint32_t peer);
/* He can't make do with what has come of a finished peer: it is due at once. Not of one that was dropped. */
void schedule_reopen(struct schedule *schedule, uint32_t peer, int64_t now_ns);
/* The end of an earlier one's patience: all that wait are due at once. */
void schedule_hurry(struct schedule *schedule, int64_t now_ns);

#endif
