/* SPDX-License-Identifier: MIT */
/* The scoreboard's life and the counting in one's own block. Summing up is scoreboard_read.c. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/must.h>

#include "scoreboard_layout.h"

/* ---- life ---- */

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) / page * page;
}

static uint32_t places_for(uint32_t max_pods)
{
    uint32_t places = SCOREBOARD_PLACES_MIN;

    while (places < max_pods && places < SCOREBOARD_PLACES_MAX)
        places *= 2;
    return places;
}

static struct scoreboard_header shape_for(uint32_t blocks, uint32_t places)
{
    struct scoreboard_header shape = {
        .magic = SCOREBOARD_MAGIC,
        .layout = SCOREBOARD_LAYOUT,
        .fixed_bytes = sizeof(struct scoreboard_block),
        .first = whole_pages(sizeof(struct scoreboard_header)),
        .stride = whole_pages(sizeof(struct scoreboard_block) + places * sizeof(struct scoreboard_place)),
        .blocks = blocks,
        .places = places,
    };

    shape.bytes = shape.first + shape.stride * blocks;
    return shape;
}

struct scoreboard_block *scoreboard_block(const struct scoreboard *board, uint32_t block)
{
    char *at = board->object.map;

    must(block < board->shape.blocks);
    at += board->shape.first + board->shape.stride * block;
    return (void *)at;
}

struct scoreboard *scoreboard_create(uint32_t blocks, uint32_t max_pods, struct err *err)
{
    struct scoreboard *board;
    struct scoreboard_header *header;

    if (blocks == 0 || blocks > SCOREBOARD_BLOCKS_LIMIT) {
        err_set(err, "scoreboard: %u blocks: should be 1 to %u", blocks, SCOREBOARD_BLOCKS_LIMIT);
        return NULL;
    }
    board = calloc(1, sizeof(*board));
    if (!board) {
        err_set(err, "scoreboard: out of memory");
        return NULL;
    }
    board->shape = shape_for(blocks, places_for(max_pods));
    if (shm_object_create(&board->object, board->shape.bytes, err) < 0) {
        err_context(err, "scoreboard");
        free(board);
        return NULL;
    }
    header = board->object.map;
    *header = board->shape;
    board->own = scoreboard_block(board, 0);
    return board;
}

/* The numbers must be those that this program would choose itself, so nothing in them needs to be believed. */
static int check_shape(const struct scoreboard_header *shape, size_t bytes, uint32_t block, struct err *err)
{
    struct scoreboard_header ours;

    if (shape->magic != SCOREBOARD_MAGIC)
        return err_set(err, "this is no scoreboard");
    if (shape->layout != SCOREBOARD_LAYOUT || shape->fixed_bytes != sizeof(struct scoreboard_block))
        return err_set(err, "layout %u with %u bytes, should be %u with %zu", shape->layout, shape->fixed_bytes,
                       SCOREBOARD_LAYOUT, sizeof(struct scoreboard_block));
    if (shape->blocks == 0 || shape->blocks > SCOREBOARD_BLOCKS_LIMIT || places_for(shape->places) != shape->places)
        return err_set(err, "%u blocks with %u places", shape->blocks, shape->places);
    ours = shape_for(shape->blocks, shape->places);
    if (ours.first != shape->first || ours.stride != shape->stride || ours.bytes != shape->bytes ||
        shape->bytes != bytes)
        return err_set(err, "%zu bytes, should be %zu", bytes, (size_t)ours.bytes);
    if (block >= shape->blocks)
        return err_set(err, "block %u of %u", block, shape->blocks);
    return 0;
}

static int attach(struct scoreboard *board, int fd, uint32_t block, struct err *err)
{
    if (shm_object_attach(&board->object, fd, PROT_READ, sizeof(struct scoreboard_header), err) < 0)
        return -1;
    board->shape = *(const struct scoreboard_header *)board->object.map;
    if (check_shape(&board->shape, board->object.bytes, block, err) < 0)
        return -1;
    board->own = scoreboard_block(board, block);
    if (mprotect(board->own, board->shape.stride, PROT_READ | PROT_WRITE) < 0)
        return err_set_errno(err, errno, "block %u cannot be made writable", block);
    return 0;
}

struct scoreboard *scoreboard_attach(int fd, uint32_t block, struct err *err)
{
    struct scoreboard *board = calloc(1, sizeof(*board));

    if (!board) {
        err_set(err, "scoreboard: out of memory");
        return NULL;
    }
    if (attach(board, fd, block, err) < 0) {
        err_context(err, "scoreboard");
        scoreboard_free(board);
        return NULL;
    }
    return board;
}

void scoreboard_free(struct scoreboard *board)
{
    if (!board)
        return;
    shm_object_release(&board->object);
    free(board);
}

int scoreboard_worker_fd(const struct scoreboard *board)
{
    return board->object.fd;
}

uint32_t scoreboard_blocks(const struct scoreboard *board)
{
    return board->shape.blocks;
}

