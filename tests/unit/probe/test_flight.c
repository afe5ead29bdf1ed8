/* SPDX-License-Identifier: MIT */
/* Checks for the same token at the same time: what the later one takes, what it asks for itself, and what it must not take. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/base/random.h>

#include "rig.h"

TestSuite(flight, .timeout = 30);

#define TEAPOT "HTTP/1.1 418 X\r\nContent-Length: 0\r\n\r\n"

static struct rig rig;
static struct asked a, b, c;

static void say(size_t pod, const char *bytes)
{
    fake_send(rig.pods[pod].conns, bytes);
}

static void until_asked(size_t pod, unsigned n)
{
    rig_until(&rig, rig.pods[pod].n_requests >= n);
}

static void expect(const struct asked *asked, enum verdict verdict, size_t expected, size_t peers)
{
    cr_expect(asked->done && asked->refusal == CHECK_ACCEPTED);
    cr_expect(asked->verdict == verdict && asked->expected == expected && asked->peers == peers, "%s %zu/%zu",
              verdict_name(asked->verdict), asked->expected, asked->peers);
}

static void until_done(const struct asked *x, const struct asked *y)
{
    rig_until(&rig, x->done && y->done);
}

/* A check under way: p1 has answered as its script says, p2 says nothing yet. */
static void begin(const struct fake_line *script, size_t lines)
{
    rig_pod_script(&rig, script, lines);
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    rig_ask(&rig, &a, "-", false);
    until_asked(0, 1);
    until_asked(1, 1);
    rig_pass(&rig, 2);
    cr_assert_not(a.done);
}
#define begin_with(...)                            \
    begin((const struct fake_line[]){__VA_ARGS__}, \
          sizeof((const struct fake_line[]){__VA_ARGS__}) / sizeof(struct fake_line))

/* ---- what is shared ---- */

Test(flight, probes_under_way_are_waited_for_by_both)
{
    rig_open(&rig, NULL);
    begin_with(SILENT);
    rig_ask(&rig, &b, "-", false);
    rig_pass(&rig, 5);
    cr_expect(rig.pods[0].n_requests == 1 && rig.pods[1].n_requests == 1);
    say(0, OK);
    say(1, OK);
    until_done(&a, &b);
    expect(&a, VERDICT_SYNCED, 2, 2);
    expect(&b, VERDICT_SYNCED, 2, 2);
    cr_expect(b.peer[0].attempts == 1 && b.peer[1].attempts == 1);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_PRESENT), 2);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_SHARED), 1);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_SYNCED), 2);
    rig_close(&rig);
}

Test(flight, what_is_present_is_taken)
{
    size_t p1;

    rig_open(&rig, NULL);
    begin_with(SAY(OK));
    rig_ask(&rig, &b, "-", false);
    say(1, OK);
    until_done(&a, &b);
    expect(&b, VERDICT_SYNCED, 2, 2);
    p1 = asked_peer(&b, "p1");
    cr_expect(b.peer[p1].attempts == 0 && b.peer[p1].code == 200 && b.peer[p1].after_ns >= 0);
    cr_expect_eq(rig.pods[0].n_requests, 1);
    rig_close(&rig);
}

Test(flight, a_hundred_at_once)
{
    static struct asked many[100];
    unsigned probes = 0;

    rig_open(&rig, &(struct rig_settings){.max_checks = 100});
    for (int i = 0; i < 8; i++)
        rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        rig_ask(&rig, &many[i], "-", false);
    for (size_t i = 0; i < 8; i++) {
        until_asked(i, 1);
        say(i, OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        rig_until(&rig, many[i].done);
        expect(&many[i], VERDICT_SYNCED, 8, 8);
    }
    for (size_t i = 0; i < 8; i++)
        probes += rig.pods[i].n_requests;
    cr_expect_eq(probes, 8, "%u", probes);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_SHARED), 99);
    rig_close(&rig);
}

/* ---- what the later one asks for itself ---- */

