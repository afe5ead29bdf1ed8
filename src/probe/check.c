/* SPDX-License-Identifier: MIT */
/*
 * One check: what it has heard of each peer, when that is enough, and what it comes to. The asking is done by its flight,
 * which it may share with others; deadline and patience are its own. The map is check_private.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/base/random.h>

#include "check_private.h"

/* ---- the end ---- */

static void check_free(struct check *check)
{
    struct checker *checker = check->checker;

    loop_timer_cancel(&check->deadline);
    loop_timer_cancel(&check->patience);
    loop_task_cancel(checker->settings.loop, &check->done);
    if (check->flight)
        flight_drop(check->flight);
    checker->n--;
    scoreboard_set(checker->settings.board, METRIC_CHECKS_RUNNING, checker->n);
    free(check->heard);
    free(check);
}

static const enum scoreboard_metric verdict_metrics[VERDICTS] = {
    [VERDICT_SYNCED] = METRIC_CHECKS_SYNCED,
    [VERDICT_PARTIALY] = METRIC_CHECKS_PARTIALY,
    [VERDICT_NOT_SYNCED] = METRIC_CHECKS_NOT_SYNCED,
    [VERDICT_TIMEOUT] = METRIC_CHECKS_TIMEOUT,
};

/* The result stands: no more timers, nothing more is heard; told in a turn's task phase, never from within a probe's end. */
static void conclude(struct check *check, enum check_refusal refusal, enum verdict verdict)
{
    struct scoreboard *board = check->checker->settings.board;

    check->state = CHECK_DONE;
    check->refusal = refusal;
    check->verdict = verdict;
    check->ended_ns = loop_now_ns(check->checker->settings.loop);
    loop_timer_cancel(&check->deadline);
    loop_timer_cancel(&check->patience);
    if (refusal == CHECK_ACCEPTED) {
        scoreboard_add(board, verdict_metrics[check->verdict], 1);
        scoreboard_observe(board, HISTOGRAM_CHECK_SECONDS, check->ended_ns - check->began_ns);
    }
    flight_leave(check->flight, check);
    loop_task_post(check->checker->settings.loop, &check->done);
}

/* With nobody to ask, only a known origin makes a verdict. */
static void conclude_asked(struct check *check, enum verdict verdict)
{
    const struct flight *flight = check->flight;
    bool somebody = check->n_peers > 0 || (flight->origin_known && strcmp(flight->origin, "-") != 0);

    conclude(check, somebody ? CHECK_ACCEPTED : CHECK_NO_PODS, verdict);
}

/* Those that are being asked have no answer in time. */
static void cut_unfinished(struct check *check)
{
    for (uint32_t i = 0; i < check->n_heard; i++)
        if (check->heard[i].counts && !check->heard[i].finished &&
            probe_is_under_way(&flight_peer_find(check->flight, i)->probe))
            check->heard[i].outcome = PROBE_CUT;
}

static void on_deadline_due(struct loop_timer *timer)
{
    struct check *check = container_of(timer, struct check, deadline);

    /* Somebody is unfinished, or a refresh is still awaited, which may bring others. */
    cut_unfinished(check);
    conclude_asked(check, VERDICT_TIMEOUT);
}

static void on_patience_over(struct loop_timer *timer)
{
    struct check *check = container_of(timer, struct check, patience);

    schedule_hurry(&check->flight->schedule, loop_now_ns(check->checker->settings.loop));
    flight_step(check->flight);
}

static void on_done_due(struct loop_task *task)
{
    struct check *check = container_of(task, struct check, done);

    check->on_done(check, check->arg);
    check_free(check);
}

void check_refuse(struct check *check, enum check_refusal refusal)
{
    conclude(check, refusal, VERDICT_TIMEOUT);
}

void check_give_up(struct check *check)
{
    check->without_origin = true;
    conclude(check, CHECK_ACCEPTED, VERDICT_NOT_SYNCED);
}

void check_settle(struct check *check)
{
    const struct checker_settings *settings = &check->checker->settings;

    if (check->n_unfinished > 0 || check->refresh_pending)
        return;
    if (podtable_reader_changed(settings->table))
        loop_task_post(settings->loop, &check->flight->again); /* the writer overtook the snapshot: once more */
    else
        conclude_asked(check, verdict_of(check->n_peers, check->n_expected, check->n_unfinished));
}

