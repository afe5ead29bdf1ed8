/* SPDX-License-Identifier: MIT */
/*
 * The life of a flight: who joins and who leaves, and one step that is taken whenever something has happened: an answer, a
 * due time, a change of the table. Who asks when is schedule.c's, what an answer is probe.c's; the map is check_private.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "check_private.h"

/* Probes begun in one turn of the loop for one flight: some 10 us each, and others wait meanwhile. */
#define ASK_BATCH 48

/* Until a refresh is asked for again that could not be, because the way to the master was full. */
#define REFRESH_AGAIN_NS (20 * NS_PER_MS)

static void on_wake_due(struct loop_timer *timer);
static void on_again(struct loop_task *task);

/* ---- holding ---- */

struct flight *flight_new(struct checker *checker, const struct check_request *request, uint64_t hash)
{
    const struct checker_settings *settings = &checker->settings;
    struct flight *flight = calloc(1, sizeof(*flight));

    if (!flight)
        return NULL;
    flight->text = probe_text_new(settings->pool, request->token, request->token_len, request->fields);
    if (!flight->text) {
        free(flight);
        return NULL;
    }
    flight->checker = checker;
    flight->hash = hash;
    must(strlen(request->origin) < sizeof(flight->origin));
    memcpy(flight->origin, request->origin, strlen(request->origin) + 1);
    addr_parse(&flight->origin_addr, flight->origin, strlen(flight->origin));
    flight->expect_absent = request->expect_absent;
    loop_timer_init(&flight->wake, settings->loop, LOOP_EARLY, on_wake_due);
    flight->again.run = on_again;
    flight_origin_init(flight);
    schedule_init(&flight->schedule, &settings->schedule, request->began_ns);
    checker_add_flight(checker, flight);
    return flight;
}

/* Nobody waits any more: nobody is asked. What the peers were is kept for the results. */
static void end_asking(struct flight *flight)
{
    loop_timer_cancel(&flight->wake);
    loop_task_cancel(flight->checker->settings.loop, &flight->again);
    checker_remove_flight(flight->checker, flight);
    for (struct peer_chunk *chunk = flight->chunks; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->n; i++)
            probe_cancel(&chunk->peers[i].probe);
    flight_origin_end(flight);
    schedule_release(&flight->schedule);
    probe_text_drop(flight->text);
    flight->text = NULL;
}

void flight_hold(struct flight *flight)
{
    flight->refs++;
}

void flight_drop(struct flight *flight)
{
    if (--flight->refs > 0)
        return;
    if (flight->text)
        end_asking(flight);
    while (flight->chunks) {
        struct peer_chunk *chunk = flight->chunks;

        flight->chunks = chunk->next;
        for (size_t i = 0; i < chunk->n; i++)
            pool_pod_drop(chunk->peers[i].pod);
        free(chunk);
    }
    free(flight);
}

/* ---- who waits for it ---- */

/* Present is taken over, a probe under way is waited for; what was absent or has failed is asked again, in its turn if it is
 * to be asked anyway. */
static void introduce(struct check *check, struct flight_peer *peer)
{
    struct flight *flight = peer->flight;

    if (peer->dropped)
        return;
    if (flight_peer_vouches(peer))
        check_take(check, peer);
    else if (probe_is_under_way(&peer->probe))
        check_await(check, peer->number);
    else if (schedule_is_finished(&flight->schedule, peer->number))
        schedule_reopen(&flight->schedule, peer->number, check->joined_ns);
}

enum check_refusal flight_join(struct flight *flight, struct check *check)
{
    enum check_refusal refusal = flight_follow_table(flight);
    struct check *before = flight->last;

    if (refusal != CHECK_ACCEPTED)
        return refusal;
    if (check_reserve(check, flight->schedule.n) < 0)
        return CHECK_OVERLOADED;
    for (uint32_t number = 0; number < flight->schedule.n; number++)
        check_meet(check, !flight_peer_find(flight, number)->dropped);
    if (before) {
        schedule_extend(&flight->schedule, check->began_ns);
        for (struct peer_chunk *chunk = flight->chunks; chunk; chunk = chunk->next)
            for (size_t i = 0; i < chunk->n; i++)
                introduce(check, &chunk->peers[i]);
        loop_timer_set(&before->patience, before->patience_end_ns);
        before->newer = check;
        scoreboard_add(flight->checker->settings.board, METRIC_CHECKS_SHARED, 1);
    } else {
        flight->first = check;
    }
    check->older = before;
    flight->last = check;
    return CHECK_ACCEPTED;
}

void flight_leave(struct flight *flight, struct check *check)
{
    if (check->older)
        check->older->newer = check->newer;
    else
        flight->first = check->newer;
    if (check->newer)
        check->newer->older = check->older;
    else
        flight->last = check->older;
    check->newer = check->older = NULL;
    if (!flight->first)
        end_asking(flight);
}

/* ---- going on ---- */

/* Asks who is due. True if there are more than one turn should take. */
static bool ask_due(struct flight *flight)
{
    int64_t now = loop_now_ns(flight->checker->settings.loop);
    uint32_t number;

    for (int asked = 0; asked < ASK_BATCH; asked++) {
        number = schedule_next(&flight->schedule, now);
        if (number == SCHEDULE_NONE)
            return false;
        flight_peer_ask(flight_peer_find(flight, number));
    }
    return true;
}

/* For the next peer that is due, if nothing else happens before. */
static void set_wake(struct flight *flight)
{
    int64_t wake = schedule_wake_ns(&flight->schedule);
    int64_t again = loop_now_ns(flight->checker->settings.loop) + REFRESH_AGAIN_NS;

    for (const struct check *check = flight->first; check; check = check->newer)
        if (check->refresh_wanted && again < wake)
            wake = again;
    if (wake == SCHEDULE_NEVER)
        loop_timer_cancel(&flight->wake);
    else if (!flight->wake.set || flight->wake.due_ns != wake)
        loop_timer_set(&flight->wake, wake);
}

/* Does it for each check that runs; one may end by it, and the flight with the last. */
static void settle_all(struct flight *flight)
{
    for (struct check *check = flight->first, *next; check; check = next) {
        next = check->newer;
        check_settle(check);
    }
}

static void refuse_all(struct flight *flight, enum check_refusal refusal)
{
    for (struct check *check = flight->first, *next; check; check = next) {
        next = check->newer;
        check_refuse(check, refusal);
    }
}

void flight_step(struct flight *flight)
{
    enum check_refusal refusal;

    /* Before the table is looked at: a refresh that has come is in it then. */
    for (struct check *check = flight->first; check; check = check->newer)
        if (check->refresh_pending)
            check_follow_refresh(check);
    flight_hold(flight);
    refusal = flight_follow_table(flight);
    if (refusal != CHECK_ACCEPTED) {
        refuse_all(flight, refusal);
    } else {
        if (ask_due(flight))
            loop_task_post(flight->checker->settings.loop, &flight->again);
        settle_all(flight);
        if (flight->first)
            set_wake(flight);
    }
    flight_drop(flight);
}

static void on_wake_due(struct loop_timer *timer)
{
    flight_step(container_of(timer, struct flight, wake));
}

static void on_again(struct loop_task *task)
{
    flight_step(container_of(task, struct flight, again));
}
