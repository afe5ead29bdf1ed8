/* SPDX-License-Identifier: MIT */
/*
 * Who sends control probes, when, and what their answers mean. A few are under way at a time and a bounded
 * number of pods is looked at in one turn, so that 8,192 pods cost no turn more than some 0.1 ms. The first
 * round goes as fast as that allows; each pod's next turn is then drawn within the minute, so that later ones
 * are spread over it.
 */
#include <config.h>

#include <stdlib.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/random.h>
#include <syncer/probe/guard.h>

#include "pool_private.h"

#define LOOK_NS (250 * NS_PER_MS) /* am I the one, and is somebody due? */
#define SOON_NS (10 * NS_PER_MS)  /* not all pods have been looked at yet */
#define EVERY_MS 60000u
#define AGAIN_MIN_NS NS_PER_S /* after a probe that neither 200 nor 401 answered; doubled up to EVERY_MS */
#define ASKS_MAX 8            /* under way */
#define LOOKED_AT_MAX 512     /* pods in one turn */

struct ask {
    struct probe probe;
    struct guard *guard;
    struct pool_pod *pod; /* held while it is under way, else NULL */
    bool first;           /* of this duty */
};

struct guard {
    struct guard_settings settings;
    const struct guard_events *events;
    void *arg;
    struct loop_timer look;
    struct loop_task more; /* an ask has become free */
    bool is_the_one;
    uint32_t duty; /* how often it has become that: what was asked in an earlier one is asked anew */
    size_t at;     /* the pod to be looked at next */
    size_t left;   /* of this round */
    struct ask asks[ASKS_MAX];
};

/* ---- who ---- */

static bool is_the_one(const struct guard *guard)
{
    struct scoreboard_owner own, other;

    scoreboard_owner(guard->settings.board, guard->settings.block, &own);
    if (own.state != SCOREBOARD_READY)
        return false;
    for (uint32_t i = 1; i < scoreboard_blocks(guard->settings.board); i++) {
        scoreboard_owner(guard->settings.board, i, &other);
        if (i == guard->settings.block || other.state != SCOREBOARD_READY)
            continue;
        if (other.generation > own.generation || (other.generation == own.generation && i < guard->settings.block))
            return false;
    }
    return true;
}

/* Nobody knows what the one before had still to ask: all are asked anew. */
static void take_over(struct guard *guard)
{
    guard->is_the_one = true;
    guard->duty++;
}

static void give_up(struct guard *guard)
{
    guard->is_the_one = false;
    loop_task_cancel(guard->settings.loop, &guard->more);
    for (size_t i = 0; i < ASKS_MAX; i++) {
        struct ask *ask = &guard->asks[i];

        if (!ask->pod)
            continue;
        probe_cancel(&ask->probe);
        pool_pod_drop(ask->pod);
        ask->pod = NULL;
    }
}

/* ---- answers ---- */

static void note(struct guard *guard, const struct pool_pod *pod, enum scoreboard_guard found)
{
    struct scoreboard *board = guard->settings.board;
    struct scoreboard_pod before;

    scoreboard_add(board, found == SCOREBOARD_PROTECTED ? METRIC_CONTROL_PROTECTED : METRIC_CONTROL_UNPROTECTED, 1);
    scoreboard_pod(board, pod->id, &before);
    scoreboard_note_guard(board, pod->id, found, loop_now_ns(guard->settings.loop));
    if (found == SCOREBOARD_UNPROTECTED && before.guard != SCOREBOARD_UNPROTECTED)
        guard->events->on_unprotected(guard->arg, pod);
    if (found == SCOREBOARD_PROTECTED && before.guard == SCOREBOARD_UNPROTECTED)
        guard->events->on_protected(guard->arg, pod);
}

/* Soon at first: with control_probe: fail checks wait for it. */
static int64_t again_ns(struct pool_pod *pod)
{
    int64_t wait = AGAIN_MIN_NS << (pod->control_failures < 6 ? pod->control_failures++ : 6);

    return wait < EVERY_MS * NS_PER_MS ? wait : EVERY_MS * NS_PER_MS;
}