Test(flight, what_has_failed_is_asked_again)
{
    rig_open(&rig, NULL);
    begin_with(SAY(TEAPOT), SAY(OK));
    rig_ask(&rig, &b, "-", false);
    until_asked(0, 2);
    rig_pass(&rig, 2);
    say(1, OK);
    until_done(&a, &b);
    expect(&a, VERDICT_NOT_SYNCED, 1, 2);
    cr_expect_eq(a.peer[asked_peer(&a, "p1")].code, 418, "its own result stands");
    expect(&b, VERDICT_SYNCED, 2, 2);
    rig_close(&rig);
}

/* sync_timeout is beyond patience: each is asked at first, and at the end of each check's patience. */
Test(flight, what_is_absent_is_asked_again_at_the_end_of_each_ones_patience)
{
    rig_open(&rig, &(struct rig_settings){.sync_timeout_ms = RIG_LONG_MS, .patience_ms = 1000});
    rig_pod(&rig, SAY(NO), SAY(NO), SAY(OK));
    rig_warm_up(&rig);
    rig_ask(&rig, &a, "-", false);
    until_asked(0, 1);
    rig_pass(&rig, 400);
    rig_ask(&rig, &b, "-", false);
    until_done(&a, &b);
    expect(&a, VERDICT_NOT_SYNCED, 0, 1);
    expect(&b, VERDICT_SYNCED, 1, 1);
    cr_expect_geq(a.ended_ns - a.began_ns, 1000 * NS_PER_MS);
    cr_expect_geq(b.ended_ns - b.began_ns, 1000 * NS_PER_MS);
    cr_expect_eq(rig.pods[0].n_requests, 3);
    rig_close(&rig);
}

Test(flight, a_broken_answer_before_it_came_is_not_its_first)
{
    size_t p1;

    rig_open(&rig, &(struct rig_settings){.patience_ms = RIG_LONG_MS, .sync_timeout_ms = 40});
    begin_with({"HTTP/1.1 200 OK\r\n", FAKE_CLOSE});
    rig_ask(&rig, &b, "-", false); /* p1 broke once before, twice more since */
    until_asked(0, 3);
    rig_pass(&rig, 5);
    say(1, OK);
    until_done(&a, &b);
    p1 = asked_peer(&a, "p1");
    cr_expect(a.peer[p1].attempts == 2 && a.peer[p1].outcome == PROBE_BROKEN);
    cr_expect(b.peer[asked_peer(&b, "p1")].attempts == 2 && b.verdict == VERDICT_NOT_SYNCED);
    cr_expect_eq(rig.pods[0].n_requests, 3);
    rig_close(&rig);
}

/* ---- what it must not take ---- */

Test(flight, another_token_origin_or_expectation_shares_nothing)
{
    static const struct {
        const char *token, *origin;
        bool expect_absent;
    } others[] = {{"tt", "-", false}, {"T", "-", false}, {"t", "p9", false}, {"t", "-", true}};

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        rig_open(&rig, NULL);
        begin_with(SAY(OK));
        rig_ask_for(&rig, &b, others[i].token, others[i].origin, others[i].expect_absent);
        until_asked(0, 2);
        until_asked(1, 2);
        cr_expect_eq(rig_count(&rig, METRIC_CHECKS_SHARED), 0, "case %zu", i);
        check_cancel(a.check);
        check_cancel(b.check);
        rig_close(&rig);
    }
}

/* A pod that did not have the token before may have got it since: absent is never taken over. */
Test(flight, what_is_absent_is_not_taken)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(NO), SAY(OK), SAY(NO));
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    rig_ask(&rig, &a, "-", true);
    until_asked(0, 1);
    until_asked(1, 1);
    rig_pass(&rig, 2);
    rig_ask(&rig, &b, "-", true);
    until_asked(0, 3);
    rig_pass(&rig, 2);
    say(1, NO);
    until_done(&a, &b);
    expect(&a, VERDICT_SYNCED, 2, 2);
    expect(&b, VERDICT_SYNCED, 2, 2);
    cr_expect_eq(b.peer[asked_peer(&b, "p1")].attempts, 2);
    rig_close(&rig);
}