/* ---- hearing ---- */

int check_reserve(struct check *check, uint32_t n)
{
    struct check_heard *heard;

    if (n <= check->room)
        return 0;
    heard = realloc(check->heard, n * sizeof(*heard));
    if (!heard)
        return -1;
    check->heard = heard;
    check->room = n;
    return 0;
}

struct check_heard *check_meet(struct check *check, bool counts)
{
    struct check_heard *heard = &check->heard[check->n_heard];

    must(check->n_heard < check->room);
    check->n_heard++;
    *heard = (struct check_heard){.outcome = PROBE_NONE, .counts = counts};
    check->n_peers += counts;
    check->n_unfinished += counts;
    return heard;
}

void check_await(struct check *check, uint32_t number)
{
    struct check_heard *heard = &check->heard[number];

    if (!heard->finished && heard->attempts < UINT16_MAX)
        heard->attempts++;
}

static void finish(struct check *check, struct check_heard *heard)
{
    heard->finished = true;
    check->n_unfinished--;
}

static void note_expected(struct check *check, struct check_heard *heard, const struct pool_pod *pod)
{
    struct scoreboard *board = check->checker->settings.board;
    int64_t now = loop_now_ns(check->checker->settings.loop);

    heard->expected = true;
    heard->expected_ns = now;
    check->n_expected++;
    if (!heard->absent_first || check->flight->expect_absent)
        return;
    scoreboard_observe(board, HISTOGRAM_LAG_SECONDS, now - check->began_ns);
    scoreboard_note_lag(board, pool_pod_id(pod), (uint32_t)((now - check->began_ns) / NS_PER_MS), now);
}

void check_hear(struct check *check, const struct flight_peer *peer, enum probe_outcome outcome,
                enum schedule_answer answer)
{
    struct check_heard *heard = &check->heard[peer->number];

    if (heard->finished)
        return;
    heard->outcome = (uint8_t)outcome;
    heard->code = peer->probe.code;
    heard->absent_first |= outcome == PROBE_ABSENT && heard->attempts == 1;
    if (answer == SCHEDULE_EXPECTED)
        note_expected(check, heard, peer->pod);
    /* What is missing here must not count against the pod: the peer stays unfinished, and the deadline says Timeout. */
    if (outcome != PROBE_SHORT && schedule_is_last(&check->checker->settings.schedule, answer, heard->broken_before,
                                                   check->patience_end_ns, loop_now_ns(check->checker->settings.loop)))
        finish(check, heard);
    heard->broken_before |= answer == SCHEDULE_BROKEN;
}

void check_take(struct check *check, const struct flight_peer *peer)
{
    struct check_heard *heard = &check->heard[peer->number];

    heard->outcome = PROBE_PRESENT;
    heard->code = 200;
    note_expected(check, heard, peer->pod);
    finish(check, heard);
}

void check_forget(struct check *check, uint32_t number)
{
    struct check_heard *heard = &check->heard[number];

    heard->counts = false;
    check->n_peers--;
    check->n_expected -= heard->expected;
    check->n_unfinished -= !heard->finished;
}

/* ---- an origin that the table does not know ---- */

/* Has the table read again for the origin's sake. */
static void want_refresh(struct check *check)
{
    const struct checker_settings *settings = &check->checker->settings;

    check->refresh_mark = podtable_scrapes(settings->table).begun;
    check->refresh_pending = true;
    check->refresh_wanted = settings->ask_refresh(settings->arg, check->flight->origin) < 0;
}

void check_follow_refresh(struct check *check)
{
    if (check->refresh_wanted)
        want_refresh(check);
    if (check->refresh_pending && podtable_scrapes(check->checker->settings.table).ended > check->refresh_mark)
        check->refresh_pending = check->refresh_wanted = false;
}

/* ---- the beginning ---- */

static enum check_refusal may_start(struct checker *checker)
{
    const struct checker_settings *settings = &checker->settings;
    const struct podtable_snapshot *snapshot;
    int64_t now = loop_now_ns(settings->loop);

