/* SPDX-License-Identifier: MIT */
/* Who is asked: the pods that count, but the origin, while the table changes under the check. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "check_private.h"

/* ---- the origin ---- */

/* Pods at the origin's address, in whatever state: one that is being deleted may be the origin, and one that counts on
 * the same node is a peer then. Only failed ones are left out: their addresses may be others' already. */
static size_t count_at_origin(const struct check *check, const struct podtable_snapshot *snapshot)
{
    size_t n = 0;

    for (size_t i = 0; i < snapshot->n; i++)
        n += snapshot->pods[i].state != PODTABLE_FAILED && addr_equal(&snapshot->pods[i].addr, &check->origin_addr);
    return n;
}

static void look_up_origin(struct check *check, const struct podtable_snapshot *snapshot)
{
    if (strcmp(check->origin, "-") == 0) {
        check->origin_known = true;
    } else if (check->origin_addr.family != 0) {
        size_t n = count_at_origin(check, snapshot);

        check->origin_known = n > 0;
        check->origin_shared = n > 1;
    } else {
        check->origin_known = podtable_find_name(snapshot, check->origin, strlen(check->origin)) != NULL;
    }
}

static bool is_origin(const struct check *check, const struct pool_pod *pod)
{
    if (check->origin_addr.family != 0)
        return !check->origin_shared && addr_equal(pool_pod_addr(pod), &check->origin_addr);
    return strcmp(pool_pod_name(pod), check->origin) == 0;
}

void check_want_refresh(struct check *check)
{
    const struct checker_settings *settings = &check->checker->settings;

    check->refresh_mark = podtable_scrapes(settings->table).begun;
    check->refresh_pending = true;
    check->refresh_wanted = settings->ask_refresh(settings->arg, check->origin) < 0;
}

void check_follow_refresh(struct check *check)
{
    if (check->refresh_wanted)
        check_want_refresh(check);
    if (check->refresh_pending && podtable_scrapes(check->checker->settings.table).ended > check->refresh_mark)
        check->refresh_pending = check->refresh_wanted = false;
}

/* ---- following the table ---- */

static void drop_gone(struct check *check)
{
    for (struct peer_chunk *chunk = check->chunks; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->n; i++)
            if (!chunk->peers[i].dropped && pool_pod_is_gone(chunk->peers[i].pod))
                check_peer_drop(&chunk->peers[i]);
}

static int compare_pods(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (struct pool_pod *const *)a, y = (uintptr_t) * (struct pool_pod *const *)b;

    return (x > y) - (x < y);
}

/* The pods of the peers that count, sorted by address in memory, to be searched. */
static size_t list_pods(const struct check *check, const struct pool_pod **pods)
{
    size_t n = 0;

    for (struct peer_chunk *chunk = check->chunks; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->n; i++)
            if (!chunk->peers[i].dropped)
                pods[n++] = chunk->peers[i].pod;
    if (n > 0)
        qsort(pods, n, sizeof(*pods), compare_pods);
    return n;
}

/* Adds the pods of the pool that are no peers yet, but not the origin. 0, or -1 if memory is out. */
static int add_new(struct check *check)
{
    struct pool *pool = check->checker->settings.pool;
    int64_t now = loop_now_ns(check->checker->settings.loop);
    size_t size = pool_size(pool), n_known = 0;
    const struct pool_pod **known = calloc(check->n_peers + 1, sizeof(struct pool_pod *));
    struct peer_chunk *chunk = calloc(1, sizeof(*chunk) + size * sizeof(chunk->peers[0]));

    if (!known || !chunk || schedule_reserve(&check->schedule, check->schedule.n + (uint32_t)size) < 0) {
        free(known);
        free(chunk);
        return -1;
    }
    n_known = list_pods(check, known);
    for (size_t i = 0; i < size; i++) {
        struct pool_pod *pod = pool_get(pool, i);

        if (!is_origin(check, pod) && (n_known == 0 || !bsearch(&pod, known, n_known, sizeof(*known), compare_pods)))
            check_peer_add(check, chunk, pod, now);
    }
    free(known);
    if (chunk->n == 0) {
        free(chunk);
        return 0;
    }
    chunk->next = check->chunks;
    check->chunks = chunk;
    return 0;
}

enum check_refusal check_follow_table(struct check *check)
{
    const struct checker_settings *settings = &check->checker->settings;
    const struct podtable_snapshot *snapshot;

    /* Before the snapshot: after it, it could speak of a newer list than the snapshot's. */
    if (podtable_scrapes(settings->table).last == PODTABLE_SCRAPE_TOO_MANY)
        return CHECK_TOO_MANY_PODS;
    /* Cheap where nothing has changed. The table is looked at itself, not the message that tells of a change: a pod that
     * is in it must be asked before Synced is said. */
    if (podtable_reader_snapshot(settings->table, &snapshot) == PODTABLE_READ_NO_MEMORY ||
        pool_update(settings->pool, snapshot) < 0)
        return CHECK_OVERLOADED;
    if (check->generation == snapshot->generation)
        return CHECK_ACCEPTED;
    look_up_origin(check, snapshot);
    drop_gone(check);
    if (add_new(check) < 0)
        return CHECK_OVERLOADED;
    check->generation = snapshot->generation;
    return CHECK_ACCEPTED;
}