/* It must have been asked for a check that still runs: b has it from a, and c does not get it from b. */
Test(flight, nothing_is_handed_on)
{
    rig_open(&rig, NULL);
    begin_with(SAY(OK), SAY(NO));
    rig_ask(&rig, &b, "-", false);
    check_cancel(a.check);
    rig_ask(&rig, &c, "-", false);
    until_asked(0, 2);
    rig_pass(&rig, 2);
    cr_expect_eq(rig.pods[1].n_requests, 1, "the probe under way is shared by all three");
    say(1, OK);
    until_done(&b, &c);
    expect(&b, VERDICT_SYNCED, 2, 2);
    expect(&c, VERDICT_NOT_SYNCED, 1, 2);
    rig_close(&rig);
}

Test(flight, a_pod_that_is_not_trusted_any_more_is_asked_again)
{
    rig_open(&rig, NULL);
    begin_with(SAY(OK), SAY(NO));
    say(0, OK); /* unasked */
    rig_until(&rig, rig.unasked == 1);
    rig_ask(&rig, &b, "-", false);
    until_asked(0, 2);
    rig_pass(&rig, 2);
    say(1, OK);
    until_done(&a, &b);
    expect(&b, VERDICT_NOT_SYNCED, 1, 2);
    rig_close(&rig);
}

Test(flight, a_pod_that_is_known_to_be_open_by_now_is_asked_again)
{
    rig_open(&rig, &(struct rig_settings){.heed_control_probes = true});
    rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    scoreboard_note_guard(rig.board, rig.list[0].id, SCOREBOARD_PROTECTED, 1);
    scoreboard_note_guard(rig.board, rig.list[1].id, SCOREBOARD_PROTECTED, 1);
    rig_pass(&rig, 30);
    rig_ask(&rig, &a, "-", false);
    until_asked(0, 1);
    until_asked(1, 1);
    scoreboard_note_guard(rig.board, rig.list[0].id, SCOREBOARD_UNPROTECTED, 2);
    rig_pass(&rig, 1100); /* protected is believed for a second */
    rig_ask(&rig, &b, "-", false);
    until_asked(0, 2);
    rig_pass(&rig, 2);
    say(1, OK);
    until_done(&a, &b);
    cr_expect_eq(b.peer[asked_peer(&b, "p1")].outcome, PROBE_UNPROTECTED);
    expect(&b, VERDICT_NOT_SYNCED, 1, 2);
    rig_close(&rig);
}

Test(flight, a_pod_that_came_back_is_another_one)
{
    rig_open(&rig, NULL);
    begin_with(SAY(OK), SAY(NO));
    rig.list[0].counts = false;
    rig_publish(&rig);
    rig_pass(&rig, 2);
    rig.list[0].counts = true;
    rig_publish(&rig);
    rig_ask(&rig, &b, "-", false);
    until_asked(0, 2);
    rig_pass(&rig, 2);
    say(1, OK);
    until_done(&a, &b);
    expect(&a, VERDICT_NOT_SYNCED, 1, 2);
    expect(&b, VERDICT_NOT_SYNCED, 1, 2);
    rig_close(&rig);
}

/* ---- the origin ---- */

static void open_with_origin(const struct fake_line *origin, const struct fake_line *other)
{
    rig_open(&rig, &(struct rig_settings){.origin_check = true, .patience_ms = RIG_LONG_MS, .sync_timeout_ms = 50});
    rig_pod_script(&rig, origin, 1);
    rig_pod_script(&rig, other, 2);
    rig_pod_script(&rig, other, 2);
    rig_warm_up(&rig);
}