uint32_t scoreboard_places(const struct scoreboard *board)
{
    return board->shape.places;
}

/* ---- notes ---- */

static void write_note(struct scoreboard_note_cells *cells, const char *text)
{
    char bytes[SCOREBOARD_NOTE_BYTES] = "";
    uint64_t sequence = atomic_load_explicit(&cells->sequence, memory_order_relaxed) | 1;

    strncpy(bytes, text, sizeof(bytes) - 1);
    atomic_store_explicit(&cells->sequence, sequence, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (size_t i = 0; i < SCOREBOARD_NOTE_WORDS; i++) {
        uint64_t word;

        memcpy(&word, bytes + i * sizeof(word), sizeof(word));
        atomic_store_explicit(&cells->words[i], word, memory_order_relaxed);
    }
    atomic_store_explicit(&cells->sequence, sequence + 1, memory_order_release);
}

void scoreboard_set_note(struct scoreboard *board, enum scoreboard_note note, const char *text)
{
    must(note < SCOREBOARD_NOTES);
    write_note(&board->own->notes[note], text);
}

/* ---- counting ---- */

/* A block has one writer, so a load and a store add without a locked instruction. */
static void grow(_Atomic uint64_t *cell, uint64_t n)
{
    uint64_t old = atomic_load_explicit(cell, memory_order_relaxed);

    atomic_store_explicit(cell, old + n, memory_order_relaxed);
}

static void reset_gauges(struct scoreboard_block *block)
{
    for (size_t i = 0; i < SCOREBOARD_LINES; i++)
        if (scoreboard_lines[i].kind == SCOREBOARD_GAUGE || scoreboard_lines[i].kind == SCOREBOARD_INSTANT)
            atomic_store_explicit(&block->cells[scoreboard_lines[i].id], 0, memory_order_relaxed);
}

static void set_owner(struct scoreboard_block *block, pid_t pid, enum scoreboard_state state)
{
    reset_gauges(block);
    atomic_store_explicit(&block->pid, (uint32_t)pid, memory_order_relaxed);
    atomic_store_explicit(&block->state, state, memory_order_release);
}

void scoreboard_take(struct scoreboard *board, pid_t pid, uint64_t generation)
{
    atomic_store_explicit(&board->own->generation, generation, memory_order_relaxed);
    for (int note = 0; note < SCOREBOARD_NOTES; note++)
        write_note(&board->own->notes[note], "");
    set_owner(board->own, pid, SCOREBOARD_STARTING);
}

void scoreboard_set_state(struct scoreboard *board, enum scoreboard_state state)
{
    atomic_store_explicit(&board->own->state, state, memory_order_release);
}

void scoreboard_bury(struct scoreboard *board, uint32_t block)
{
    set_owner(scoreboard_block(board, block), 0, SCOREBOARD_EMPTY);
}

void scoreboard_beat(struct scoreboard *board)
{
    grow(&board->own->beats, 1);
}

void scoreboard_add(struct scoreboard *board, enum scoreboard_metric metric, uint64_t n)
{
    must(metric < SCOREBOARD_METRICS);
    grow(&board->own->cells[metric], n);
}

void scoreboard_set(struct scoreboard *board, enum scoreboard_metric gauge, uint64_t value)
{
    must(gauge < SCOREBOARD_METRICS);
    atomic_store_explicit(&board->own->cells[gauge], value, memory_order_relaxed);
}

void scoreboard_observe(struct scoreboard *board, enum scoreboard_histogram histogram, int64_t ns)
{
    struct scoreboard_histogram_cells *cells;
    const struct scoreboard_bounds *bounds;
    uint64_t us = ns > 0 ? (uint64_t)(ns / NS_PER_US) : 0;
    size_t i = 0;

    must(histogram < SCOREBOARD_HISTOGRAMS);
    cells = &board->own->histograms[histogram];
    bounds = &scoreboard_bounds[histogram];
    while (i < bounds->n && us > bounds->us[i])
        i++;
    grow(&cells->sum_us, us);
    grow(&cells->buckets[i], 1);
}

/* ---- results of pods ---- */

/* The pod's place, taken from another pod if it is not its own yet. The id is gone while the rest changes, so
 * that a reader never takes one pod's result for another's. */
static struct scoreboard_place *own_place(struct scoreboard *board, uint64_t pod_id)
{
    struct scoreboard_place *place = &board->own->places[pod_id & (board->shape.places - 1)];

    if (atomic_load_explicit(&place->pod_id, memory_order_relaxed) != pod_id) {
        atomic_store_explicit(&place->pod_id, 0, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
        atomic_store_explicit(&place->result, 0, memory_order_relaxed);
        atomic_store_explicit(&place->at_ns, 0, memory_order_relaxed);
        atomic_store_explicit(&place->guard, 0, memory_order_relaxed);
        atomic_store_explicit(&place->guard_at_ns, 0, memory_order_relaxed);
        atomic_store_explicit(&place->lag, 0, memory_order_relaxed);
        atomic_store_explicit(&place->lag_max, 0, memory_order_relaxed);
        atomic_store_explicit(&place->expiry, 0, memory_order_relaxed);
        atomic_store_explicit(&place->pod_id, pod_id, memory_order_release);
    }
    return place;
}

/* Puts `bits` where `mask` has ones. */
static void change(struct scoreboard_place *place, uint64_t mask, uint64_t bits)
{
    uint64_t word = atomic_load_explicit(&place->result, memory_order_relaxed);

    atomic_store_explicit(&place->result, (word & ~mask) | (bits & mask), memory_order_relaxed);
}

void scoreboard_note_result(struct scoreboard *board, uint64_t pod_id, enum scoreboard_result result, uint16_t code,
                            int64_t now_ns)
{
    struct scoreboard_place *place = own_place(board, pod_id);
    uint64_t late = result == SCOREBOARD_PRESENT ? SCOREBOARD_LATE_BIT : 0; /* is over then */

    change(place, UINT64_C(0xffff7f) << 40 | late, (uint64_t)code << 48 | (uint64_t)result << 40);
    atomic_store_explicit(&place->at_ns, now_ns, memory_order_relaxed);
}

void scoreboard_note_late(struct scoreboard *board, uint64_t pod_id)
{
    change(own_place(board, pod_id), SCOREBOARD_LATE_BIT, SCOREBOARD_LATE_BIT);
}

uint64_t scoreboard_lag_max_at(uint64_t lag, uint64_t lag_max, int64_t now_ns)
{
    uint16_t window = (uint16_t)(now_ns / LAG_WINDOW_NS), steps = (uint16_t)(window - (uint16_t)(lag_max >> 48));
    uint64_t lags = lag_max & ((UINT64_C(1) << 48) - 1);
    int64_t at_ns = (int64_t)(lag & LAG_AT_MASK) * NS_PER_MS;

    /* The number of a window comes round: the time of the last lag does not. */
    if (now_ns - at_ns > LAG_WINDOWS * LAG_WINDOW_NS)
        lags = 0;
    else if (steps == UINT16_MAX) /* the reader's clock is as old as its turn of the loop */
        return lag_max;
    return (uint64_t)window << 48 | (steps < LAG_WINDOWS ? lags >> (16 * steps) : 0);
}

static uint64_t longer(uint64_t word, uint32_t lag_ms)
{
    uint64_t units = lag_ms / LAG_UNIT_MS + (lag_ms % LAG_UNIT_MS != 0);

    if (units > UINT16_MAX)
        units = UINT16_MAX;
    if (units <= ((word >> 32) & UINT16_MAX))
        return word;
    return (word & ~((uint64_t)UINT16_MAX << 32)) | units << 32;
}

void scoreboard_note_lag(struct scoreboard *board, uint64_t pod_id, uint32_t lag_ms, int64_t now_ns)
{
    struct scoreboard_place *place = own_place(board, pod_id);
    uint64_t lag = atomic_load_explicit(&place->lag, memory_order_relaxed);
    uint64_t max = scoreboard_lag_max_at(lag, atomic_load_explicit(&place->lag_max, memory_order_relaxed), now_ns);
    uint64_t ms = lag_ms < LAG_MS_MAX ? lag_ms : LAG_MS_MAX;

    atomic_store_explicit(&place->lag_max, longer(max, lag_ms), memory_order_relaxed);
    atomic_store_explicit(&place->lag, ms << LAG_AT_BITS | ((uint64_t)(now_ns / NS_PER_MS) & LAG_AT_MASK),
                          memory_order_relaxed);
}

void scoreboard_note_expiry(struct scoreboard *board, uint64_t pod_id, int64_t expires_s, int64_t now_ns)
{
    uint64_t at_s = (uint64_t)(now_ns / NS_PER_S) & (UINT64_MAX >> EXPIRY_BITS);
    uint64_t expires = expires_s > 0 ? (uint64_t)expires_s : 0;

    atomic_store_explicit(&own_place(board, pod_id)->expiry,
                          at_s << EXPIRY_BITS | (expires < EXPIRY_MASK ? expires : EXPIRY_MASK), memory_order_relaxed);
}

void scoreboard_note_guard(struct scoreboard *board, uint64_t pod_id, enum scoreboard_guard guard, int64_t now_ns)
{
    struct scoreboard_place *place = own_place(board, pod_id);
    uint64_t generation = atomic_load_explicit(&board->own->generation, memory_order_relaxed);

    atomic_store_explicit(&place->guard, (uint64_t)guard << 32 | (generation & UINT32_MAX), memory_order_relaxed);
    atomic_store_explicit(&place->guard_at_ns, now_ns, memory_order_relaxed);
}

void scoreboard_note_proven(struct scoreboard *board, uint64_t pod_id)
{
    uint64_t generation = atomic_load_explicit(&board->own->generation, memory_order_relaxed);

    change(own_place(board, pod_id), UINT32_MAX, generation);
}
