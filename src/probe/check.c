/* SPDX-License-Identifier: MIT */
/*
 * The life of a check. One struct with a state, and one step that is taken whenever something has happened: an answer, a
 * due time, a change of the table. Who asks when is schedule.c's, what an answer is probe.c's; the map is check_private.h.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "check_private.h"

/* Probes begun in one turn of the loop for one check: some 10 us each, and other checks wait meanwhile. */
#define ASK_BATCH 48

/* Until a refresh is asked for again that could not be, because the way to the master was full. */
#define REFRESH_AGAIN_NS (20 * NS_PER_MS)

/* ---- the end ---- */

static void check_free(struct check *check)
{
    loop_timer_cancel(&check->deadline);
    loop_timer_cancel(&check->wake);
    loop_task_cancel(check->checker->settings.loop, &check->again);
    while (check->chunks) {
        struct peer_chunk *chunk = check->chunks;

        check->chunks = chunk->next;
        for (size_t i = 0; i < chunk->n; i++) {
            probe_cancel(&chunk->peers[i].probe);
            pool_pod_drop(chunk->peers[i].pod);
        }
        free(chunk);
    }
    schedule_release(&check->schedule);
    probe_text_drop(check->text);
    if (check->prev)
        check->prev->next = check->next;
    else
        check->checker->checks = check->next;
    if (check->next)
        check->next->prev = check->prev;
    check->checker->n--;
    scoreboard_set(check->checker->settings.board, METRIC_CHECKS_RUNNING, check->checker->n);
    free(check);
}

static const enum scoreboard_metric verdict_metrics[VERDICTS] = {
    [VERDICT_SYNCED] = METRIC_CHECKS_SYNCED,
    [VERDICT_PARTIALY] = METRIC_CHECKS_PARTIALY,
    [VERDICT_NOT_SYNCED] = METRIC_CHECKS_NOT_SYNCED,
    [VERDICT_TIMEOUT] = METRIC_CHECKS_TIMEOUT,
};

/* The result stands: no more timers, no more steps; told in a turn's task phase, never from within a probe's end. */
static void conclude(struct check *check, enum check_refusal refusal, enum verdict verdict)
{
    struct scoreboard *board = check->checker->settings.board;

    check->state = CHECK_DONE;
    check->refusal = refusal;
    check->verdict = verdict;
    check->ended_ns = loop_now_ns(check->checker->settings.loop);
    loop_timer_cancel(&check->deadline);
    loop_timer_cancel(&check->wake);
    if (refusal == CHECK_ACCEPTED) {
        scoreboard_add(board, verdict_metrics[check->verdict], 1);
        scoreboard_observe(board, HISTOGRAM_CHECK_SECONDS, check->ended_ns - check->began_ns);
    }
    loop_task_post(check->checker->settings.loop, &check->again);
}

/* With nobody to ask, only a known origin makes a verdict. */
static void conclude_asked(struct check *check, enum verdict verdict)
{
    bool somebody = check->n_peers > 0 || (check->origin_known && strcmp(check->origin, "-") != 0);

    conclude(check, somebody ? CHECK_ACCEPTED : CHECK_NO_PODS, verdict);
}

static void on_deadline_due(struct loop_timer *timer)
{
    struct check *check = container_of(timer, struct check, deadline);

    /* Somebody is unfinished, or a refresh is still awaited, which may bring others. */
    if (check->state == CHECK_RUNNING)
        conclude_asked(check, VERDICT_TIMEOUT);
}

/* ---- going on ---- */

/* Asks who is due. True if there are more than one turn should take. */
static bool ask_due(struct check *check)
{
    int64_t now = loop_now_ns(check->checker->settings.loop);
    uint32_t number;

    for (int asked = 0; asked < ASK_BATCH; asked++) {
        number = schedule_next(&check->schedule, now);
        if (number == SCHEDULE_NONE)
            return false;
        check_peer_ask(check_peer_find(check, number));
    }
    return true;
}

/* For the next peer that is due, if nothing else happens before. */
static void set_wake(struct check *check)
{
    int64_t wake = schedule_wake_ns(&check->schedule);
    int64_t again = loop_now_ns(check->checker->settings.loop) + REFRESH_AGAIN_NS;

    if (check->refresh_wanted && again < wake)
        wake = again;
    if (wake == SCHEDULE_NEVER)
        loop_timer_cancel(&check->wake);
    else if (!check->wake.set || check->wake.due_ns != wake)
        loop_timer_set(&check->wake, wake);
}

void check_step(struct check *check)
{
    const struct checker_settings *settings = &check->checker->settings;
    enum check_refusal refusal;

    if (check->state == CHECK_DONE)
        return;
    if (check->refresh_pending)
        check_follow_refresh(check);
    refusal = check_follow_table(check);
    if (refusal != CHECK_ACCEPTED) {
        conclude(check, refusal, VERDICT_TIMEOUT);
        return;
    }
    if (ask_due(check))
        loop_task_post(settings->loop, &check->again);
    if (check->n_unfinished > 0 || check->refresh_pending)
        set_wake(check);
    else if (podtable_reader_changed(settings->table))
        loop_task_post(settings->loop, &check->again); /* the writer overtook the snapshot: once more */
    else
        conclude_asked(check, verdict_of(check->n_peers, check->n_expected, check->n_unfinished));
}

static void on_wake_due(struct loop_timer *timer)
{
    check_step(container_of(timer, struct check, wake));
}

