/* SPDX-License-Identifier: MIT */
/*
 * A sequence lock used as a latch over two copies of some data in shared memory: one writer, any number of
 * readers, in any processes. The sequence's lowest bit names the copy to read. The writer fills the other
 * one, which nobody is told to read, and then turns the sequence. A writer that stops anywhere (even for
 * ever) therefore delays no reader; a reader is disturbed only if the sequence turned while it read, and then
 * tries again.
 *
 *      writer                                  reader
 *      which = latch_begin_write(l)            seq = latch_read_begin(l)
 *      fill copy[which]                        read copy[latch_copy(seq)]
 *      latch_publish(l)                        if (!latch_read_valid(l, seq)) what was read is worthless
 *
 * The copies must be read and written as relaxed atomic words: a reader that is overtaken does read while the
 * writer writes, and throws the result away. All bytes zero is a latch that has never been published. Readers
 * only load, so a read-only mapping is enough. 64 bits do not come round in the life of a machine.
 *
 * The order, by the C11 rules: a publish is a release that a read's begin acquires, so the reader sees the
 * copy whole. If a reader saw one word of the next-but-one filling, the fence in begin_write() pairs with the
 * one in read_valid(), which then sees the sequence turned. (Boehm, "Can seqlocks get along with programming
 * language memory models?", 2012.)
 */
#ifndef SYNCER_SHARE_LATCH_H
#define SYNCER_SHARE_LATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* A lock behind an atomic would live in one process only, and could write to a read-only mapping. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_LONG_LOCK_FREE == 2, "64-bit atomics must be free of locks");

struct latch {
    _Atomic uint64_t sequence; /* number of publications; written by the one writer */
};

/* The copy (0 or 1) that readers of `sequence` are told to read. */
static inline unsigned latch_copy(uint64_t sequence)
{
    return (unsigned)(sequence & 1);
}

/* Writer: the copy to fill now. May be called again without a publish between: the filling starts anew. */
static inline unsigned latch_begin_write(struct latch *latch)
{
    uint64_t next = atomic_load_explicit(&latch->sequence, memory_order_relaxed) + 1;

    atomic_thread_fence(memory_order_release);
    return latch_copy(next);
}

/* Writer: the copy is full; readers are sent to it. Returns the new sequence. */
static inline uint64_t latch_publish(struct latch *latch)
{
    uint64_t next = atomic_load_explicit(&latch->sequence, memory_order_relaxed) + 1;

    atomic_store_explicit(&latch->sequence, next, memory_order_release);
    return next;
}

/* Reader: the sequence to read by. */
static inline uint64_t latch_read_begin(const struct latch *latch)
{
    return atomic_load_explicit(&latch->sequence, memory_order_acquire);
}

/* Reader: whether all that was read since latch_read_begin() gave `sequence` belongs together. */
static inline bool latch_read_valid(const struct latch *latch, uint64_t sequence)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&latch->sequence, memory_order_relaxed) == sequence;
}

#endif
