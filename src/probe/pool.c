/* SPDX-License-Identifier: MIT */
/* Which pods there are: the table's, followed from generation to generation. What is done with one is pool_pod.c's. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "pool_private.h"

#define OPEN_BATCH 8        /* begun in one turn: some 20 us each */
#define SURPLUS_NS NS_PER_S /* without a question, until a connection beyond max_keepalives is closed */
#define CLOSE_BATCH 8       /* in one turn: each says close_notify and gives its memory back */

/* Those that are new. A question does not wait for this: it has a connection opened by itself. */
static void on_open_more(struct loop_task *task)
{
    struct pool *pool = container_of(task, struct pool, open);

    for (unsigned begun = 0; begun < OPEN_BATCH; pool->open_at++) {
        struct pool_pod *pod;

        if (pool->open_at == pool->n)
            return;
        pod = pool->pods[pool->open_at];
        if (pod->n_links > 0 || pod->reopen.set)
            continue;
        pool_pod_open(pod);
        begun++;
    }
    loop_task_post(pool->settings.loop, &pool->open);
}

/* ---- what is kept ---- */

static size_t to_be_kept(const struct pool *pool)
{
    size_t most = pool->settings.max_keepalives ? pool->settings.max_keepalives : 2 * pool->n;

    return most > pool->n ? most : pool->n;
}

void pool_set_open(struct pool *pool, size_t n)
{
    pool->n_open = n;
    scoreboard_set(pool->settings.board, METRIC_LINKS_OPEN, n);
    if (n > to_be_kept(pool) && !pool->surplus.set)
        loop_timer_set(&pool->surplus, loop_now_ns(pool->settings.loop) + SURPLUS_NS);
}

/* Closes those of the pod's that have been idle for long, up to `n`, and never the last one. How many. */
static size_t close_idle(struct pool_pod *pod, size_t n)
{
    int64_t before = loop_now_ns(pod->pool->settings.loop) - SURPLUS_NS;
    struct pool_link *pl, *next;
    size_t closed = 0;

    for (pl = pod->links; pl && closed < n && pod->n_links - pod->n_opening > 1; pl = next) {
        next = pl->next;
        if (pl->state != POOL_LINK_IDLE || pl->idle_ns > before)
            continue;
        pool_link_close(pl);
        closed++;
    }
    return closed;
}

/* Pods that left are not looked at: they keep no idle ones. */
static void on_surplus_due(struct loop_timer *timer)
{
    struct pool *pool = container_of(timer, struct pool, surplus);
    int64_t now = loop_now_ns(pool->settings.loop);
    size_t keep = to_be_kept(pool), closed = 0;

    for (size_t i = 0; i < pool->n && pool->n_open > keep && closed < CLOSE_BATCH; i++) {
        size_t surplus = pool->n_open - keep, room = CLOSE_BATCH - closed;

        closed += close_idle(pool->pods[i], surplus < room ? surplus : room);
    }
    if (pool->n_open > keep)
        loop_timer_set(timer, closed == CLOSE_BATCH ? now : now + SURPLUS_NS);
}

/* ---- life ---- */

struct pool *pool_new(const struct pool_settings *settings, const struct pool_events *events, void *arg,
                      struct err *err)
{
    struct pool *pool = calloc(1, sizeof(*pool));

    if (pool)
        pool->request_head = strdup(settings->request_head);
    if (!pool || !pool->request_head) {
        free(pool);
        err_set(err, "pool of connections: out of memory");
        return NULL;
    }
    pool->settings = *settings;
    pool->settings.request_head = pool->request_head;
    pool->request_head_len = strlen(pool->request_head);
    pool->events = *events;
    pool->arg = arg;
    pool->open.run = on_open_more;
    loop_timer_init(&pool->surplus, settings->loop, LOOP_EARLY, on_surplus_due);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->n; i++)
        pool->pods[i]->gone = true; /* nothing is opened any more */
    loop_task_cancel(pool->settings.loop, &pool->open);
    while (pool->all) {
        struct pool_pod *pod = pool->all;

        pool_pod_hold(pod);
        while (pod->links)
            pool_link_close(pod->links);
        pool_pod_drop(pod);
        if (pool->all == pod)
            pool_pod_drop(pod); /* the pool's own */
    }
    loop_timer_cancel(&pool->surplus);
    free(pool->pods);
    free(pool->request_head);
    free(pool);
}

uint64_t pool_generation(const struct pool *pool)
{
    return pool->generation;
}

size_t pool_size(const struct pool *pool)
{
    return pool->n;
}

struct pool_pod *pool_get(struct pool *pool, size_t i)
{
    must(i < pool->n);
    return pool->pods[i];
}

void pool_unmark_all(struct pool *pool)
{
    pool->mark++;
}

bool pool_is_warm(const struct pool *pool)
{
    for (size_t i = 0; i < pool->n; i++)
        if (pool->pods[i]->n_links == pool->pods[i]->n_opening && pool->pods[i]->failures == 0)
            return false;
    return true;
}

/* ---- following the table ---- */

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = (*(struct pool_pod *const *)a)->id, y = (*(struct pool_pod *const *)b)->id;

    return (x > y) - (x < y);
}

static struct pool_pod *find_pod(const struct pool *pool, uint64_t id)
{
    size_t low = 0, high = pool->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (pool->pods[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < pool->n && pool->pods[low]->id == id ? pool->pods[low] : NULL;
}

/* The pods of the snapshot that count, each held once more, sorted by id. NULL if memory is out. */
static struct pool_pod **collect(struct pool *pool, const struct podtable_snapshot *snapshot, size_t *n)
{
    struct pool_pod **pods = calloc(snapshot->n + 1, sizeof(struct pool_pod *));

    *n = 0;
    for (size_t i = 0; pods && i < snapshot->n; i++) {
        const struct podtable_pod *entry = &snapshot->pods[i];
        struct pool_pod *pod;

        if (!entry->counts || entry->addr.family == 0)
            continue;
        pod = find_pod(pool, entry->id);
        if (!pod)
            pod = pool_pod_new(pool, entry);
        if (!pod) {
            while (*n > 0)
                pool_pod_drop(pods[--*n]);
            free(pods);
            return NULL;
        }
        pool_pod_hold(pod);
        pods[(*n)++] = pod;
    }
    if (pods)
        qsort(pods, *n, sizeof(struct pool_pod *), compare_ids);
    return pods;
}

int pool_update(struct pool *pool, const struct podtable_snapshot *snapshot)
{
    struct pool_pod **old = pool->pods, **pods;
    size_t n_old = pool->n, n, at = 0;

    if (snapshot->generation == pool->generation)
        return 0;
    pods = collect(pool, snapshot, &n);
    if (!pods)
        return -1;
    pool->pods = pods;
    pool->n = n;
    pool->generation = snapshot->generation;
    for (size_t i = 0; i < n_old; i++) {
        while (at < n && pods[at]->id < old[i]->id)
            at++;
        if (at == n || pods[at] != old[i])
            pool_pod_leave(old[i]);
        pool_pod_drop(old[i]); /* who stayed is held by the new list */
    }
    free(old);
    pool->open_at = 0;
    loop_task_post(pool->settings.loop, &pool->open);
    return 0;
}