Test(flight, an_origin_without_the_token_ends_it_at_once)
{
    static const struct fake_line no = SAY(NO), late[2] = {SAY(NO), SILENT};

    open_with_origin(&no, late);
    rig_ask(&rig, &a, "p1", false);
    rig_ask(&rig, &b, "p1", false);
    until_done(&a, &b);
    expect(&a, VERDICT_NOT_SYNCED, 0, 2);
    expect(&b, VERDICT_NOT_SYNCED, 0, 2);
    cr_expect_str_eq(a.reason, "origin-without-token");
    rig_close(&rig);
}

Test(flight, an_origin_that_says_anything_else_is_asked_once_and_changes_nothing)
{
    static const struct fake_line says[] = {SAY(OK), SAY(TEAPOT), {NULL, FAKE_CLOSE}};
    static const struct fake_line late[2] = {SAY(NO), SAY(OK)};

    for (size_t i = 0; i < ARRAY_LEN(says); i++) {
        open_with_origin(&says[i], late);
        rig_check(&rig, &a, "p1");
        expect(&a, VERDICT_SYNCED, 2, 2);
        cr_expect_str_eq(a.reason, "");
        cr_expect(rig.pods[0].n_requests == 1 || (says[i].then == FAKE_CLOSE && rig.pods[0].n_requests <= 2));
        rig_close(&rig);
    }
}

Test(flight, an_origin_is_not_asked_where_somebody_has_it_or_it_is_not_known)
{
    static const struct fake_line no = SAY(NO), here[2] = {SAY(OK), SAY(OK)};

    open_with_origin(&no, here);
    rig_check(&rig, &a, "p1");
    expect(&a, VERDICT_SYNCED, 2, 2);
    cr_expect_eq(rig.pods[0].n_requests, 0);
    rig_close(&rig);
}

/* ---- each has its own end ---- */

Test(flight, each_has_its_own_deadline)
{
    rig_open(&rig, &(struct rig_settings){.request_deadline_ms = 2000});
    begin_with(SAY(OK));
    rig_pass(&rig, 1000);
    rig_ask(&rig, &b, "-", false);
    rig_until(&rig, a.done);
    expect(&a, VERDICT_TIMEOUT, 1, 2);
    cr_expect_eq(a.peer[asked_peer(&a, "p2")].outcome, PROBE_CUT);
    say(1, OK);
    rig_until(&rig, b.done);
    expect(&b, VERDICT_SYNCED, 2, 2);
    cr_expect_eq(rig.pods[1].n_requests, 1, "its probe goes on");
    rig_close(&rig);
}

Test(flight, the_first_ones_client_goes_away)
{
    rig_open(&rig, NULL);
    begin_with(SAY(OK));
    rig_ask(&rig, &b, "-", false);
    check_cancel(a.check);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_ORPHANED), 0);
    say(1, OK);
    rig_until(&rig, b.done);
    expect(&b, VERDICT_SYNCED, 2, 2);
    cr_expect_not(a.done);
    cr_expect_eq(rig.pods[1].n_requests, 1);
    rig_close(&rig);
}

Test(flight, the_last_ones_client_goes_away)
{
    rig_open(&rig, NULL);
    begin_with(SAY(OK));
    rig_ask(&rig, &b, "-", false);
    check_cancel(b.check);
    say(1, OK);
    rig_until(&rig, a.done);
    expect(&a, VERDICT_SYNCED, 2, 2);
    rig_ask(&rig, &c, "-", false); /* nobody is there to share with */
    until_asked(0, 2);
    until_asked(1, 2);
    check_cancel(c.check);
    cr_expect_geq(rig_count(&rig, METRIC_PROBES_ORPHANED), 1);
    rig_close(&rig);
}

Test(flight, a_pod_that_joins_is_asked_for_both)
{
    rig_open(&rig, NULL);
    begin_with(SAY(OK));
    rig_ask(&rig, &b, "-", false);
    rig_pod(&rig, SILENT);
    rig_publish(&rig);
    until_asked(2, 1);
    say(1, OK);
    rig_pass(&rig, 5);
    cr_expect(!a.done && !b.done);
    say(2, OK);
    until_done(&a, &b);
    expect(&a, VERDICT_SYNCED, 3, 3);
    expect(&b, VERDICT_SYNCED, 3, 3);
    rig_close(&rig);
}

