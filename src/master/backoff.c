/* SPDX-License-Identifier: MIT */
/*
 * When the next child may start after one has died. One that dies before it is ready will most likely do so
 * again: the wait doubles each time. One that was ready is replaced at once, since clients miss it, unless a
 * row of them has lived only shortly: then whatever kills them is still there. Only a long life makes all
 * forgotten; being ready does not, or a child that crashes on its first request would be started ten times a
 * second for ever.
 */
#include <config.h>

#include <syncer/base/random.h>

#include "master_private.h"

#define WAIT_MIN_NS (100 * NS_PER_MS)
#define WAIT_MAX_NS (30 * NS_PER_S)
#define LONG_LIFE_NS (10 * NS_PER_S)
#define QUICK_MAX 3 /* replaced at once; from then on they wait */

int64_t backoff_next(struct backoff *backoff, bool was_ready, int64_t lived_ns)
{
    if (was_ready && lived_ns >= LONG_LIFE_NS)
        *backoff = (struct backoff){0};
    if (was_ready && backoff->quick < QUICK_MAX) {
        backoff->quick++;
        return 0;
    }
    backoff->wait_ns = backoff->wait_ns ? backoff->wait_ns * 2 : WAIT_MIN_NS;
    if (backoff->wait_ns > WAIT_MAX_NS)
        backoff->wait_ns = WAIT_MAX_NS;
    /* Jitter: several that died of one cause should not come back in one moment. 30 s / 8 in ns fits 32 bits. */
    return backoff->wait_ns + random_below((uint32_t)(backoff->wait_ns / 8));
}
