/* SPDX-License-Identifier: MIT */
/* Whole checks: each verdict, each reason for none, and everything that may change while one runs. */
#include <config.h>

#include <criterion/criterion.h>
#include <sys/resource.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "rig.h"

TestSuite(check, .timeout = 30);

#define TEAPOT "HTTP/1.1 418 X\r\nContent-Length: 0\r\n\r\n"

static struct rig rig;
static struct asked asked;

static void expect(enum verdict verdict, size_t expected, size_t peers)
{
    cr_expect_eq(asked.refusal, CHECK_ACCEPTED);
    cr_expect(asked.verdict == verdict && asked.expected == expected && asked.peers == peers, "%s %zu/%zu",
              verdict_name(asked.verdict), asked.expected, asked.peers);
}

/* Turns until the k-th pod has been asked n times. */
static void until_asked(size_t k, unsigned n)
{
    rig_until(&rig, rig.pods[k].n_requests >= n);
}

static void say(size_t pod, const char *bytes)
{
    fake_send(rig.pods[pod].conns, bytes);
}

/* ---- verdicts ---- */

Test(check, synced_when_every_peer_has_it)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO));
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "p1");
    expect(VERDICT_SYNCED, 2, 2);
    cr_expect(rig.pods[0].n_requests == 0 && rig.pods[1].n_requests == 1);
    cr_expect(asked.peer[0].finished && asked.peer[0].attempts == 1 && asked.peer[0].after_ns >= 0);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_SYNCED), 1);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_RUNNING), 0);
    rig_close(&rig);
}

Test(check, the_origin_by_its_address)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO));
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "127.0.0.11");
    expect(VERDICT_SYNCED, 1, 1);
    cr_expect_eq(rig.pods[0].n_requests, 0);
    rig_close(&rig);
}

/* Two pods on one node's address: nobody can tell which of them stored the token. */
Test(check, an_address_of_two_pods_leaves_nobody_out)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(OK));
    rig.list[1].addr = rig.list[0].addr;
    rig.list[1].port = rig.list[0].port;
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "127.0.0.11");
    expect(VERDICT_SYNCED, 2, 2);
    rig_close(&rig);
}

Test(check, without_an_origin_all_are_asked)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_SYNCED, 2, 2);
    cr_expect_eq(rig.refreshes, 0);
    rig_close(&rig);
}

Test(check, a_known_origin_alone_is_synced)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "p1");
    expect(VERDICT_SYNCED, 0, 0);
    rig_close(&rig);
}

Test(check, partialy_and_not_synced)
{
    rig_open(&rig, &(struct rig_settings){.patience_ms = 20});
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(NO));
    rig_pod(&rig, SAY(NO));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "p4");
    expect(VERDICT_PARTIALY, 2, 3);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_NOT_SYNCED, 2, 4); /* half is not more than half */
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_PARTIALY), 1);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_NOT_SYNCED), 1);
    rig_close(&rig);
}

Test(check, another_status_is_final)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(TEAPOT));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_NOT_SYNCED, 0, 1);
    cr_expect(asked.peer[0].outcome == PROBE_STATUS && asked.peer[0].code == 418 && asked.peer[0].attempts == 1);
    rig_close(&rig);
}

Test(check, absent_is_waited_for_instead_on_demand)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK), SAY(NO));
    rig_pod(&rig, SAY(NO));
    rig_warm_up(&rig);
    rig_ask(&rig, &asked, "-", true);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 2, 2);
    cr_expect_eq(asked.peer[asked_peer(&asked, "p1")].attempts, 2);
    cr_expect(asked.peer[asked_peer(&asked, "p1")].proven, "it has said 200 before");
    cr_expect_not(asked.peer[asked_peer(&asked, "p2")].proven);
    rig_close(&rig);
}

/* ---- time ---- */

Test(check, a_pod_that_gets_it_later_is_waited_for)
{
    struct scoreboard_pod seen;

    rig_open(&rig, &(struct rig_settings){.patience_ms = RIG_LONG_MS});
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(NO), SAY(NO), SAY(OK));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_SYNCED, 2, 2);
    cr_expect_eq(asked.peer[asked_peer(&asked, "p2")].attempts, 3);
    cr_expect_geq(asked.peer[asked_peer(&asked, "p2")].after_ns, 20 * NS_PER_MS);
    scoreboard_pod(rig.board, rig.list[1].id, &seen);
    cr_expect_geq(seen.lag_ms, 20);
    rig_close(&rig);
}

