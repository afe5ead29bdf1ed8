/* SPDX-License-Identifier: MIT */
/*
 * A pairing heap of timers, smallest time on top (Fredman, Sedgewick, Sleator, Tarjan 1986): insert in O(1), remove in
 * O(log n) amortized, and the links are in the timers themselves. For loop.c only.
 *
 * Links of a timer in a heap: `child` is its first child, `next` its next sibling, `prev` its previous sibling or, for
 * a first child, the parent; the top has no `prev` and no `next`. A list of due timers uses the same links, as the
 * children of a `struct loop_timer` that is only their anchor: so one function takes a timer out of either.
 */
#ifndef SYNCER_SRC_BASE_TIMER_HEAP_H
#define SYNCER_SRC_BASE_TIMER_HEAP_H

#include <syncer/base/loop.h>

/* Puts in a timer that is in no heap and no list. *top is NULL for an empty heap. */
void timer_heap_insert(struct loop_timer **top, struct loop_timer *timer);

/* Takes `timer` out of the heap, or out of a list whose timers came from that heap. */
void timer_heap_remove(struct loop_timer **top, struct loop_timer *timer);

/* Moves all timers due at `now_ns` to `anchor`'s empty list, in the order of their times. */
void timer_heap_take_due(struct loop_timer **top, int64_t now_ns, struct loop_timer *anchor);

#endif
