/* SPDX-License-Identifier: MIT */
/*
 * What workers and master count and report, in shared memory: a fixed array of blocks, each with one writer
 * at a time. A process takes the block it is given and goes on counting where the last owner stopped:
 * counters are never zeroed or folded, so sums over all blocks never go back, whoever computes them and
 * whoever died meanwhile.
 *
 * A worker maps all blocks for reading and its own for writing too. Nobody trusts what stands in a block:
 * numbers are clamped when read. The block of a process that is gone is written by the master
 * (scoreboard_bury()).
 *
 * Nothing here allocates after create or attach, waits, or fails: counting is a load and a store.
 */
#ifndef SYNCER_SHARE_SCOREBOARD_H
#define SYNCER_SHARE_SCOREBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <syncer/base/err.h>

#define SCOREBOARD_BLOCKS_LIMIT 256u               /* the most blocks that a scoreboard can have */
#define SCOREBOARD_CLAMP ((UINT64_C(1) << 53) - 1) /* no number read is larger: exact as a double */

enum scoreboard_metric {
#define COUNTER(id, family, labels, help) METRIC_##id,
#define SECONDS COUNTER
#define GAUGE COUNTER
#define INSTANT COUNTER
#define HISTOGRAM(id, family, help, ...)
#include <syncer/share/metrics.def>
#undef COUNTER
#undef SECONDS
#undef GAUGE
#undef INSTANT
#undef HISTOGRAM
    SCOREBOARD_METRICS /* how many there are */
};

enum scoreboard_histogram {
#define COUNTER(id, family, labels, help)
#define SECONDS COUNTER
#define GAUGE COUNTER
#define INSTANT COUNTER
#define HISTOGRAM(id, family, help, ...) HISTOGRAM_##id,
#include <syncer/share/metrics.def>
#undef COUNTER
#undef SECONDS
#undef GAUGE
#undef INSTANT
#undef HISTOGRAM
    SCOREBOARD_HISTOGRAMS
};

enum scoreboard_kind {
    SCOREBOARD_COUNTER,
    SCOREBOARD_SECONDS,
    SCOREBOARD_GAUGE,
    SCOREBOARD_INSTANT,
    SCOREBOARD_HISTOGRAM
};

/* One line of metrics.def; the table has them all in its order. */
struct scoreboard_line {
    enum scoreboard_kind kind;
    unsigned id; /* enum scoreboard_metric, or enum scoreboard_histogram */
    const char *family;
    const char *labels; /* as they stand between braces; "" = none */
    const char *help;
};
#define SCOREBOARD_LINES (SCOREBOARD_METRICS + SCOREBOARD_HISTOGRAMS)
extern const struct scoreboard_line scoreboard_lines[SCOREBOARD_LINES];

/* Upper bounds of a histogram's buckets; bucket n has none. */
#define SCOREBOARD_BOUNDS_MAX 23
#define SCOREBOARD_BUCKETS (SCOREBOARD_BOUNDS_MAX + 1)
struct scoreboard_bounds {
    uint32_t n;
    uint32_t us[SCOREBOARD_BOUNDS_MAX]; /* growing */
};
extern const struct scoreboard_bounds scoreboard_bounds[SCOREBOARD_HISTOGRAMS];

/* The state of a block's owner, as it says itself. */
enum scoreboard_state {
    SCOREBOARD_EMPTY, /* never taken, or its owner is gone */
    SCOREBOARD_STARTING,
    SCOREBOARD_READY,
    SCOREBOARD_RETIRING,
    SCOREBOARD_STATES
};
/* "empty", "starting", "ready", "retiring"; "empty" for a number that is no state. */
const char *scoreboard_state_name(unsigned state);

struct scoreboard; /* a mapping of all blocks, and which of them is one's own */

/* ---- life ---- */

/* Master: makes `blocks` (1 .. SCOREBOARD_BLOCKS_LIMIT) empty blocks, with room for the results of max_pods
 * pods each. The master's own block is 0. NULL with the reason. */
struct scoreboard *scoreboard_create(uint32_t blocks, uint32_t max_pods, struct err *err);

/* Worker: maps the scoreboard, with `block` as its own. The descriptor stays the caller's, who closes it at
 * once: through it the object could be made shorter, and the master would fault. NULL with the reason. */
struct scoreboard *scoreboard_attach(int fd, uint32_t block, struct err *err);

/* Unmaps and closes. NULL is fine. */
void scoreboard_free(struct scoreboard *board);

/* Master: the descriptor for workers (read and write); O_CLOEXEC, owned by the board. */
int scoreboard_worker_fd(const struct scoreboard *board);

uint32_t scoreboard_blocks(const struct scoreboard *board);

/* Places for pods in each block, at least the max_pods that it was made for. A pod's is its id modulo that: of two pods
 * in one place only the last that was noted is known. */
uint32_t scoreboard_places(const struct scoreboard *board);

/* ---- one's own block ---- */

/* Takes it: owner and generation are set, the state is STARTING, gauges are 0, counters go on. */
void scoreboard_take(struct scoreboard *board, pid_t pid, uint64_t generation);
void scoreboard_set_state(struct scoreboard *board, enum scoreboard_state state);
/* The heartbeat: a number that moves. */
void scoreboard_beat(struct scoreboard *board);

void scoreboard_add(struct scoreboard *board, enum scoreboard_metric metric, uint64_t n);
/* Gauges and instants only. */
void scoreboard_set(struct scoreboard *board, enum scoreboard_metric gauge, uint64_t value);
/* Negative durations count as 0. */
void scoreboard_observe(struct scoreboard *board, enum scoreboard_histogram histogram, int64_t ns);

