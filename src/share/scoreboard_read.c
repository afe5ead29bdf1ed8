/* SPDX-License-Identifier: MIT */
/*
 * Summing up the scoreboard, in any process. A block may hold anything, since a worker that went wrong can
 * write anything into its own: every number is clamped, every enum checked, nothing is used as an index.
 */
#include <config.h>

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/must.h>

#include "scoreboard_layout.h"

const struct scoreboard_line scoreboard_lines[SCOREBOARD_LINES] = {
#define COUNTER(id, family, labels, help) {SCOREBOARD_COUNTER, METRIC_##id, family, labels, help},
#define SECONDS(id, family, labels, help) {SCOREBOARD_SECONDS, METRIC_##id, family, labels, help},
#define GAUGE(id, family, labels, help) {SCOREBOARD_GAUGE, METRIC_##id, family, labels, help},
#define INSTANT(id, family, labels, help) {SCOREBOARD_INSTANT, METRIC_##id, family, labels, help},
#define HISTOGRAM(id, family, help, ...) {SCOREBOARD_HISTOGRAM, HISTOGRAM_##id, family, "", help},
#include <syncer/share/metrics.def>
#undef COUNTER
#undef SECONDS
#undef GAUGE
#undef INSTANT
#undef HISTOGRAM
};

const struct scoreboard_bounds scoreboard_bounds[SCOREBOARD_HISTOGRAMS] = {
#define COUNTER(id, family, labels, help)
#define SECONDS COUNTER
#define GAUGE COUNTER
#define INSTANT COUNTER
#define HISTOGRAM(id, family, help, ...) {sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), {__VA_ARGS__}},
#include <syncer/share/metrics.def>
#undef COUNTER
#undef SECONDS
#undef GAUGE
#undef INSTANT
#undef HISTOGRAM
};

static const char *const state_names[SCOREBOARD_STATES] = {
    [SCOREBOARD_EMPTY] = "empty",
    [SCOREBOARD_STARTING] = "starting",
    [SCOREBOARD_READY] = "ready",
    [SCOREBOARD_RETIRING] = "retiring",
};

static const char *const result_names[SCOREBOARD_RESULTS] = {
    [SCOREBOARD_NO_RESULT] = "none",    [SCOREBOARD_PRESENT] = "present", [SCOREBOARD_ABSENT] = "absent",
    [SCOREBOARD_STATUS] = "status",     [SCOREBOARD_CONNECT] = "connect", [SCOREBOARD_TLS] = "tls",
    [SCOREBOARD_TIMED_OUT] = "timeout", [SCOREBOARD_BROKEN] = "broken",   [SCOREBOARD_DOWN] = "down",
};

const char *scoreboard_state_name(unsigned state)
{
    return state_names[state < SCOREBOARD_STATES ? state : SCOREBOARD_EMPTY];
}

const char *scoreboard_result_name(unsigned result)
{
    return result_names[result < SCOREBOARD_RESULTS ? result : SCOREBOARD_NO_RESULT];
}

static uint64_t clamp(uint64_t value)
{
    return value <= SCOREBOARD_CLAMP ? value : SCOREBOARD_CLAMP;
}

/* Adds a cell. Both summands are clamped, so nothing comes round, and a sum that stands at the clamp stays. */
static void add_cell(uint64_t *sum, const _Atomic uint64_t *cell)
{
    *sum = clamp(*sum + clamp(atomic_load_explicit(cell, memory_order_relaxed)));
}

uint64_t scoreboard_sum(const struct scoreboard *board, enum scoreboard_metric metric)
{
    uint64_t sum = 0;

    must(metric < SCOREBOARD_METRICS);
    for (uint32_t i = 0; i < board->shape.blocks; i++)
        add_cell(&sum, &scoreboard_block(board, i)->cells[metric]);
    return sum;
}

uint64_t scoreboard_value(const struct scoreboard *board, uint32_t block, enum scoreboard_metric metric)
{
    uint64_t value = 0;

    must(metric < SCOREBOARD_METRICS);
    add_cell(&value, &scoreboard_block(board, block)->cells[metric]);
    return value;
}