/* sync_timeout is beyond patience: the only re-probe is the last one, at its end. */
Test(check, the_last_question_is_at_the_end_of_patience)
{
    rig_open(&rig, &(struct rig_settings){.sync_timeout_ms = RIG_LONG_MS, .patience_ms = 60});
    rig_pod(&rig, SAY(NO), SAY(OK));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_SYNCED, 1, 1);
    cr_expect_eq(asked.peer[0].attempts, 2);
    cr_expect_geq(asked.peer[0].after_ns, 60 * NS_PER_MS);
    rig_close(&rig);
}

Test(check, timeout_at_the_deadline)
{
    rig_open(&rig, &(struct rig_settings){.request_deadline_ms = 60});
    rig_pod(&rig, SILENT);
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "-");
    cr_expect_eq(asked.verdict, VERDICT_TIMEOUT);
    cr_expect_not(asked.peer[asked_peer(&asked, "p1")].finished);
    cr_expect_eq(asked.peer[asked_peer(&asked, "p1")].outcome, PROBE_CUT);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_TIMEOUT), 1);
    rig_close(&rig);
}

/* Both end in one turn: the probe has failed, and that is a whole answer. */
Test(check, a_probe_that_ends_with_the_deadline_has_failed)
{
    rig_open(&rig,
             &(struct rig_settings){
                 .connection_timeout_ms = 60, .request_deadline_ms = 60, .patience_ms = 1, .sync_timeout_ms = 60});
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_NOT_SYNCED, 0, 1);
    cr_expect_eq(asked.peer[0].outcome, PROBE_TIMEOUT);
    rig_close(&rig);
}

/* ---- probes that break ---- */

Test(check, a_broken_probe_is_repeated_once)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, {NULL, FAKE_CLOSE}, SAY(OK));
    rig_publish(&rig); /* no connection yet: the one that is opened for it is not a kept one */
    rig_check(&rig, &asked, "-");
    expect(VERDICT_SYNCED, 1, 1);
    cr_expect(asked.peer[0].attempts == 2 && rig.pods[0].n_requests == 2);
    rig_close(&rig);
}

Test(check, a_pod_that_always_breaks_has_failed)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", FAKE_CLOSE});
    rig_publish(&rig);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_NOT_SYNCED, 0, 1);
    cr_expect(asked.peer[0].outcome == PROBE_BROKEN && asked.peer[0].attempts == 2 && asked.peer[0].reason[0]);
    rig_close(&rig);
}

Test(check, a_kept_connection_that_has_ended_costs_no_attempt)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK), {NULL, FAKE_CLOSE}, SAY(OK));
    rig_warm_up(&rig);
    for (int i = 0; i < 2; i++) {
        rig_check(&rig, &asked, "-");
        expect(VERDICT_SYNCED, 1, 1);
        cr_expect_eq(asked.peer[0].attempts, 1);
    }
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_RESENT), 1);
    rig_close(&rig);
}

Test(check, a_pod_that_is_down_is_not_waited_for)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(OK));
    fake_refuse(&rig.pods[1]);
    rig_publish(&rig);
    rig_until(&rig, rig.down == 1);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_NOT_SYNCED, 1, 2);
    cr_expect_eq(asked.peer[asked_peer(&asked, "p2")].outcome, PROBE_DOWN);
    cr_expect_eq(asked.peer[asked_peer(&asked, "p2")].attempts, 0);
    fake_listen(&rig.pods[1]);
    rig_until(&rig, rig.up == 1);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_SYNCED, 2, 2);
    rig_close(&rig);
}

