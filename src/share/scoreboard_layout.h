/* SPDX-License-Identifier: MIT */
/*
 * How the scoreboard lies in memory; known to its sources and their tests only.
 *
 *      header (to a page's end) | block 0: fixed part, places[] (to a page's end) | block 1 | ...
 *
 * Blocks are whole pages so that a worker can have its own writable and the others not.
 */
#ifndef SYNCER_SRC_SHARE_SCOREBOARD_LAYOUT_H
#define SYNCER_SRC_SHARE_SCOREBOARD_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#include <syncer/share/scoreboard.h>

#include "shm_object.h"

#define SCOREBOARD_MAGIC UINT64_C(0x65726f6373636e79) /* "yncscore" in memory, little-endian */
#define SCOREBOARD_LAYOUT 5u
#define SCOREBOARD_PLACES_MIN 1024u
#define SCOREBOARD_PLACES_MAX 65536u

/* Written once by the master, before any worker exists. */
struct scoreboard_header {
    uint64_t magic;
    uint32_t layout;
    uint32_t fixed_bytes; /* sizeof(struct scoreboard_block): another metrics.def shows here */
    uint64_t bytes;       /* of the whole object */
    uint64_t first;       /* offset of block 0 */
    uint64_t stride;      /* from block to block, whole pages */
    uint32_t blocks;
    uint32_t places; /* a power of two */
};

/* Of a place's `result`: a check gave up on the pod, and it was not present since. */
#define SCOREBOARD_LATE_BIT (UINT64_C(1) << 47)

/* One pod's last results. The id is 0 while the place changes hands. What belongs together is one word, so always of one
 * piece. */
struct scoreboard_place {
    _Atomic uint64_t pod_id;
    _Atomic uint64_t result; /* code << 48 | late << 47 | result << 40 | proven_generation */
    _Atomic int64_t at_ns;
    _Atomic uint64_t guard; /* guard << 32 | generation */
    _Atomic int64_t guard_at_ns;
    _Atomic uint64_t lag;     /* ms << 40 | when in ms */
    _Atomic uint64_t lag_max; /* see below */
    _Atomic uint64_t expiry;  /* noted at, in s of the clock << 36 | since the epoch in s */
};

/* Longest lags: window << 48 | of it << 32 | of the one before << 16 | of the one before that. Windows are numbered from
 * the clock's zero on, modulo 2^16; lags are in units of 2 ms, rounded up, so that 131 s have room. */
#define LAG_WINDOW_NS (150 * NS_PER_S)
#define LAG_WINDOWS 3
#define LAG_UNIT_MS 2u
#define LAG_AT_BITS 40 /* 34 years of ms */
#define LAG_AT_MASK ((UINT64_C(1) << LAG_AT_BITS) - 1)
#define LAG_MS_MAX ((UINT64_C(1) << (64 - LAG_AT_BITS)) - 1)

#define EXPIRY_BITS 36 /* until the year 4147; 8 years of the clock */
#define EXPIRY_MASK ((UINT64_C(1) << EXPIRY_BITS) - 1)

/* Text under a sequence that is odd while it changes. */
#define SCOREBOARD_NOTE_WORDS (SCOREBOARD_NOTE_BYTES / 8)
struct scoreboard_note_cells {
    _Atomic uint64_t sequence;
    _Atomic uint64_t words[SCOREBOARD_NOTE_WORDS];
};

struct scoreboard_histogram_cells {
    _Atomic uint64_t buckets[SCOREBOARD_BUCKETS];
    _Atomic uint64_t sum_us;
};

struct scoreboard_block {
    _Alignas(64) _Atomic uint64_t beats;
    _Atomic uint64_t generation;
    _Atomic uint32_t pid;
    _Atomic uint32_t state;
    _Alignas(64) struct scoreboard_note_cells notes[SCOREBOARD_NOTES];
    _Alignas(64) _Atomic uint64_t cells[SCOREBOARD_METRICS];
    _Alignas(64) struct scoreboard_histogram_cells histograms[SCOREBOARD_HISTOGRAMS];
    _Alignas(64) struct scoreboard_place places[];
};

struct scoreboard {
    struct shm_object object;
    struct scoreboard_header shape; /* a copy, checked: the shared one is not read again */
    struct scoreboard_block *own;
};

/* `lag_max` as it is at `now_ns`, from the two words of a place. */
uint64_t scoreboard_lag_max_at(uint64_t lag, uint64_t lag_max, int64_t now_ns);

/* Block number `block` of the mapping; block < shape.blocks. */
struct scoreboard_block *scoreboard_block(const struct scoreboard *board, uint32_t block);

#endif
