/* SPDX-License-Identifier: MIT */
/* One pod: who holds it, its coming and leaving, and what others may know of it. Its connections are pool_supply.c's. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/base/random.h>

#include "pool_private.h"

/* ---- holding ---- */

void pool_pod_hold(struct pool_pod *pod)
{
    pod->refs++;
}

void pool_pod_drop(struct pool_pod *pod)
{
    must(pod->refs > 0);
    if (--pod->refs > 0)
        return;
    must(!pod->links && !pod->waiting_first);
    loop_timer_cancel(&pod->reopen);
    loop_timer_cancel(&pod->turn);
    loop_timer_cancel(&pod->more);
    link_free(pod->spare);
    free(pod->reason);
    if (pod->prev)
        pod->prev->next = pod->next;
    else
        pod->pool->all = pod->next;
    if (pod->next)
        pod->next->prev = pod->prev;
    free(pod);
}

void pool_pod_set_reason(struct pool_pod *pod, const char *reason)
{
    if (pod->reason && strcmp(pod->reason, reason) == 0)
        return;
    free(pod->reason);
    pod->reason = strdup(reason);
}

/* ---- coming and leaving ---- */

struct pool_pod *pool_pod_new(struct pool *pool, const struct podtable_pod *entry)
{
    size_t name_bytes = strlen(entry->name) + 1;
    struct pool_pod *pod = calloc(1, sizeof(*pod) + name_bytes);

    if (!pod)
        return NULL;
    pod->pool = pool;
    pod->id = entry->id;
    pod->addr = entry->addr;
    pod->port = entry->port;
    memcpy(pod->name, entry->name, name_bytes);
    loop_timer_init(&pod->reopen, pool->settings.loop, LOOP_EARLY, pool_supply_reopen_due);
    loop_timer_init(&pod->turn, pool->settings.loop, LOOP_EARLY, pool_supply_turn_due);
    loop_timer_init(&pod->more, pool->settings.loop, LOOP_EARLY, pool_supply_more_due);
    pod->opening_ns = POOL_OPENING_GUESS_NS;
    pod->next = pool->all;
    if (pool->all)
        pool->all->prev = pod;
    pool->all = pod;
    return pod;
}

void pool_pod_leave(struct pool_pod *pod)
{
    struct pool_link *pl, *next;

    pod->gone = true;
    loop_timer_cancel(&pod->reopen);
    for (pl = pod->links; pl; pl = next) {
        next = pl->next;
        if (pl->state != POOL_LINK_BUSY)
            pool_link_close(pl);
    }
}

/* ---- what others may know of a pod ---- */

bool pool_pod_is_gone(const struct pool_pod *pod)
{
    return pod->gone;
}

bool pool_pod_is_down(const struct pool_pod *pod)
{
    return pod->down;
}

bool pool_pod_is_overloaded(const struct pool_pod *pod)
{
    return pod->n_orphans == pod->n_links && pod->n_links >= pod->pool->settings.host_keepalives;
}

bool pool_pod_is_trusted(const struct pool_pod *pod)
{
    return loop_now_ns(pod->pool->settings.loop) >= pod->distrust_until_ns;
}

void pool_pod_mark(struct pool_pod *pod)
{
    pod->mark = pod->pool->mark;
}

bool pool_pod_is_marked(const struct pool_pod *pod)
{
    return pod->mark == pod->pool->mark;
}

bool pool_pod_is_proven(const struct pool_pod *pod)
{
    struct scoreboard_pod seen;

    if (pod->proven)
        return true;
    scoreboard_pod(pod->pool->settings.board, pod->id, &seen);
    return seen.proven_generation >= pod->pool->settings.generation;
}

#define GUARD_LOOK_NS NS_PER_S /* while it is as it should be */
#define GUARD_LOOK_SOON_NS (20 * NS_PER_MS)

/* All blocks are looked through, which a check of a thousand pods should not do for each of them. */
enum scoreboard_guard pool_pod_guard(struct pool_pod *pod)
{
    int64_t now = loop_now_ns(pod->pool->settings.loop);
    struct scoreboard_pod seen;

    if (now < pod->guard_look_ns)
        return pod->guard;
    scoreboard_pod(pod->pool->settings.board, pod->id, &seen);
    if (seen.guard != SCOREBOARD_GUARD_UNKNOWN && seen.guard_generation >= pod->pool->settings.generation)
        pod->guard = seen.guard;
    pod->guard_look_ns = now + (pod->guard == SCOREBOARD_PROTECTED ? GUARD_LOOK_NS : GUARD_LOOK_SOON_NS);
    return pod->guard;
}

uint64_t pool_pod_id(const struct pool_pod *pod)
{
    return pod->id;
}

const char *pool_pod_name(const struct pool_pod *pod)
{
    return pod->name;
}

const struct addr *pool_pod_addr(const struct pool_pod *pod)
{
    return &pod->addr;
}

uint16_t pool_pod_port(const struct pool_pod *pod)
{
    return pod->port;
}

const char *pool_pod_reason(const struct pool_pod *pod)
{
    return pod->reason ? pod->reason : "";
}

enum probe_outcome pool_pod_failure(const struct pool_pod *pod)
{
    return pod->failure;
}
