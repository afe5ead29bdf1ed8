/* SPDX-License-Identifier: MIT */
/* Who is asked: the pods that count, but the origin, while the table changes under the flight. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check_private.h"

/* ---- the origin ---- */

/* Pods at the origin's address, in whatever state: one that is being deleted may be the origin, and one that counts on
 * the same node is a peer then. Only failed ones are left out: their addresses may be others' already. */
static size_t count_at_origin(const struct flight *flight, const struct podtable_snapshot *snapshot)
{
    size_t n = 0;

    for (size_t i = 0; i < snapshot->n; i++)
        n += snapshot->pods[i].state != PODTABLE_FAILED && addr_equal(&snapshot->pods[i].addr, &flight->origin_addr);
    return n;
}

static void look_up_origin(struct flight *flight, const struct podtable_snapshot *snapshot)
{
    if (strcmp(flight->origin, "-") == 0) {
        flight->origin_known = true;
    } else if (flight->origin_addr.family != 0) {
        size_t n = count_at_origin(flight, snapshot);

        flight->origin_known = n > 0;
        flight->origin_shared = n > 1;
    } else {
        flight->origin_known = podtable_find_name(snapshot, flight->origin, strlen(flight->origin)) != NULL;
    }
}

bool flight_is_origin(const struct flight *flight, const struct pool_pod *pod)
{
    if (flight->origin_addr.family != 0)
        return !flight->origin_shared && addr_equal(pool_pod_addr(pod), &flight->origin_addr);
    return strcmp(pool_pod_name(pod), flight->origin) == 0;
}

/* ---- following the table ---- */

static void drop_gone(struct flight *flight)
{
    for (struct peer_chunk *chunk = flight->chunks; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->n; i++)
            if (!chunk->peers[i].dropped && pool_pod_is_gone(chunk->peers[i].pod))
                flight_peer_drop(&chunk->peers[i]);
}

/* Marks the pods of the peers that count. How many pods of the pool are none, the origin left out. */
static size_t count_new(const struct flight *flight)
{
    struct pool *pool = flight->checker->settings.pool;
    size_t n = 0;

    pool_unmark_all(pool);
    for (const struct peer_chunk *chunk = flight->chunks; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->n; i++)
            if (!chunk->peers[i].dropped)
                pool_pod_mark(chunk->peers[i].pod);
    for (size_t i = 0; i < pool_size(pool); i++)
        n += !pool_pod_is_marked(pool_get(pool, i)) && !flight_is_origin(flight, pool_get(pool, i));
    return n;
}

/* Room for `n` more peers, here and in each check. NULL if memory is out. */
static struct peer_chunk *make_room(struct flight *flight, size_t n)
{
    uint32_t all = flight->schedule.n + (uint32_t)n;

    if (schedule_reserve(&flight->schedule, all) < 0)
        return NULL;
    for (struct check *check = flight->first; check; check = check->newer)
        if (check_reserve(check, all) < 0)
            return NULL;
    return calloc(1, sizeof(struct peer_chunk) + n * sizeof(struct flight_peer));
}

/* Adds the pods of the pool that are no peers yet, but not the origin. 0, or -1 if memory is out. */
static int add_new(struct flight *flight)
{
    struct pool *pool = flight->checker->settings.pool;
    int64_t now = loop_now_ns(flight->checker->settings.loop);
    size_t n = count_new(flight);
    struct peer_chunk *chunk;

    if (n == 0)
        return 0;
    chunk = make_room(flight, n);
    if (!chunk)
        return -1;
    for (size_t i = 0; i < pool_size(pool); i++)
        if (!pool_pod_is_marked(pool_get(pool, i)) && !flight_is_origin(flight, pool_get(pool, i)))
            flight_peer_add(flight, chunk, pool_get(pool, i), now);
    chunk->next = flight->chunks;
    flight->chunks = chunk;
    return 0;
}

enum check_refusal flight_follow_table(struct flight *flight)
{
    const struct checker_settings *settings = &flight->checker->settings;
    const struct podtable_snapshot *snapshot;

    /* Before the snapshot: after it, it could speak of a newer list than the snapshot's. */
    if (podtable_scrapes(settings->table).last == PODTABLE_SCRAPE_TOO_MANY)
        return CHECK_TOO_MANY_PODS;
    /* Cheap where nothing has changed. The table is looked at itself, not the message that tells of a change: a pod that
     * is in it must be asked before Synced is said. */
    if (podtable_reader_snapshot(settings->table, &snapshot) == PODTABLE_READ_NO_MEMORY ||
        pool_update(settings->pool, snapshot) < 0)
        return CHECK_OVERLOADED;
    if (flight->generation == snapshot->generation)
        return CHECK_ACCEPTED;
    look_up_origin(flight, snapshot);
    drop_gone(flight);
    if (add_new(flight) < 0)
        return CHECK_OVERLOADED;
    flight->generation = snapshot->generation;
    return CHECK_ACCEPTED;
}
