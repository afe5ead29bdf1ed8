/* SPDX-License-Identifier: MIT */
/*
 * How many connections a pod has, whether it takes any, and which waiting probe gets the next free one. What happens on a
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
#define OPENING_MAX 2 /* connections of one pod that are opened at a time */
#define WORTH_MAX_NS (100 * NS_PER_MS)
#define AHEAD_MAX 16u /* answers before a connection's end at which the next one is opened */
#define DOWN_FAILURES 3
#define DOWN_SPAN_NS NS_PER_S

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

void pool_supply_reopen_due(struct loop_timer *timer)
{
    struct pool_pod *pod = container_of(timer, struct pool_pod, reopen);

    if (!pod->gone && pod->n_links == 0)
        pool_pod_open(pod);
}

static void keep_warm(struct pool_pod *pod)
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

void pool_pod_ended(struct pool_pod *pod, bool served)
{
    /* One that has served shows that the next one will, so nobody needs to be protected from trying too often. */
    if (served && !pod->gone && pod->n_links == 0 && pod->failures == 0 && !pod->reopen.set)
        pool_pod_open(pod);
    else
        keep_warm(pod);
}

/* A pod that is about to leave serves the connections it has and refuses others: these are not tried in a row then. */
static bool may_open(const struct pool_pod *pod)
{
    bool works = pod->n_links > pod->n_opening;

    return !pod->gone && pod->n_links < pod->pool->settings.host_keepalives && pod->n_opening < OPENING_MAX &&
           (!works || loop_now_ns(pod->pool->settings.loop) >= pod->retry_ns);
}

/* ---- connections that end by count ----
 *
 * A pod may close each connection after so many answers (nginx: keepalive_requests). Once two have ended at the same number
 * the next one is opened ahead of that, so that no question has to wait for it. */

static bool is_near_its_end(const struct pool_link *pl)
{
    uint32_t life = pl->pod->life, ahead = life / 2 < AHEAD_MAX ? life / 2 : AHEAD_MAX;

    return life > 0 && pl->state != POOL_LINK_OPENING && pl->served + ahead >= life;
}

void pool_pod_note_life(struct pool_pod *pod, uint32_t served)
{
    pod->life = served > 1 && served == pod->last_life ? served : 0;
    pod->last_life = served;
}

void pool_pod_open_ahead(struct pool_pod *pod, const struct pool_link *pl)
{
    if (pod->life > 0 && pl->served > pod->life)
        pod->life = 0;
    if (!is_near_its_end(pl) || !may_open(pod))
        return;
    for (pl = pod->links; pl; pl = pl->next)
        if (!is_near_its_end(pl))
            return;
    pool_pod_open(pod);
}

/* ---- who waits ---- */

static struct pool_link *find_idle(const struct pool_pod *pod)
{
    struct pool_link *pl = pod->n_idle > 0 ? pod->links : NULL;

    while (pl && pl->state != POOL_LINK_IDLE)
        pl = pl->next;
    return pl;
}

/* Whether a probe may go out now: max_probe_rate evenly, and up to a tenth of a second's worth of them at once. If not, a
 * timer tells when. */
static bool take_turn(struct pool_pod *pod)
{
    int64_t now = loop_now_ns(pod->pool->settings.loop), rate = pod->pool->settings.max_probe_rate, earliest;

    if (rate == 0)
        return true;
    earliest = now - (rate / 10) * (NS_PER_S / rate);
    if (pod->turn_ns < earliest)
        pod->turn_ns = earliest;
    if (pod->turn_ns > now) {
        loop_timer_set(&pod->turn, pod->turn_ns);
        return false;
    }
    pod->turn_ns += NS_PER_S / rate;
    return true;
}

static void dispatch_due(struct pool_pod *pod)
{
    pool_pod_hold(pod);
    pool_pod_dispatch(pod);
    pool_pod_drop(pod);
}

void pool_supply_turn_due(struct loop_timer *timer)
{
    dispatch_due(container_of(timer, struct pool_pod, turn));
}

void pool_supply_more_due(struct loop_timer *timer)
{
    dispatch_due(container_of(timer, struct pool_pod, more));
}

/* A further connection costs both sides as much as dozens of answers, for which it would have been enough to wait. So it is
 * opened for a probe that has waited as long as opening one took the last time: both together cost at most twice what the
 * better of the two would have. Where no other one will be free, at once. Of those that are being opened, each is for one of
 * the first that wait. */
static void open_more(struct pool_pod *pod)
{
    int64_t now = loop_now_ns(pod->pool->settings.loop);
    uint32_t for_others = pod->n_opening;

    for (struct probe *probe = pod->waiting_first; probe && may_open(pod); probe = probe->next) {
        int64_t worth_ns = probe->started_ns + pod->opening_ns;

        if (for_others > 0) {
            for_others--;
            continue;
        }
        if (pod->n_links > pod->n_orphans && worth_ns > now) {
            if (!pod->more.set)
                loop_timer_set(&pod->more, worth_ns);
            return;
        }
        pool_pod_open(pod);
    }
}

void pool_pod_dispatch(struct pool_pod *pod)
{
    struct pool_link *pl;

    while (pod->waiting_first && (pl = find_idle(pod)) && take_turn(pod)) {
        struct probe *probe = pod->waiting_first;

        if (pod->pool->settings.max_probe_rate > 0 || probe_waits_in_order(probe))
            probe_restart_clock(probe);
        probe_dequeue(probe);
        if (!pool_exchange_begin(pl, probe))
            probe_requeue(probe);
    }
    /* Where one is idle, the others wait for their turn. */
    if (pod->n_idle == 0)
        open_more(pod);
    if (pod->n_links == 0)
        keep_warm(pod);
}

/* ---- whether it takes any ---- */

void pool_pod_hung(struct pool_pod *pod, int64_t since_ns)
{
    struct pool_link *pl, *next;

    pod->hung_ns = loop_now_ns(pod->pool->settings.loop);
    if (pod->answered_ns >= since_ns)
        return;
    /* Nothing has come of it for all that time: it may be gone without a word, and the others be as dead as this one. */
    for (pl = pod->links; pl; pl = next) {
        next = pl->next;
        if (pl->state == POOL_LINK_IDLE)
            pool_link_close(pl);
    }
    if (pod->failures == 0) {
        pod->failures = 1;
        pod->first_failure_ns = since_ns;
    }
}

void pool_pod_opened(struct pool_pod *pod, int64_t took_ns)
{
    struct pool *pool = pod->pool;

    pod->opening_ns = took_ns < WORTH_MAX_NS ? took_ns : WORTH_MAX_NS;
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
    keep_warm(pod);
    fail_waiting(pod, pod->n_links == 0 || pod->down);
}

void pool_pod_answered(struct pool_pod *pod, bool proves)
{
    pod->backoff_ns = 0;
    pod->answered_ns = loop_now_ns(pod->pool->settings.loop);
    if (!proves || pod->proven)
        return;
    pod->proven = true;
    scoreboard_note_proven(pod->pool->settings.board, pod->id);
}