/* A read of the list that had begun before the later check does for the earlier one only. */
Test(flight, each_waits_for_a_refresh_of_its_own)
{
    rig_open(&rig, NULL);
    rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_ask(&rig, &a, "p9", false);
    podtable_scrape_begin(rig.table);
    rig_ask(&rig, &b, "p9", false);
    cr_expect_eq(rig.refreshes, 2);
    rig_scrape(&rig, PODTABLE_SCRAPE_OK);
    rig_until(&rig, a.done);
    rig_pass(&rig, 5);
    cr_expect_not(b.done);
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_OK);
    rig_until(&rig, b.done);
    expect(&a, VERDICT_SYNCED, 1, 1);
    expect(&b, VERDICT_SYNCED, 1, 1);
    rig_close(&rig);
}

Test(flight, a_list_that_is_cut_ends_all)
{
    rig_open(&rig, NULL);
    begin_with(SAY(OK));
    rig_ask(&rig, &b, "-", false);
    podtable_scrape_begin(rig.table);
    rig_scrape(&rig, PODTABLE_SCRAPE_TOO_MANY);
    until_done(&a, &b);
    cr_expect(a.refusal == CHECK_TOO_MANY_PODS && b.refusal == CHECK_TOO_MANY_PODS);
    rig_close(&rig);
}

/* ---- anything at any time ----
 *
 * Pods get tokens and lose them, fail and break at random; clients come, for few tokens, and some go again. Each answer of
 * each pod is written down, and each result is held against that record. */

#define CHAOS_PODS 5
#define CHAOS_TOKENS 3
#define CHAOS_CHECKS 600
#define CHAOS_AT_ONCE 24
#define PATIENCE_MS 60

struct said { /* by a pod, to a token */
    int64_t at_ns;
    bool present, absent;
};

static bool has[CHAOS_PODS][CHAOS_TOKENS];
static struct said log_of[CHAOS_PODS][CHAOS_TOKENS][65536];
static size_t n_said[CHAOS_PODS][CHAOS_TOKENS];

static struct fake_line decide(struct fake_conn *conn)
{
    struct fake_pod *pod = conn->pod;
    size_t k = (size_t)(pod - rig.pods), token = (size_t)(strstr(pod->head, "c=")[2] - '0');
    struct said said = {.at_ns = clock_now_ns()};
    struct fake_line line = SAY(TEAPOT);
    uint32_t lot = random_below(40);

    if (lot == 1)
        line = (struct fake_line){NULL, FAKE_CLOSE};
    if (lot > 1) {
        said.present = has[k][token];
        said.absent = !said.present;
        line = (struct fake_line)SAY(said.present ? OK : NO);
    }
    cr_assert(n_said[k][token] < ARRAY_LEN(log_of[k][token]));
    log_of[k][token][n_said[k][token]++] = said;
    return line;
}

static bool was_said(size_t pod, size_t token, bool present, int64_t from_ns, int64_t to_ns)
{
    for (size_t i = n_said[pod][token]; i-- > 0 && log_of[pod][token][i].at_ns >= from_ns;)
        if (log_of[pod][token][i].at_ns <= to_ns &&
            (present ? log_of[pod][token][i].present : log_of[pod][token][i].absent))
            return true;
    return false;
}

struct client {
    struct asked asked;
    bool busy, absent;
    size_t token;
    int64_t oldest_ns; /* when the oldest check began that it may share with */
};

static struct client clients[CHAOS_AT_ONCE];
static int64_t slack_ns; /* from a pod's answer until it is read: some turns of the loop, as slow as they may be */

static void come(struct client *client)
{
    int64_t oldest = INT64_MAX;

    client->token = random_below(CHAOS_TOKENS);
    client->absent = random_below(4) == 0;
    for (size_t i = 0; i < CHAOS_AT_ONCE; i++)
        if (clients[i].busy && !clients[i].asked.done && clients[i].token == client->token &&
            clients[i].absent == client->absent && clients[i].asked.began_ns < oldest)
            oldest = clients[i].asked.began_ns;
    client->busy = true;
    rig_ask_for(&rig, &client->asked, (const char[]){(char)('0' + client->token), '\0'}, "-", client->absent);
    client->oldest_ns = oldest < client->asked.began_ns ? oldest : client->asked.began_ns;
}