    if (checker->n >= settings->max_checks)
        return CHECK_OVERLOADED;
    /* Before the snapshot: after it, it could speak of a newer list than the snapshot's. */
    if (podtable_scrapes(settings->table).last == PODTABLE_SCRAPE_TOO_MANY)
        return CHECK_TOO_MANY_PODS;
    if (podtable_reader_snapshot(settings->table, &snapshot) == PODTABLE_READ_NO_MEMORY)
        return CHECK_OVERLOADED;
    if (snapshot->generation == 0)
        return CHECK_NO_POD_LIST;
    if (settings->max_table_age_ns > 0 && podtable_read_age(settings->table, now) > settings->max_table_age_ns)
        return CHECK_NO_POD_LIST;
    return CHECK_ACCEPTED;
}

static struct check *check_new(struct checker *checker, const struct check_request *request)
{
    const struct checker_settings *settings = &checker->settings;
    struct check *check = calloc(1, sizeof(*check));

    if (!check)
        return NULL;
    check->checker = checker;
    checker->n++;
    check->on_done = request->on_done;
    check->arg = request->arg;
    check->began_ns = request->began_ns;
    check->joined_ns = loop_now_ns(settings->loop);
    check->patience_end_ns = request->began_ns + settings->schedule.patience_ns;
    check->deadline_ns = request->began_ns + settings->request_deadline_ns;
    loop_timer_init(&check->deadline, settings->loop, LOOP_LATE, on_deadline_due);
    loop_timer_init(&check->patience, settings->loop, LOOP_EARLY, on_patience_over);
    check->done.run = on_done_due;
    scoreboard_set(settings->board, METRIC_CHECKS_RUNNING, checker->n);
    return check;
}

/* Into the flight that is under way for the same question, or into one of its own. */
static enum check_refusal board(struct check *check, const struct check_request *request)
{
    uint64_t hash = keyed_number(request->token, request->token_len);
    struct flight *flight = checker_find_flight(check->checker, request, hash);

    if (!flight)
        flight = flight_new(check->checker, request, hash);
    if (!flight)
        return CHECK_OVERLOADED;
    check->flight = flight;
    flight_hold(flight);
    return flight_join(flight, check);
}

struct check *check_start(struct checker *checker, const struct check_request *request, enum check_refusal *refusal)
{
    struct check *check;

    *refusal = may_start(checker);
    if (*refusal != CHECK_ACCEPTED)
        return NULL;
    *refusal = CHECK_OVERLOADED;
    check = check_new(checker, request);
    if (!check)
        return NULL;
    *refusal = board(check, request);
    if (*refusal != CHECK_ACCEPTED) {
        check_free(check);
        return NULL;
    }
    if (!check->flight->origin_known)
        want_refresh(check);
    loop_timer_set(&check->deadline, check->deadline_ns);
    flight_step(check->flight);
    return check;
}

void check_cancel(struct check *check)
{
    if (check->state == CHECK_RUNNING) { /* else it has been counted by its verdict */
        scoreboard_add(check->checker->settings.board, METRIC_CHECKS_ABANDONED, 1);
        flight_leave(check->flight, check);
    }
    check_free(check);
}

/* ---- the result ---- */

enum check_refusal check_refusal(const struct check *check)
{
    return check->refusal;
}

enum verdict check_verdict(const struct check *check)
{
    return check->verdict;
}

const char *check_reason(const struct check *check)
{
    return check->without_origin ? "origin-without-token" : "";
}

int64_t check_duration_ns(const struct check *check)
{
    return check->ended_ns - check->began_ns;
}

size_t check_peers(const struct check *check)
{
    return check->n_peers;
}

size_t check_expected(const struct check *check)
{
    return check->n_expected;
}

bool check_expects_absent(const struct check *check)
{
    return check->flight->expect_absent;
}

bool check_next_peer(const struct check *check, size_t *at, struct check_peer_result *out)
{
    for (; *at < check->n_heard; ++*at) {
        const struct check_heard *heard = &check->heard[*at];
        struct pool_pod *pod;

        if (!heard->counts)
            continue;
        pod = flight_peer_find(check->flight, (uint32_t)*at)->pod;
        *out = (struct check_peer_result){
            .pod = pod,
            .outcome = (enum probe_outcome)heard->outcome,
            .code = heard->code,
            .attempts = heard->attempts,
            .finished = heard->finished,
            .unprotected = pool_pod_guard(pod) == SCOREBOARD_UNPROTECTED,
            .expected_after_ns = heard->expected ? heard->expected_ns - check->began_ns : -1,
        };
        ++*at;
        return true;
    }
    return false;
}