/* Both connections that it may have wait for answers that nobody needs any more. */
Test(check, a_pod_with_nothing_but_orphans_has_failed_at_once)
{
    rig_open(&rig, &(struct rig_settings){.host_keepalives = 2});
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    for (unsigned i = 1; i <= 2; i++) {
        cr_expect_not(pool_pod_is_overloaded(pool_get(rig.pool, 0)));
        rig_ask(&rig, &asked, "-", false);
        until_asked(0, i);
        check_cancel(asked.check);
    }
    rig_check(&rig, &asked, "-");
    expect(VERDICT_NOT_SYNCED, 0, 1);
    cr_expect(asked.peer[0].outcome == PROBE_OVERLOADED && asked.peer[0].attempts == 0);
    say(0, OK); /* one answer, late, and the connection is free */
    rig_until(&rig, !pool_pod_is_overloaded(pool_get(rig.pool, 0)));
    rig_ask(&rig, &asked, "-", false);
    until_asked(0, 3);
    say(0, OK);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

/* ---- no descriptor here ---- */

/* One pod has a connection, and the other one came when no descriptor was left. */
static struct rlimit begin_shortage(const struct rig_settings *settings)
{
    struct rlimit before, none;

    rig_open(&rig, settings);
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(OK));
    rig_publish_first(&rig, 1);
    rig_until(&rig, rig.pods[0].n_open == 1 && pool_is_warm(rig.pool));
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    rig_publish(&rig);
    return before;
}

Test(check, a_shortage_here_is_no_verdict_on_the_pod)
{
    struct rlimit before =
        begin_shortage(&(struct rig_settings){.patience_ms = 60, .request_deadline_ms = 100, .sync_timeout_ms = 10});
    size_t p2;

    rig_check(&rig, &asked, "-");
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_expect_eq(asked.verdict, VERDICT_TIMEOUT);
    p2 = asked_peer(&asked, "p2");
    cr_expect(asked.peer[p2].outcome == PROBE_SHORT && !asked.peer[p2].finished && asked.peer[p2].attempts > 1);
    cr_expect(strstr(asked.peer[p2].reason, "Too many open files"), "%s", asked.peer[p2].reason);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_CONNECT), 0);
    cr_expect_eq(rig_count(&rig, METRIC_LINKS_FAILED), 0);
    rig_close(&rig);
}

Test(check, a_shortage_that_ends_in_time_costs_time_alone)
{
    struct rlimit before = begin_shortage(&(struct rig_settings){.patience_ms = RIG_LONG_MS});
    struct scoreboard_pod seen;

    rig_ask(&rig, &asked, "-", false);
    rig_pass(&rig, 50);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 2, 2);
    scoreboard_pod(rig.board, rig.list[1].id, &seen);
    cr_expect_eq(seen.lag_ms, 0, "it is no lag of the pod's");
    rig_close(&rig);
}

/* What comes unasked looks like the answer to the next question, and says 200 every time. */
Test(check, surplus_bytes_never_make_it_synced)
{
    rig_open(&rig, &(struct rig_settings){.patience_ms = 60});
    rig_pod(&rig, SAY(NO OK));
    rig_warm_up(&rig);
    for (int i = 0; i < 3; i++) {
        rig_check(&rig, &asked, "-");
        expect(VERDICT_NOT_SYNCED, 0, 1);
    }
    rig_close(&rig);
}

/* ---- the table changes meanwhile ---- */

Test(check, a_pod_that_leaves_no_longer_counts)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    rig_ask(&rig, &asked, "-", false);
    until_asked(1, 1);
    cr_expect_not(asked.done);
    rig_publish_first(&rig, 1);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

Test(check, the_last_pod_leaves)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    rig_ask(&rig, &asked, "-", false);
    until_asked(0, 1);
    rig_publish_first(&rig, 0);
    rig_until(&rig, asked.done);
    cr_expect_eq(asked.refusal, CHECK_NO_PODS);
    rig_close(&rig);
}

Test(check, a_pod_at_another_address_is_asked_there)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SILENT);
    rig_pod(&rig, SAY(OK));
    rig_publish_first(&rig, 1);
    rig_until(&rig, pool_is_warm(rig.pool));
    rig_ask(&rig, &asked, "-", false);
    until_asked(0, 1);
    rig.list[0].id = 77; /* as the master does: another address is another pod */
    rig.list[0].addr = rig.list[1].addr;
    rig.list[0].port = rig.list[1].port;
    rig_publish_first(&rig, 1);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    cr_expect_eq(rig.pods[1].n_requests, 1);
    rig_close(&rig);
}

Test(check, a_pod_that_joins_is_asked_before_synced_is_said)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SILENT);
    rig_pod(&rig, SILENT);
    rig_publish_first(&rig, 1);
    rig_ask(&rig, &asked, "-", false);
    until_asked(0, 1);
    rig_publish(&rig);
    say(0, OK);
    until_asked(1, 1);
    cr_expect_not(asked.done);
    say(1, OK);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 2, 2);
    rig_close(&rig);
}

