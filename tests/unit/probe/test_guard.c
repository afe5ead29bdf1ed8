/* SPDX-License-Identifier: MIT */
/* Control probes: who sends them, what is found, and what a check makes of it. */
#include <config.h>

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/macros.h>
#include <syncer/probe/guard.h>

#include "rig.h"

TestSuite(guard, .timeout = 30);

static struct rig rig;
static struct asked asked;
static struct guard *guard;
static unsigned unprotected, protected;

static void on_unprotected(void *arg, const struct pool_pod *pod)
{
    cr_expect(arg == &rig && pool_pod_name(pod)[0] == 'p');
    unprotected++;
}

static void on_protected(void *arg, const struct pool_pod *pod)
{
    cr_expect(arg == &rig && pool_pod_name(pod)[0] == 'p');
    protected++;
}

static void guard_open(void)
{
    static const struct guard_events events = {.on_unprotected = on_unprotected, .on_protected = on_protected};
    struct guard_settings settings = {.loop = rig.loop, .pool = rig.pool, .board = rig.board, .block = RIG_BLOCK};

    cr_assert(guard = guard_new(&settings, &events, &rig, NULL));
    scoreboard_set_state(rig.board, SCOREBOARD_READY);
    guard_begin(guard);
}

static void guard_close(void)
{
    guard_free(guard);
    rig_close(&rig);
}

static enum scoreboard_guard found(size_t pod)
{
    struct scoreboard_pod seen;

    scoreboard_pod(rig.master, rig.list[pod].id, &seen);
    return seen.guard;
}

static unsigned requests(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < rig.n; i++)
        n += rig.pods[i].n_requests;
    return n;
}

/* Another worker is the one for a while: afterwards all pods are asked anew. */
static void ask_anew(void)
{
    unsigned before = requests();

    scoreboard_set_state(rig.board, SCOREBOARD_RETIRING);
    rig_pass(&rig, 300);
    scoreboard_set_state(rig.board, SCOREBOARD_READY);
    rig_until(&rig, requests() >= before + rig.n);
}

/* ---- what is found ---- */

Test(guard, a_pod_that_refuses_is_protected)
{
    struct scoreboard_pod seen;
    char first[64];
    const char *token;

    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO));
    rig_publish(&rig);
    guard_open();
    rig_until(&rig, found(0) == SCOREBOARD_PROTECTED);
    token = strstr(rig.pods[0].head, "c=") + 2;
    cr_expect_eq(strspn(token, "0123456789abcdef"), 32);
    cr_expect(strstr(rig.pods[0].head, "\r\nX-Request-ID: "), "it looks like any other");
    memcpy(first, token, 32);
    ask_anew();
    cr_expect_neq(memcmp(first, strstr(rig.pods[0].head, "c=") + 2, 32), 0, "the same token again");
    rig_until(&rig, rig_count(&rig, METRIC_CONTROL_PROTECTED) == 2);
    cr_expect(unprotected == 0 && protected == 0);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_ABSENT), 0, "it is none of a check's");
    scoreboard_pod(rig.board, rig.list[0].id, &seen);
    cr_expect(seen.result == SCOREBOARD_NO_RESULT && seen.guard_generation == RIG_GENERATION);
    guard_close();
}

Test(guard, a_pod_that_says_200_is_unprotected_and_not_proven)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_publish(&rig);
    guard_open();
    rig_until(&rig, unprotected == 1);
    cr_expect_eq(found(0), SCOREBOARD_UNPROTECTED);
    cr_expect_eq(pool_pod_guard(pool_get(rig.pool, 0)), SCOREBOARD_UNPROTECTED);
    cr_expect_not(pool_pod_is_proven(pool_get(rig.pool, 0)));
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_PRESENT), 0);
    ask_anew();
    rig_until(&rig, rig_count(&rig, METRIC_CONTROL_UNPROTECTED) == 2);
    cr_expect_eq(unprotected, 1, "told once");
    guard_close();
}

Test(guard, a_pod_that_is_mended)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK), SAY(NO));
    rig_publish(&rig);
    guard_open();
    rig_until(&rig, unprotected == 1);
    ask_anew();
    rig_until(&rig, protected == 1);
    cr_expect_eq(pool_pod_guard(pool_get(rig.pool, 0)), SCOREBOARD_PROTECTED);
    guard_close();
}

Test(guard, another_answer_tells_nothing)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK), SAY("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"), {NULL, FAKE_RESET});
    rig_publish(&rig);
    guard_open();
    rig_until(&rig, unprotected == 1);
    ask_anew();
    rig_until(&rig, rig_count(&rig, METRIC_CONTROL_FAILED) == 1);
    cr_expect_eq(found(0), SCOREBOARD_UNPROTECTED, "only a 401 mends it");
    cr_expect_eq(protected, 0);
    guard_close();
}