/* A peer that is as expected has said so since the oldest of those that shared began; for absent since the check itself did,
 * but for the probes then under way. One that never was has said the other thing at the end of patience or behind it. */
static void look_at(const struct client *client)
{
    const struct asked *asked = &client->asked;

    cr_expect_eq(asked->refusal, CHECK_ACCEPTED);
    cr_expect_neq(asked->verdict, VERDICT_TIMEOUT);
    cr_expect(asked->n == CHAOS_PODS && asked->peers == CHAOS_PODS);
    for (size_t i = 0; i < asked->n; i++) {
        size_t pod = (size_t)(asked->peer[i].name[1] - '1');
        int64_t from = client->absent ? asked->began_ns - slack_ns : client->oldest_ns;

        cr_expect(asked->peer[i].finished);
        if (asked->peer[i].after_ns >= 0)
            cr_expect(was_said(pod, client->token, !client->absent, from, asked->ended_ns));
        else if (asked->peer[i].outcome == (client->absent ? PROBE_PRESENT : PROBE_ABSENT))
            cr_expect(was_said(pod, client->token, client->absent, asked->began_ns + PATIENCE_MS * NS_PER_MS - slack_ns,
                               asked->ended_ns));
        else
            cr_expect(asked->peer[i].outcome == PROBE_STATUS || asked->peer[i].outcome == PROBE_BROKEN);
    }
}

static void anything(unsigned *begun)
{
    struct client *client = &clients[random_below(CHAOS_AT_ONCE)];
    uint32_t lot = random_below(100);

    if (lot < 30 && !client->busy) {
        come(client);
        ++*begun;
    } else if (lot < 33 && client->busy && !client->asked.done) {
        check_cancel(client->asked.check);
        client->busy = false;
    } else if (lot < 36) {
        has[random_below(CHAOS_PODS)][random_below(CHAOS_TOKENS)] ^= true;
    }
}

/* Whether somebody still waits. */
static bool look_at_those_that_are_done(void)
{
    bool busy = false;

    for (size_t i = 0; i < CHAOS_AT_ONCE; i++) {
        if (clients[i].busy && clients[i].asked.done) {
            look_at(&clients[i]);
            clients[i].busy = false;
        }
        busy |= clients[i].busy;
    }
    return busy;
}

static void chaos(bool scout)
{
    unsigned begun = 0;

    slack_ns = 10 * NS_PER_MS;
    rig_open(&rig, &(struct rig_settings){
                       .sync_timeout_ms = 10, .patience_ms = PATIENCE_MS, .max_checks = CHAOS_AT_ONCE, .scout = scout});
    for (int i = 0; i < CHAOS_PODS; i++)
        rig_pod(&rig, SAY(OK))->decide = decide;
    rig_warm_up(&rig);
    while (begun < CHAOS_CHECKS) {
        int64_t turn = clock_now_ns();

        anything(&begun);
        cr_assert_eq(loop_turn(rig.loop, NS_PER_MS, NULL), 0);
        turn = clock_now_ns() - turn;
        slack_ns = 4 * turn > slack_ns ? 4 * turn : slack_ns;
        look_at_those_that_are_done();
    }
    while (look_at_those_that_are_done())
        rig_turn(&rig);
    cr_expect_gt(rig_count(&rig, METRIC_CHECKS_SHARED), CHAOS_CHECKS / 4);
    cr_expect_eq(rig_count(&rig, METRIC_CHECKS_RUNNING), 0);
    rig_close(&rig);
}

Test(flight, whatever_happens_parallel)
{
    chaos(false);
}

Test(flight, whatever_happens_scout)
{
    chaos(true);
}
