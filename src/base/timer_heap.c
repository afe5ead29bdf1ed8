/* SPDX-License-Identifier: MIT */
/* The pairing heap under the loop's timers. No recursion: a row of inserts makes a heap as wide as it is long. */
#include <config.h>

#include <syncer/base/must.h>

#include "timer_heap.h"

/* Makes the later of two tops (either may be NULL) the first child of the other, and returns that. */
static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->due_ns < a->due_ns) {
        struct loop_timer *swap = a;

        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Makes one heap of a row of siblings: first pairs from left to right, then the pairs from right to left. Both passes
 * are needed for the logarithmic bound. The pairs wait on a stack that is linked through `next`. */
static struct loop_timer *meld_siblings(struct loop_timer *first)
{
    struct loop_timer *pairs = NULL, *top = NULL;

    while (first) {
        struct loop_timer *a = first, *b = a->next, *pair;

        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct loop_timer *pair = pairs;

        pairs = pair->next;
        pair->next = NULL;
        top = meld(top, pair);
    }
    return top;
}

void timer_heap_insert(struct loop_timer **top, struct loop_timer *timer)
{
    must(!timer->child && !timer->next && !timer->prev);
    *top = meld(*top, timer);
}

void timer_heap_remove(struct loop_timer **top, struct loop_timer *timer)
{
    struct loop_timer *rest = meld_siblings(timer->child);

    if (timer == *top) {
        *top = rest;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next)
            timer->next->prev = timer->prev;
        *top = meld(*top, rest);
    }
    timer->child = timer->next = timer->prev = NULL;
}

void timer_heap_take_due(struct loop_timer **top, int64_t now_ns, struct loop_timer *anchor)
{
    struct loop_timer *last = anchor;

    must(!anchor->child);
    while (*top && (*top)->due_ns <= now_ns) {
        struct loop_timer *timer = *top;

        timer_heap_remove(top, timer);
        timer->prev = last;
        if (last == anchor)
            anchor->child = timer;
        else
            last->next = timer;
        last = timer;
    }
}