void scoreboard_distribution(const struct scoreboard *board, enum scoreboard_histogram histogram,
                             struct scoreboard_distribution *out)
{
    must(histogram < SCOREBOARD_HISTOGRAMS);
    *out = (struct scoreboard_distribution){0};
    /* Beyond the bounds only a worker that went wrong has written anything. */
    for (uint32_t i = 0; i < board->shape.blocks; i++) {
        const struct scoreboard_histogram_cells *cells = &scoreboard_block(board, i)->histograms[histogram];

        for (size_t k = 0; k <= scoreboard_bounds[histogram].n; k++)
            add_cell(&out->buckets[k], &cells->buckets[k]);
        add_cell(&out->sum_us, &cells->sum_us);
    }
    for (size_t k = 0; k < SCOREBOARD_BUCKETS; k++)
        out->count += out->buckets[k];
}

void scoreboard_owner(const struct scoreboard *board, uint32_t block, struct scoreboard_owner *out)
{
    const struct scoreboard_block *b = scoreboard_block(board, block);
    uint32_t state = atomic_load_explicit(&b->state, memory_order_acquire);
    uint32_t pid = atomic_load_explicit(&b->pid, memory_order_relaxed);

    *out = (struct scoreboard_owner){
        .pid = pid <= INT_MAX ? (pid_t)pid : 0,
        .state = state < SCOREBOARD_STATES ? (enum scoreboard_state)state : SCOREBOARD_EMPTY,
        .generation = clamp(atomic_load_explicit(&b->generation, memory_order_relaxed)),
        .beats = atomic_load_explicit(&b->beats, memory_order_relaxed),
    };
}

void scoreboard_get_note(const struct scoreboard *board, uint32_t block, enum scoreboard_note note,
                         char out[SCOREBOARD_NOTE_BYTES])
{
    const struct scoreboard_note_cells *cells = &scoreboard_block(board, block)->notes[note];
    uint64_t before = atomic_load_explicit(&cells->sequence, memory_order_acquire);

    must(note < SCOREBOARD_NOTES);
    for (size_t i = 0; i < SCOREBOARD_NOTE_WORDS; i++) {
        uint64_t word = atomic_load_explicit(&cells->words[i], memory_order_relaxed);

        memcpy(out + i * sizeof(word), &word, sizeof(word));
    }
    atomic_thread_fence(memory_order_acquire);
    out[SCOREBOARD_NOTE_BYTES - 1] = '\0';
    if (before % 2 == 1 || atomic_load_explicit(&cells->sequence, memory_order_relaxed) != before)
        out[0] = '\0';
}

/* What one block knows of the pod. False if nothing, also while the place is changing hands. */
static bool read_place(const struct scoreboard_place *place, uint64_t pod_id, struct scoreboard_pod *out)
{
    uint64_t word, lag, guard, expiry;
    unsigned result;

    if (atomic_load_explicit(&place->pod_id, memory_order_acquire) != pod_id)
        return false;
    word = atomic_load_explicit(&place->result, memory_order_relaxed);
    out->at_ns = atomic_load_explicit(&place->at_ns, memory_order_relaxed);
    guard = atomic_load_explicit(&place->guard, memory_order_relaxed);
    out->guard_at_ns = atomic_load_explicit(&place->guard_at_ns, memory_order_relaxed);
    lag = atomic_load_explicit(&place->lag, memory_order_relaxed);
    expiry = atomic_load_explicit(&place->expiry, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&place->pod_id, memory_order_relaxed) != pod_id)
        return false;
    out->expires_s = (int64_t)(expiry & EXPIRY_MASK);
    out->expires_noted_s = (int64_t)(expiry >> EXPIRY_BITS);
    result = (word >> 40) & 0x7f;
    out->result = result < SCOREBOARD_RESULTS ? (enum scoreboard_result)result : SCOREBOARD_NO_RESULT;
    out->guard_generation = (uint32_t)guard;
    guard >>= 32;
    out->guard = guard < SCOREBOARD_GUARDS ? (enum scoreboard_guard)guard : SCOREBOARD_GUARD_UNKNOWN;
    out->code = (uint16_t)(word >> 48);
    out->proven_generation = (uint32_t)word;
    out->lag_ms = (uint32_t)(lag >> LAG_AT_BITS);
    out->lag_at_ns = (int64_t)(lag & LAG_AT_MASK) * NS_PER_MS;
    out->late = (word & SCOREBOARD_LATE_BIT) != 0;
    return true;
}