static void on_again(struct loop_task *task)
{
    struct check *check = container_of(task, struct check, again);

    if (check->state == CHECK_DONE) {
        check->on_done(check, check->arg);
        check_free(check);
    } else {
        check_step(check);
    }
}

/* ---- the beginning ---- */

static enum check_refusal may_start(struct checker *checker, const struct podtable_snapshot **snapshot)
{
    const struct checker_settings *settings = &checker->settings;
    int64_t now = loop_now_ns(settings->loop);

    if (checker->n >= settings->max_checks)
        return CHECK_OVERLOADED;
    /* Before the snapshot: after it, it could speak of a newer list than the snapshot's. */
    if (podtable_scrapes(settings->table).last == PODTABLE_SCRAPE_TOO_MANY)
        return CHECK_TOO_MANY_PODS;
    if (podtable_reader_snapshot(settings->table, snapshot) == PODTABLE_READ_NO_MEMORY)
        return CHECK_OVERLOADED;
    if ((*snapshot)->generation == 0)
        return CHECK_NO_POD_LIST;
    if (settings->max_table_age_ns > 0 && podtable_read_age(settings->table, now) > settings->max_table_age_ns)
        return CHECK_NO_POD_LIST;
    return CHECK_ACCEPTED;
}

static struct check *check_new(struct checker *checker, const struct check_request *request)
{
    struct loop *loop = checker->settings.loop;
    struct check *check = calloc(1, sizeof(*check));

    if (!check)
        return NULL;
    check->checker = checker;
    check->next = checker->checks;
    if (check->next)
        check->next->prev = check;
    checker->checks = check;
    checker->n++;
    must(strlen(request->origin) < sizeof(check->origin));
    memcpy(check->origin, request->origin, strlen(request->origin) + 1);
    addr_parse(&check->origin_addr, check->origin, strlen(check->origin));
    check->expect_absent = request->expect_absent;
    check->on_done = request->on_done;
    check->arg = request->arg;
    check->began_ns = request->began_ns;
    check->deadline_ns = request->began_ns + checker->settings.request_deadline_ns;
    loop_timer_init(&check->deadline, loop, LOOP_LATE, on_deadline_due);
    loop_timer_init(&check->wake, loop, LOOP_EARLY, on_wake_due);
    check->again.run = on_again;
    schedule_init(&check->schedule, &checker->settings.schedule, request->began_ns);
    check->text = probe_text_new(checker->settings.pool, request->token, request->token_len, request->fields);
    scoreboard_set(checker->settings.board, METRIC_CHECKS_RUNNING, checker->n);
    return check;
}

struct check *check_start(struct checker *checker, const struct check_request *request, enum check_refusal *refusal)
{
    const struct podtable_snapshot *snapshot;
    struct check *check;

    *refusal = may_start(checker, &snapshot);
    if (*refusal != CHECK_ACCEPTED)
        return NULL;
    *refusal = CHECK_OVERLOADED;
    check = check_new(checker, request);
    if (!check)
        return NULL;
    if (check->text)
        *refusal = check_follow_table(check);
    if (*refusal != CHECK_ACCEPTED) {
        check_free(check);
        return NULL;
    }
    if (!check->origin_known)
        check_want_refresh(check);
    loop_timer_set(&check->deadline, check->deadline_ns);
    check_step(check);
    return check;
}

void check_cancel(struct check *check)
{
    if (check->state == CHECK_RUNNING) /* else it has been counted by its verdict */
        scoreboard_add(check->checker->settings.board, METRIC_CHECKS_ABANDONED, 1);
    check_free(check);
}

/* ---- all checks ---- */

struct checker *checker_new(const struct checker_settings *settings, struct err *err)
{
    struct checker *checker = calloc(1, sizeof(*checker));

    if (!checker)
        err_set(err, "checks: out of memory");
    else
        checker->settings = *settings;
    return checker;
}

void checker_free(struct checker *checker)
{
    must(!checker || checker->n == 0);
    free(checker);
}

void checker_table_changed(struct checker *checker)
{
    const struct podtable_snapshot *snapshot;

    podtable_reader_snapshot(checker->settings.table, &snapshot);
    /* Without memory the old pods stay, and each check tries for itself; none says anything of the old ones. */
    pool_update(checker->settings.pool, snapshot);
    for (struct check *check = checker->checks; check; check = check->next)
        loop_task_post(checker->settings.loop, &check->again);
}

void checker_origin_unknown(struct checker *checker, const char *name)
{
    for (struct check *check = checker->checks; check; check = check->next) {
        if (!check->refresh_pending || strcmp(check->origin, name) != 0)
            continue;
        check->refresh_pending = check->refresh_wanted = false;
        loop_task_post(checker->settings.loop, &check->again);
    }
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
    return check->expect_absent;
}

bool check_next_peer(const struct check *check, size_t *at, struct check_peer_result *out)
{
    for (; *at < check->schedule.n; ++*at) {
        const struct check_peer *peer = check_peer_find(check, (uint32_t)*at);

        if (peer->dropped)
            continue;
        *out = (struct check_peer_result){
            .pod = peer->pod,
            .outcome = peer->outcome,
            .code = peer->code,
            .attempts = peer->attempts,
            .finished = peer->finished,
            .unprotected = pool_pod_guard(peer->pod) == SCOREBOARD_UNPROTECTED,
            .expected_after_ns = peer->expected ? peer->expected_ns - check->began_ns : -1,
        };
        ++*at;
        return true;
    }
    return false;
}