/* The message that tells of the change may be behind: the table itself is looked at. */
Test(check, a_pod_that_has_joined_is_seen_without_a_message)
{
    rig_open(&rig, &(struct rig_settings){.patience_ms = 20});
    rig_pod(&rig, SILENT);
    rig_pod(&rig, SAY(NO));
    rig_publish_first(&rig, 1);
    rig_ask(&rig, &asked, "-", false);
    until_asked(0, 1);
    cr_assert_eq(podtable_publish(rig.table, rig.list, 2, clock_now_ns(), NULL), 0);
    say(0, OK);
    rig_until(&rig, asked.done);
    expect(VERDICT_NOT_SYNCED, 1, 2);
    rig_close(&rig);
}

Test(check, a_list_that_is_cut_while_it_runs)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    rig_ask(&rig, &asked, "-", false);
    until_asked(0, 1);
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_TOO_MANY);
    rig_until(&rig, asked.done);
    cr_expect_eq(asked.refusal, CHECK_TOO_MANY_PODS);
    rig_close(&rig);
}

/* ---- an origin that the table does not know ---- */

static void ask_with_unknown_origin(void)
{
    rig_ask(&rig, &asked, "p9", false);
    cr_assert_eq(rig.refreshes, 1);
    cr_expect_str_eq(rig.refresh_name, "p9");
    until_asked(0, 1);
    rig_pass(&rig, 10);
    cr_expect_not(asked.done, "every known pod has it, but the list is known to be behind");
}

Test(check, an_unknown_origin_waits_for_the_refresh)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    ask_with_unknown_origin();
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_OK);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

Test(check, a_refresh_that_fails_is_waited_for_no_longer)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    ask_with_unknown_origin();
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_FAILED);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

/* A read that had begun before the question may not have seen what the question knows. */
Test(check, a_read_that_was_under_way_is_not_the_refresh)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    podtable_scrape_begin(rig.table);
    ask_with_unknown_origin();
    rig_scrape(&rig, PODTABLE_SCRAPE_OK);
    rig_pass(&rig, 10);
    cr_expect_not(asked.done);
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_OK);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

Test(check, pods_that_the_refresh_brings_join)
{
    rig_open(&rig, &(struct rig_settings){.patience_ms = 20});
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(NO));
    rig_publish_first(&rig, 1);
    ask_with_unknown_origin();
    rig_publish(&rig);
    rig_until(&rig, asked.done);
    expect(VERDICT_NOT_SYNCED, 1, 2);
    rig_close(&rig);
}

Test(check, the_refresh_brings_the_origin)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(NO));
    memcpy(rig.list[1].name, "p9", 3);
    rig_publish_first(&rig, 1);
    ask_with_unknown_origin();
    rig_publish(&rig);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    cr_expect_eq(rig.pods[1].n_requests, 0);
    rig_close(&rig);
}

Test(check, a_name_that_the_last_read_has_not_brought)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    ask_with_unknown_origin();
    checker_origin_unknown(rig.checker, "p8");
    rig_pass(&rig, 10);
    cr_expect_not(asked.done);
    checker_origin_unknown(rig.checker, "p9");
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

Test(check, a_refresh_that_could_not_be_asked_for_is_asked_for_again)
{
    unsigned before;

    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig.refresh_rc = -1;
    rig_ask(&rig, &asked, "p9", false);
    until_asked(0, 1);
    rig_pass(&rig, 5);
    before = rig.refreshes;
    rig_until(&rig, rig.refreshes >= before + 2); /* nothing else happens meanwhile */
    rig.refresh_rc = 0;
    before = rig.refreshes;
    rig_until(&rig, rig.refreshes == before + 1);
    rig_pass(&rig, 50);
    cr_expect(rig.refreshes == before + 1 && !asked.done);
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_OK);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

Test(check, a_refresh_that_does_not_come_is_a_timeout)
{
    rig_open(&rig, &(struct rig_settings){.request_deadline_ms = 60});
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_check(&rig, &asked, "p9");
    expect(VERDICT_TIMEOUT, 1, 1);
    rig_close(&rig);
}

/* ---- no verdict ---- */