/* The pod's place in a block; NULL if nobody has ever taken that block. */
static const struct scoreboard_place *place_of(const struct scoreboard *board, uint32_t block, uint64_t pod_id)
{
    const struct scoreboard_block *b = scoreboard_block(board, block);

    if (atomic_load_explicit(&b->generation, memory_order_relaxed) == 0)
        return NULL;
    return &b->places[pod_id & (board->shape.places - 1)];
}

void scoreboard_pod(const struct scoreboard *board, uint64_t pod_id, struct scoreboard_pod *out)
{
    int64_t late_ns = 0,
            present_ns = 0; /* one worker may have given up on it, and another have found it present since */
    struct scoreboard_pod seen;

    *out = (struct scoreboard_pod){0};
    for (uint32_t i = 0; pod_id != 0 && i < board->shape.blocks; i++) {
        const struct scoreboard_place *place = place_of(board, i, pod_id);

        if (!place || !read_place(place, pod_id, &seen))
            continue;
        if (seen.late && seen.at_ns > late_ns)
            late_ns = seen.at_ns;
        if (seen.result == SCOREBOARD_PRESENT && seen.at_ns > present_ns)
            present_ns = seen.at_ns;
        if (seen.at_ns > out->at_ns) {
            out->result = seen.result;
            out->code = seen.code;
            out->at_ns = seen.at_ns;
        }
        if (seen.lag_at_ns > out->lag_at_ns) {
            out->lag_ms = seen.lag_ms;
            out->lag_at_ns = seen.lag_at_ns;
        }
        if (seen.guard_at_ns > out->guard_at_ns) {
            out->guard = seen.guard;
            out->guard_generation = seen.guard_generation;
            out->guard_at_ns = seen.guard_at_ns;
        }
        if (seen.expires_s > 0 && seen.expires_noted_s >= out->expires_noted_s) {
            out->expires_s = seen.expires_s;
            out->expires_noted_s = seen.expires_noted_s;
        }
        if (seen.proven_generation > out->proven_generation)
            out->proven_generation = seen.proven_generation;
    }
    out->late = late_ns > present_ns;
}

/* The windows of one block; 0 if it knows of none. */
static uint64_t read_lag_max(const struct scoreboard_place *place, uint64_t pod_id, int64_t now_ns)
{
    uint64_t lag, max;

    if (atomic_load_explicit(&place->pod_id, memory_order_acquire) != pod_id)
        return 0;
    lag = atomic_load_explicit(&place->lag, memory_order_relaxed);
    max = atomic_load_explicit(&place->lag_max, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&place->pod_id, memory_order_relaxed) != pod_id)
        return 0;
    return scoreboard_lag_max_at(lag, max, now_ns);
}

uint32_t scoreboard_pod_lag_max_ms(const struct scoreboard *board, uint64_t pod_id, int64_t now_ns)
{
    uint32_t longest = 0;

    for (uint32_t i = 0; pod_id != 0 && i < board->shape.blocks; i++) {
        const struct scoreboard_place *place = place_of(board, i, pod_id);
        uint64_t lags = place ? read_lag_max(place, pod_id, now_ns) : 0;

        for (unsigned k = 0; k < LAG_WINDOWS; k++, lags >>= 16)
            if ((lags & UINT16_MAX) > longest)
                longest = lags & UINT16_MAX;
    }
    return longest * LAG_UNIT_MS;
}