static void on_answered(struct probe *probe)
{
    struct ask *ask = container_of(probe, struct ask, probe);
    struct guard *guard = ask->guard;
    struct pool_pod *pod = ask->pod;
    int64_t now = loop_now_ns(guard->settings.loop);

    if (probe->outcome == PROBE_PRESENT || probe->outcome == PROBE_ABSENT) {
        pod->control_failures = 0;
        note(guard, pod, probe->outcome == PROBE_PRESENT ? SCOREBOARD_UNPROTECTED : SCOREBOARD_PROTECTED);
        pod->control_due_ns = now + (ask->first ? 1 + random_below(EVERY_MS) : EVERY_MS) * NS_PER_MS;
    } else {
        scoreboard_add(guard->settings.board, METRIC_CONTROL_FAILED, 1);
        pod->control_due_ns = now + again_ns(pod); /* what was found before stands */
    }
    ask->pod = NULL;
    pool_pod_drop(pod);
    loop_task_post(guard->settings.loop, &guard->more);
}

/* ---- asking ---- */

/* Only on a connection that stands: for a control probe none is opened. */
static bool is_due(const struct guard *guard, const struct pool_pod *pod, int64_t now)
{
    bool due = pod->control_duty != guard->duty || now >= pod->control_due_ns;

    return due && !pod->down && pod->n_links > pod->n_opening;
}

/* The next pod that is due; NULL if none is, or `budget` pods have been looked at. */
static struct pool_pod *next_due(struct guard *guard, uint32_t *budget)
{
    struct pool *pool = guard->settings.pool;
    int64_t now = loop_now_ns(guard->settings.loop);

    for (; guard->left > 0 && *budget > 0 && pool_size(pool) > 0; --*budget) {
        struct pool_pod *pod;

        if (guard->at >= pool_size(pool))
            guard->at = 0;
        pod = pool_get(pool, guard->at++);
        guard->left--;
        if (is_due(guard, pod, now))
            return pod;
    }
    return NULL;
}

/* -1 if memory is out: the pod stays due. */
static int begin_ask(struct ask *ask, struct pool_pod *pod)
{
    struct probe_text *text = probe_text_made_up(ask->guard->settings.pool);

    if (!text)
        return -1;
    pool_pod_hold(pod);
    ask->pod = pod;
    ask->first = pod->control_duty != ask->guard->duty;
    if (ask->first)
        pod->control_failures = 0;
    pod->control_duty = ask->guard->duty;
    pod->control_due_ns = INT64_MAX;
    probe_start(&ask->probe, pod, text);
    probe_text_drop(text);
    return 0;
}

static void ask_due(struct guard *guard)
{
    uint32_t budget = LOOKED_AT_MAX;

    for (size_t i = 0; i < ASKS_MAX; i++) {
        struct pool_pod *pod;

        if (guard->asks[i].pod)
            continue;
        pod = next_due(guard, &budget);
        if (!pod || begin_ask(&guard->asks[i], pod) < 0)
            return;
    }
}

static void on_more(struct loop_task *task)
{
    ask_due(container_of(task, struct guard, more));
}

static void on_look_due(struct loop_timer *timer)
{
    struct guard *guard = container_of(timer, struct guard, look);
    int64_t now = loop_now_ns(guard->settings.loop);
    bool one = is_the_one(guard);

    if (one && !guard->is_the_one)
        take_over(guard);
    if (!one && guard->is_the_one)
        give_up(guard);
    if (one && guard->left == 0)
        guard->left = pool_size(guard->settings.pool);
    if (one)
        ask_due(guard);
    loop_timer_set(timer, now + (one && guard->left > 0 ? SOON_NS : LOOK_NS));
}

/* ---- life ---- */

struct guard *guard_new(const struct guard_settings *settings, const struct guard_events *events, void *arg,
                        struct err *err)
{
    struct guard *guard = calloc(1, sizeof(*guard));

    if (!guard) {
        err_set(err, "control probes: out of memory");
        return NULL;
    }
    guard->settings = *settings;
    guard->events = events;
    guard->arg = arg;
    guard->more.run = on_more;
    loop_timer_init(&guard->look, settings->loop, LOOP_EARLY, on_look_due);
    for (size_t i = 0; i < ASKS_MAX; i++) {
        guard->asks[i].guard = guard;
        probe_init(&guard->asks[i].probe, settings->loop, on_answered);
    }
    return guard;
}

void guard_free(struct guard *guard)
{
    if (!guard)
        return;
    loop_timer_cancel(&guard->look);
    give_up(guard);
    free(guard);
}

void guard_begin(struct guard *guard)
{
    loop_timer_set(&guard->look, loop_now_ns(guard->settings.loop));
}