/* With `fail` checks wait for it, so not a minute; and ever less often, if it goes on. */
Test(guard, after_another_answer_it_is_asked_again_soon)
{
    int64_t began;

    rig_open(&rig, NULL);
    rig_pod(&rig, {NULL, FAKE_RESET}, SAY("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"), SAY(NO));
    rig_publish(&rig);
    rig_until(&rig, pool_is_warm(rig.pool));
    guard_open();
    rig_until(&rig, rig_count(&rig, METRIC_CONTROL_FAILED) == 1);
    began = clock_now_ns();
    rig_until(&rig, found(0) == SCOREBOARD_PROTECTED);
    cr_expect_geq(clock_now_ns() - began, NS_PER_S / 2, "not at once either");
    cr_expect_leq(rig_count(&rig, METRIC_CONTROL_FAILED), 2);
    guard_close();
}

Test(guard, what_was_found_under_another_configuration_does_not_count)
{
    struct scoreboard *other;

    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_publish(&rig);
    cr_assert(other = scoreboard_attach(scoreboard_worker_fd(rig.master), 1, NULL));
    scoreboard_take(other, getpid(), RIG_GENERATION - 1);
    scoreboard_note_guard(other, rig.list[0].id, SCOREBOARD_UNPROTECTED, 1);
    cr_expect_eq(pool_pod_guard(pool_get(rig.pool, 0)), SCOREBOARD_GUARD_UNKNOWN);
    scoreboard_take(other, getpid(), RIG_GENERATION + 1);
    rig_pass(&rig, 30);
    scoreboard_note_guard(other, rig.list[0].id, SCOREBOARD_UNPROTECTED, 2);
    cr_expect_eq(pool_pod_guard(pool_get(rig.pool, 0)), SCOREBOARD_UNPROTECTED);
    scoreboard_free(other);
    rig_close(&rig);
}

/* ---- whom, and how many ---- */

Test(guard, a_pod_that_appears_is_asked)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO));
    rig_pod(&rig, SAY(OK));
    rig_publish_first(&rig, 1);
    guard_open();
    rig_until(&rig, found(0) == SCOREBOARD_PROTECTED);
    rig_publish(&rig);
    rig_until(&rig, found(1) == SCOREBOARD_UNPROTECTED);
    cr_expect_eq(rig.pods[0].n_requests, 1, "the other one is not asked again for that");
    guard_close();
}

Test(guard, no_connection_is_opened_for_it)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO));
    fake_refuse(&rig.pods[0]);
    rig_publish(&rig);
    guard_open();
    rig_until(&rig, rig.down == 1);
    cr_expect_eq(rig_count(&rig, METRIC_CONTROL_FAILED), 0);
    fake_listen(&rig.pods[0]);
    rig_until(&rig, found(0) == SCOREBOARD_PROTECTED);
    guard_close();
}

Test(guard, a_few_are_asked_at_a_time)
{
    rig_open(&rig, NULL);
    for (int i = 0; i < RIG_PODS; i++)
        rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    guard_open();
    rig_until(&rig, requests() == 8);
    rig_pass(&rig, 300);
    cr_expect_eq(requests(), 8);
    for (size_t i = 0; i < rig.n; i++)
        if (rig.pods[i].n_requests == 1)
            fake_send(rig.pods[i].conns, NO);
    rig_until(&rig, requests() == RIG_PODS);
    cr_expect_eq(rig_count(&rig, METRIC_CONTROL_PROTECTED), 8);
    guard_close(); /* with four under way */
}

/* ---- who asks ---- */

Test(guard, one_worker_asks_and_the_next_takes_over)
{
    struct scoreboard *other;

    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO));
    rig_warm_up(&rig);
    cr_assert(other = scoreboard_attach(scoreboard_worker_fd(rig.master), 1, NULL));
    scoreboard_take(other, getpid(), RIG_GENERATION);
    scoreboard_set_state(other, SCOREBOARD_READY);
    guard_open();
    rig_pass(&rig, 600);
    cr_expect_eq(requests(), 0, "the other's block is lower");
    scoreboard_bury(rig.master, 1);
    rig_until(&rig, requests() == 1);
    scoreboard_free(other);
    guard_close();
}