/* Results of pods: the newest of each pod. A pod's place follows from its id, so a table in another order
 * changes nothing; two pods whose ids are a multiple of the places (at least max_pods) apart push each other
 * out, which costs a "no result yet" on a status page and nothing else. */
enum scoreboard_result {
    SCOREBOARD_NO_RESULT,
    SCOREBOARD_PRESENT,
    SCOREBOARD_ABSENT,
    SCOREBOARD_STATUS,  /* another HTTP status: see the code */
    SCOREBOARD_CONNECT, /* no connection */
    SCOREBOARD_TLS,
    SCOREBOARD_TIMED_OUT,
    SCOREBOARD_BROKEN, /* ended before a whole answer, or no HTTP */
    SCOREBOARD_DOWN,   /* it takes no connection at all; until it does again, then NO_RESULT */
    SCOREBOARD_RESULTS
};
const char *scoreboard_result_name(unsigned result);
/* What to look at, for a person; "" where there is nothing. `code` counts for STATUS only. */
const char *scoreboard_hint(unsigned result, uint16_t code);

enum scoreboard_guard { SCOREBOARD_GUARD_UNKNOWN, SCOREBOARD_PROTECTED, SCOREBOARD_UNPROTECTED, SCOREBOARD_GUARDS };

struct scoreboard_pod {
    enum scoreboard_result result;
    uint16_t code;               /* HTTP status, or 0 */
    bool late;                   /* a check gave up on it while others had the token, and it was not PRESENT since */
    uint32_t lag_ms;             /* the last measured time until present, or 0 */
    int64_t lag_at_ns;           /* when; whole ms */
    int64_t at_ns;               /* when the result came; 0 = never; may lie ahead of the reader's clock */
    enum scoreboard_guard guard; /* what the control probe said */
    int64_t guard_at_ns;
    int64_t expires_s;          /* its certificate, since the epoch; 0 = not known */
    int64_t expires_noted_s;    /* when that was noted, on the clock */
    uint64_t guard_generation;  /* of the configuration under which it said so */
    uint64_t proven_generation; /* of the configuration under which it last answered 200; 0 = never */
};

void scoreboard_note_result(struct scoreboard *board, uint64_t pod_id, enum scoreboard_result result, uint16_t code,
                            int64_t now_ns);
/* The patience of a check has ended, and of its peers this one was still ABSENT. */
void scoreboard_note_late(struct scoreboard *board, uint64_t pod_id);
void scoreboard_note_lag(struct scoreboard *board, uint64_t pod_id, uint32_t lag_ms, int64_t now_ns);
/* It has answered 200 to some token, under the configuration of the block's owner. */
void scoreboard_note_proven(struct scoreboard *board, uint64_t pod_id);
/* When its certificate expires, in seconds since the epoch. */
void scoreboard_note_expiry(struct scoreboard *board, uint64_t pod_id, int64_t expires_s, int64_t now_ns);
/* What a control probe has found, under the configuration of the block's owner. */
void scoreboard_note_guard(struct scoreboard *board, uint64_t pod_id, enum scoreboard_guard guard, int64_t now_ns);

/* What a process says of itself, for a person: why the list of pods can't be read, why it can't be watched. Cut at
 * SCOREBOARD_NOTE_BYTES; "" takes it back. Unlike gauges it outlives the owner until the next one takes the block. */
#define SCOREBOARD_NOTE_BYTES 384 /* with the NUL */
enum scoreboard_note { SCOREBOARD_NOTE_LIST, SCOREBOARD_NOTE_WATCH, SCOREBOARD_NOTES };
void scoreboard_set_note(struct scoreboard *board, enum scoreboard_note note, const char *text);

/* ---- the master, about a block whose owner is gone ---- */

/* The owner has been waited for: state EMPTY, pid 0, gauges 0; counters and results stay. Its next owner may
 * take it. */
void scoreboard_bury(struct scoreboard *board, uint32_t block);

/* ---- reading, any process ---- */

/* The sum over all blocks. */
uint64_t scoreboard_sum(const struct scoreboard *board, enum scoreboard_metric metric);
/* Of one block. */
uint64_t scoreboard_value(const struct scoreboard *board, uint32_t block, enum scoreboard_metric metric);

struct scoreboard_distribution {
    uint64_t buckets[SCOREBOARD_BUCKETS]; /* each alone, not added up; those beyond its bounds are 0 */
    uint64_t count;                       /* computed from the buckets, so that the two always agree */
    uint64_t sum_us;
};
void scoreboard_distribution(const struct scoreboard *board, enum scoreboard_histogram histogram,
                             struct scoreboard_distribution *out);

struct scoreboard_owner {
    pid_t pid; /* 0 = none */
    enum scoreboard_state state;
    uint64_t generation;
    uint64_t beats; /* as it stands there: only whether it moves matters */
};
/* block < scoreboard_blocks(). For showing, and for comparing beats; never a reason to send a signal to that
 * pid. */
void scoreboard_owner(const struct scoreboard *board, uint32_t block, struct scoreboard_owner *out);

/* The newest over all blocks; all zero if nobody noted anything about that pod. */
void scoreboard_pod(const struct scoreboard *board, uint64_t pod_id, struct scoreboard_pod *out);

/* A note of a block's owner; "" if there is none, or if it is being written just now. Any bytes may be in it. */
void scoreboard_get_note(const struct scoreboard *board, uint32_t block, enum scoreboard_note note,
                         char out[SCOREBOARD_NOTE_BYTES]);

/* The longest lag of the last 5 minutes, or of up to 7.5: the present 150 s and the two before. 0 = none. */
uint32_t scoreboard_pod_lag_max_ms(const struct scoreboard *board, uint64_t pod_id, int64_t now_ns);

#endif
