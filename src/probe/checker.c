/* SPDX-License-Identifier: MIT */
/* All checks of a worker: which flight one belongs to, and what is told to all of them. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "check_private.h"

#define BUCKETS_MIN 64
#define BUCKETS_MAX 65536

/* Peers of the flights that are told in one turn of a change of the table: some 10 ns each, but more where pods come. */
#define FOLLOW_PEERS 8192

/* ---- flights by token ---- */

static struct flight **bucket(const struct checker *checker, uint64_t hash)
{
    return &checker->buckets[hash & (checker->n_buckets - 1)];
}

/* The hash is keyed, so that who chooses tokens can't choose those that meet; the token itself decides. */
static bool is_for(const struct flight *flight, const struct check_request *request, uint64_t hash)
{
    return flight->hash == hash && flight->expect_absent == request->expect_absent &&
           strcmp(flight->origin, request->origin) == 0 &&
           probe_text_asks_for(flight->text, request->token, request->token_len);
}

struct flight *checker_find_flight(const struct checker *checker, const struct check_request *request, uint64_t hash)
{
    struct flight *flight = *bucket(checker, hash);

    while (flight && !is_for(flight, request, hash))
        flight = flight->same_hash;
    return flight;
}

void checker_add_flight(struct checker *checker, struct flight *flight)
{
    struct flight **first = bucket(checker, flight->hash);

    flight->same_hash = *first;
    *first = flight;
    flight->next = checker->flights;
    if (flight->next)
        flight->next->prev = flight;
    checker->flights = flight;
}

void checker_remove_flight(struct checker *checker, struct flight *flight)
{
    struct flight **at = bucket(checker, flight->hash);

    while (*at != flight)
        at = &(*at)->same_hash;
    *at = flight->same_hash;
    if (checker->follow_at == flight)
        checker->follow_at = flight->next;
    if (flight->prev)
        flight->prev->next = flight->next;
    else
        checker->flights = flight->next;
    if (flight->next)
        flight->next->prev = flight->prev;
}

/* ---- what is told to all ---- */

/* Each flight looks at the table by itself before it says anything: this is for those that wait for a pod that has left. */
static void on_follow(struct loop_task *task)
{
    struct checker *checker = container_of(task, struct checker, follow);
    size_t told = 0;

    while (checker->follow_at && told < FOLLOW_PEERS) {
        struct flight *flight = checker->follow_at;

        checker->follow_at = flight->next;
        told += flight->schedule.n + 1;
        flight_step(flight);
    }
    if (checker->follow_at)
        loop_task_post(checker->settings.loop, &checker->follow);
}

void checker_table_changed(struct checker *checker)
{
    const struct podtable_snapshot *snapshot;

    podtable_reader_snapshot(checker->settings.table, &snapshot);
    /* Without memory the old pods stay, and each check tries for itself; none says anything of the old ones. */
    pool_update(checker->settings.pool, snapshot);
    checker->follow_at = checker->flights;
    loop_task_post(checker->settings.loop, &checker->follow);
}

void checker_origin_unknown(struct checker *checker, const char *name)
{
    for (struct flight *flight = checker->flights; flight; flight = flight->next) {
        if (strcmp(flight->origin, name) != 0)
            continue;
        for (struct check *check = flight->first; check; check = check->newer)
            check->refresh_pending = check->refresh_wanted = false;
        loop_task_post(checker->settings.loop, &flight->again);
    }
}

/* ---- life ---- */

struct checker *checker_new(const struct checker_settings *settings, struct err *err)
{
    struct checker *checker = calloc(1, sizeof(*checker));

    if (checker) {
        checker->settings = *settings;
        checker->follow.run = on_follow;
        checker->n_buckets = BUCKETS_MIN;
        while (checker->n_buckets < settings->max_checks && checker->n_buckets < BUCKETS_MAX)
            checker->n_buckets *= 2;
        checker->buckets = calloc(checker->n_buckets, sizeof(struct flight *));
    }
    if (!checker || !checker->buckets) {
        free(checker);
        err_set(err, "checks: out of memory");
        return NULL;
    }
    return checker;
}

void checker_free(struct checker *checker)
{
    if (!checker)
        return;
    must(checker->n == 0);
    loop_task_cancel(checker->settings.loop, &checker->follow);
    free(checker->buckets);
    free(checker);
}
