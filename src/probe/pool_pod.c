/* SPDX-License-Identifier: MIT */
/*
 * One pod: whether it takes connections, how many there are, and which waiting probe gets the next one. What happens on a
 * connection is pool_link.c's.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/base/random.h>

#include "pool_private.h"

#define REOPEN_MIN_NS (10 * NS_PER_MS)  /* after a connection that ended without an answer: no busy loop */
#define FAILED_MIN_NS (100 * NS_PER_MS) /* after one that could not be opened */
#define REOPEN_MAX_NS (2 * NS_PER_S)
#define DOWN_FAILURES 3
#define DOWN_SPAN_NS NS_PER_S

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

/* ---- connections ---- */

void pool_pod_open(struct pool_pod *pod)
{
    struct err err;

    if (pool_link_open(pod, &err) == 0)
        return;
    /* Nothing of the pod's: memory is out here. Who waits has a limit of its own. */
    pod->short_ns = loop_now_ns(pod->pool->settings.loop);
    pool_pod_set_reason(pod, err.text);
    if (!pod->reopen.set)
        loop_timer_set(&pod->reopen, loop_now_ns(pod->pool->settings.loop) + FAILED_MIN_NS);
}

static void on_reopen_due(struct loop_timer *timer)
{
    struct pool_pod *pod = container_of(timer, struct pool_pod, reopen);

    if (!pod->gone && pod->n_links == 0)
        pool_pod_open(pod);
}

void pool_pod_keep_warm(struct pool_pod *pod)
{
    int64_t delay;

    if (pod->gone || pod->n_links > 0 || pod->reopen.set)
        return;
    delay = pod->backoff_ns * 2;
    if (delay < (pod->failures ? FAILED_MIN_NS : REOPEN_MIN_NS))
        delay = pod->failures ? FAILED_MIN_NS : REOPEN_MIN_NS;
    pod->backoff_ns = delay < REOPEN_MAX_NS ? delay : REOPEN_MAX_NS;
    /* Jitter, so that the workers and the pods that failed together don't come back together. */
    delay = pod->backoff_ns - random_below((uint32_t)(pod->backoff_ns / 4));
    loop_timer_set(&pod->reopen, loop_now_ns(pod->pool->settings.loop) + delay);
}

static struct pool_link *find_idle(const struct pool_pod *pod)
{
    struct pool_link *pl = pod->n_idle > 0 ? pod->links : NULL;

    while (pl && pl->state != POOL_LINK_IDLE)
        pl = pl->next;
    return pl;
}

/* A pod that is about to leave serves the connections it has and refuses others: these are not tried in a row then. */
static bool may_open(const struct pool_pod *pod)
{
    bool works = pod->n_links > pod->n_opening;

    return !pod->gone && pod->n_links < pod->pool->settings.host_keepalives &&
           (!works || loop_now_ns(pod->pool->settings.loop) >= pod->retry_ns);
}

void pool_pod_dispatch(struct pool_pod *pod)
{
    struct pool_link *pl;

    while (pod->waiting_first && (pl = find_idle(pod))) {
        struct probe *probe = pod->waiting_first;

        probe_dequeue(probe);
        if (!pool_link_ask(pl, probe))
            probe_requeue(probe);
    }
    for (uint32_t opening = pod->n_opening; opening < pod->n_waiting && may_open(pod); opening++)
        pool_pod_open(pod);
    if (pod->n_links == 0)
        pool_pod_keep_warm(pod);
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
    loop_timer_init(&pod->reopen, pool->settings.loop, LOOP_EARLY, on_reopen_due);
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

/* ---- whether it takes any ---- */

void pool_pod_opened(struct pool_pod *pod)
{
    struct pool *pool = pod->pool;

    scoreboard_add(pool->settings.board, METRIC_LINKS_OPENED, 1);
    pod->failures = 0;
    if (pod->down) {
        pod->down = false;
        if (pool->events.on_up)
            pool->events.on_up(pool->arg, pod);
    }
}

static void fail_waiting(struct pool_pod *pod, bool all)
{
    do {
        struct probe *probe = pod->waiting_first;

        if (!probe)
            break;
        probe_finish(probe, pod->failure, 0);
    } while (all);
}

static void count_failure(struct pool_pod *pod)
{
    struct pool *pool = pod->pool;
    int64_t now = loop_now_ns(pool->settings.loop);

    if (pod->failures++ == 0)
        pod->first_failure_ns = now;
    if (!pod->down && pod->failures >= DOWN_FAILURES && now - pod->first_failure_ns >= DOWN_SPAN_NS) {
        pod->down = true;
        if (pool->events.on_down)
            pool->events.on_down(pool->arg, pod, pool_pod_reason(pod));
    }
}

void pool_pod_failed(struct pool_pod *pod, enum link_failure failure, const char *reason)
{
    static const enum probe_outcome failures[] = {
        [LINK_NO_CONNECTION] = PROBE_CONNECT, [LINK_TLS_FAILED] = PROBE_TLS, [LINK_NO_RESOURCES] = PROBE_SHORT};
    struct pool *pool = pod->pool;

    pool_pod_set_reason(pod, reason);
    pod->failure = failures[failure];
    if (failure == LINK_NO_RESOURCES)
        pod->short_ns = loop_now_ns(pool->settings.loop);
    else
        scoreboard_add(pool->settings.board, METRIC_LINKS_FAILED, 1);
    /* With a connection that works, the others' failure only means a longer queue: such a pod is not down. */
    if (pod->n_links > pod->n_opening) {
        pod->retry_ns = loop_now_ns(pool->settings.loop) + FAILED_MIN_NS;
        return;
    }
    if (failure != LINK_NO_RESOURCES)
        count_failure(pod);
    pool_pod_keep_warm(pod);
    fail_waiting(pod, pod->n_links == 0 || pod->down);
}

void pool_pod_answered(struct pool_pod *pod, bool proves)
{
    pod->backoff_ns = 0;
    if (!proves || pod->proven)
        return;
    pod->proven = true;
    scoreboard_note_proven(pod->pool->settings.board, pod->id);
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