Test(guard, the_newest_configuration_asks)
{
    struct scoreboard *other;

    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO));
    rig_warm_up(&rig);
    cr_assert(other = scoreboard_attach(scoreboard_worker_fd(rig.master), 3, NULL));
    scoreboard_take(other, getpid(), RIG_GENERATION + 1);
    guard_open();
    rig_until(&rig, requests() == 1);
    scoreboard_set_state(other, SCOREBOARD_READY); /* a reload's new worker */
    rig_pass(&rig, 300);
    scoreboard_set_state(other, SCOREBOARD_STARTING); /* the reload has failed after all */
    rig_until(&rig, requests() == 2);
    scoreboard_take(other, getpid(), RIG_GENERATION - 1);
    scoreboard_set_state(other, SCOREBOARD_READY); /* an older one that has not left yet */
    rig_pass(&rig, 600);
    cr_expect_eq(requests(), 2, "it went on as the one");
    scoreboard_free(other);
    guard_close();
}

Test(guard, what_is_under_way_is_given_up_with_the_duty)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    guard_open();
    rig_until(&rig, requests() == 1);
    scoreboard_set_state(rig.board, SCOREBOARD_RETIRING);
    rig_pass(&rig, 300);
    fake_send(rig.pods[0].conns, OK);
    rig_pass(&rig, 50);
    cr_expect(unprotected == 0 && found(0) == SCOREBOARD_GUARD_UNKNOWN);
    cr_expect_not(pool_pod_is_proven(pool_get(rig.pool, 0)), "its answer is a made-up token's nevertheless");
    guard_close();
}

/* ---- what a check makes of it ---- */

Test(guard, an_unprotected_pod_has_failed)
{
    rig_open(&rig, &(struct rig_settings){.heed_control_probes = true});
    rig_pod(&rig, SAY(NO), SAY(OK));
    rig_pod(&rig, SAY(OK));
    rig_publish(&rig);
    guard_open();
    rig_until(&rig, found(0) == SCOREBOARD_PROTECTED && found(1) == SCOREBOARD_UNPROTECTED);
    rig_check(&rig, &asked, "-");
    cr_expect(asked.verdict == VERDICT_NOT_SYNCED && asked.expected == 1);
    cr_expect_eq(asked.peer[asked_peer(&asked, "p2")].outcome, PROBE_UNPROTECTED);
    cr_expect_eq(asked.peer[asked_peer(&asked, "p2")].attempts, 1, "it is final");
    cr_expect(asked.peer[asked_peer(&asked, "p2")].unprotected && !asked.peer[asked_peer(&asked, "p1")].unprotected);
    guard_close();
}

Test(guard, it_is_only_told_of_where_nobody_heeds_it)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_publish(&rig);
    guard_open();
    rig_until(&rig, unprotected == 1);
    rig_check(&rig, &asked, "-");
    cr_expect(asked.verdict == VERDICT_SYNCED && asked.peer[0].unprotected);
    cr_expect_eq(asked.peer[0].outcome, PROBE_PRESENT);
    guard_close();
}

/* As at a start: the first login waits for the control probe, and does not fail. */
Test(guard, a_200_waits_for_the_control_probe)
{
    struct scoreboard_distribution lags;

    rig_open(&rig, &(struct rig_settings){.heed_control_probes = true, .patience_ms = RIG_LONG_MS});
    rig_pod(&rig, SILENT, SAY(OK));
    rig_warm_up(&rig);
    guard_open();
    rig_until(&rig, requests() == 1);
    rig_ask(&rig, &asked, "-", false);
    rig_until(&rig, requests() >= 3);
    cr_expect_not(asked.done);
    for (struct fake_conn *conn = rig.pods[0].conns; conn; conn = conn->next)
        if (conn->requests == 1 && !conn->next)
            fake_send(conn, NO); /* the first connection has the made-up token's question */
    rig_until(&rig, asked.done);
    cr_expect(asked.verdict == VERDICT_SYNCED && asked.peer[0].attempts >= 2);
    scoreboard_distribution(rig.board, HISTOGRAM_LAG_SECONDS, &lags);
    cr_expect_eq(lags.count, 0, "it was no replication lag");
    guard_close();
}

Test(guard, without_one_nothing_is_confirmed)
{
    rig_open(&rig, &(struct rig_settings){.heed_control_probes = true, .patience_ms = 30});
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "-");
    cr_expect(asked.verdict == VERDICT_NOT_SYNCED && asked.peer[0].outcome == PROBE_UNCONFIRMED);
    cr_expect_geq(asked.peer[0].attempts, 2);
    rig_close(&rig);
}

Test(guard, a_401_needs_no_confirmation)
{
    rig_open(&rig, &(struct rig_settings){.heed_control_probes = true});
    rig_pod(&rig, SAY(OK), SAY(NO));
    rig_warm_up(&rig);
    rig_ask(&rig, &asked, "-", true);
    rig_until(&rig, asked.done);
    cr_expect(asked.verdict == VERDICT_SYNCED && asked.peer[0].attempts == 2);
    rig_close(&rig);
}