Test(check, no_list_has_been_read)
{
    rig_open(&rig, NULL);
    rig_check(&rig, &asked, "p1");
    cr_expect_eq(asked.refusal, CHECK_NO_POD_LIST);
    rig_close(&rig);
}

Test(check, a_list_that_is_too_old)
{
    rig_open(&rig, &(struct rig_settings){.max_table_age_ms = 20});
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_pass(&rig, 40);
    rig_check(&rig, &asked, "-");
    cr_expect_eq(asked.refusal, CHECK_NO_POD_LIST);
    podtable_touch(rig.table, clock_now_ns() + RIG_LONG_MS * NS_PER_MS);
    rig_check(&rig, &asked, "-");
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

Test(check, nobody_to_ask)
{
    rig_open(&rig, NULL);
    rig_publish(&rig);
    rig_check(&rig, &asked, "-");
    cr_expect_eq(asked.refusal, CHECK_NO_PODS);
    rig_ask(&rig, &asked, "p9", false);
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_OK);
    rig_until(&rig, asked.done);
    cr_expect_eq(asked.refusal, CHECK_NO_PODS);
    rig_close(&rig);
}

Test(check, a_list_that_was_cut)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_TOO_MANY);
    rig_check(&rig, &asked, "-");
    cr_expect_eq(asked.refusal, CHECK_TOO_MANY_PODS);
    rig_close(&rig);
}

Test(check, more_than_max_checks)
{
    struct asked other;

    rig_open(&rig, &(struct rig_settings){.max_checks = 1});
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    rig_ask(&rig, &asked, "-", false);
    rig_check(&rig, &other, "-");
    cr_expect_eq(other.refusal, CHECK_OVERLOADED);
    until_asked(0, 1);
    say(0, OK);
    rig_until(&rig, asked.done);
    expect(VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

/* ---- many, and none ---- */

Test(check, checks_beside_each_other_get_their_own_answers)
{
    static const char *const tokens[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct asked many[ARRAY_LEN(tokens)];

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 2});
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        rig_ask_for(&rig, &many[i], tokens[i], i % 2 ? "p1" : "-", false);
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        rig_until(&rig, many[i].done);
        cr_expect(many[i].verdict == VERDICT_SYNCED && many[i].peers == (i % 2 ? 1 : 2));
    }
    cr_expect(rig.pods[0].n_requests == 4 && rig.pods[1].n_requests == 8);
    cr_expect(rig.pods[0].n_conns <= 2 && rig.pods[1].n_conns <= 2);
    rig_close(&rig);
}

Test(check, its_client_goes_away)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SILENT, SAY(NO));
    rig_pod(&rig, SAY(NO));
    rig_warm_up(&rig);
    rig_ask(&rig, &asked, "-", false);
    until_asked(0, 1);
    until_asked(1, 2);
    check_cancel(asked.check);
    cr_expect(rig_count(&rig, METRIC_CHECKS_RUNNING) == 0 && rig_count(&rig, METRIC_CHECKS_ABANDONED) == 1);
    say(0, OK); /* to nobody */
    rig_pass(&rig, 20);
    cr_expect_not(asked.done);
    cr_expect_leq(rig_count(&rig, METRIC_PROBES_ORPHANED), 2);
    rig_close(&rig);
}

/* The result stands already, but has not been told. */
Test(check, its_client_goes_away_at_the_last_moment)
{
    rig_open(&rig, NULL);
    rig_publish(&rig);
    rig_pod(&rig, SAY(OK));
    rig_publish(&rig);
    rig_ask(&rig, &asked, "p1", false);
    cr_expect_not(asked.done, "never from within check_start()");
    check_cancel(asked.check);
    rig_pass(&rig, 5);
    cr_expect_not(asked.done);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_ABANDONED), 0);
    rig_close(&rig);
}

Test(check, it_ends_with_everything_under_way)
{
    struct asked many[3];

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 1});
    rig_pod(&rig, SILENT);
    rig_pod(&rig, SAY(NO));
    rig_pod(&rig, SAY(OK));
    fake_refuse(&rig.pods[2]);
    rig_publish(&rig);
    rig_ask(&rig, &many[0], "-", false);
    rig_ask(&rig, &many[1], "p1", false);
    rig_ask(&rig, &many[2], "p9", true);
    until_asked(0, 1);
    until_asked(1, 2);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        check_cancel(many[i].check);
    rig_close(&rig);
}
