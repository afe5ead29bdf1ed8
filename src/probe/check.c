/* SPDX-License-Identifier: MIT */
/*
 * The life of a check. One struct with a state, and one step that is taken whenever something has happened: an answer, a
 * due time, a change of the table. Who asks when is schedule.c's, what an answer is probe.c's.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/probe/check.h>

/* Probes begun in one turn of the loop for one check: some 10 us each, and other checks wait meanwhile. */
#define ASK_BATCH 48

/* Until a refresh is asked for again that could not be, because the way to the master was full. */
#define REFRESH_AGAIN_NS (20 * NS_PER_MS)

struct check_peer {
    struct probe probe;
    struct check *check;
    struct pool_pod *pod;
    uint32_t number; /* in the schedule */
    enum probe_outcome outcome;
    uint16_t code, attempts;
    bool finished, expected, dropped;
    bool absent_first; /* its first answer was not the expected one: what follows measures the replication lag */
    int64_t expected_ns;
};

/* Peers never move, since their probes are linked from elsewhere; those that join later come in chunks of their own. */
struct peer_chunk {
    struct peer_chunk *next;
    size_t n;
    struct check_peer peers[];
};

enum check_state {
    CHECK_RUNNING, /* peers are asked, or waited for */
    CHECK_DONE,    /* the result stands, on_done is next */
};

struct check {
    struct checker *checker;
    struct check *next, *prev; /* of the checker's */
    enum check_state state;
    enum check_refusal refusal;
    enum verdict verdict;

    char origin[CHECK_ORIGIN_MAX + 1];
    struct addr origin_addr;  /* family 0: the origin is a name, or "-" */
    bool origin_known;        /* "-", or in the table */
    bool origin_shared;       /* more than one pod has its address: nobody can tell which, so all are asked */
    bool refresh_wanted;      /* to be asked for */
    bool refresh_pending;     /* asked for: no Synced before it has come or failed */
    uint64_t refresh_mark;    /* it has when more reads than this have ended */

    bool expect_absent;
    struct probe_text *text;
    struct schedule schedule;
    struct peer_chunk *chunks;
    size_t n_peers, n_expected, n_unfinished; /* of those that count */
    uint64_t generation;      /* of the table that the peers are of */

    int64_t began_ns, deadline_ns, ended_ns;
    struct loop_timer deadline, wake;
    struct loop_task again;   /* one more step, in a turn of its own */
    void (*on_done)(struct check *check, void *arg);
    void *arg;
};

struct checker {
    struct checker_settings settings;
    struct check *checks;
    size_t n;
};

static void step(struct check *check);

/* ---- peers ---- */

static void peer_finish(struct check_peer *peer)
{
    peer->finished = true;
    peer->check->n_unfinished--;
}

static void note_expected(struct check_peer *peer, int64_t now)
{
    struct check *check = peer->check;
    struct scoreboard *board = check->checker->settings.board;

    peer->expected = true;
    peer->expected_ns = now;
    check->n_expected++;
    if (!peer->absent_first || check->expect_absent)
        return;
    scoreboard_observe(board, HISTOGRAM_LAG_SECONDS, now - check->began_ns);
    scoreboard_note_lag(board, pool_pod_id(peer->pod), (uint32_t)((now - check->began_ns) / NS_PER_MS), now);
}

static bool is_final(enum probe_outcome outcome)
{
    return outcome == PROBE_STATUS || outcome == PROBE_DOWN || outcome == PROBE_UNPROTECTED;
}

static enum schedule_answer answer_of(const struct check_peer *peer)
{
    enum probe_outcome expected = peer->check->expect_absent ? PROBE_ABSENT : PROBE_PRESENT;
    enum probe_outcome other = peer->check->expect_absent ? PROBE_PRESENT : PROBE_ABSENT;

    if (peer->outcome == expected)
        return SCHEDULE_EXPECTED;
    if (peer->outcome == other || peer->outcome == PROBE_UNCONFIRMED)
        return SCHEDULE_NOT_YET;
    return is_final(peer->outcome) ? SCHEDULE_FINAL : SCHEDULE_BROKEN;
}

/* Whether a 200 is one. Until a control probe has been answered the pod is asked again: so a start delays the first logins
 * by the time of that probe, and fails none. */
static enum probe_outcome weigh(const struct check_peer *peer, enum probe_outcome outcome)
{
    if (outcome != PROBE_PRESENT || !peer->check->checker->settings.heed_control_probes)
        return outcome;
    switch (pool_pod_guard(peer->pod)) {
    case SCOREBOARD_PROTECTED:
        return PROBE_PRESENT;
    case SCOREBOARD_UNPROTECTED:
        return PROBE_UNPROTECTED;
    default:
        return PROBE_UNCONFIRMED;
    }
}

static void peer_answered(struct check_peer *peer, enum probe_outcome outcome, uint16_t code)
{
    struct check *check = peer->check;
    int64_t now = loop_now_ns(check->checker->settings.loop);
    enum schedule_answer answer;

    peer->outcome = weigh(peer, outcome);
    peer->code = code;
    answer = answer_of(peer);
    if (answer == SCHEDULE_NOT_YET && peer->attempts == 1 && outcome == peer->outcome)
        peer->absent_first = true;
    if (answer == SCHEDULE_EXPECTED)
        note_expected(peer, now);
    if (schedule_answer(&check->schedule, peer->number, answer, now))
        peer_finish(peer);
}

static void on_probe_done(struct probe *probe)
{
    struct check_peer *peer = container_of(probe, struct check_peer, probe);

    /* Cut short by the deadline: it is no answer, and the deadline, due in this very turn, will say Timeout. */
    if (probe->outcome == PROBE_CUT) {
        peer->outcome = PROBE_CUT;
        return;
    }
    peer_answered(peer, probe->outcome, probe->code);
    step(peer->check);
}

static void peer_ask(struct check_peer *peer)
{
    if (pool_pod_is_down(peer->pod)) {
        peer_answered(peer, PROBE_DOWN, 0);
        return;
    }
    peer->attempts++;
    probe_start(&peer->probe, peer->pod, peer->check->text, peer->check->deadline_ns);
}

static void peer_drop(struct check_peer *peer)
{
    struct check *check = peer->check;

    probe_cancel(&peer->probe);
    schedule_drop(&check->schedule, peer->number);
    peer->dropped = true;
    check->n_peers--;
    if (peer->expected)
        check->n_expected--;
    if (!peer->finished)
        check->n_unfinished--;
}

static struct check_peer *peer_find(const struct check *check, uint32_t number)
{
    for (struct peer_chunk *chunk = check->chunks; chunk; chunk = chunk->next)
        if (number >= chunk->peers[0].number && number - chunk->peers[0].number < chunk->n)
            return &chunk->peers[number - chunk->peers[0].number];
    must_failed("every number has its peer", __FILE__, __LINE__);
}

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

static void want_refresh(struct check *check)
{
    const struct checker_settings *settings = &check->checker->settings;

    check->refresh_mark = podtable_scrapes(settings->table).begun;
    check->refresh_pending = true;
    check->refresh_wanted = settings->ask_refresh(settings->arg, check->origin) < 0;
}

static void follow_refresh(struct check *check)
{
    if (check->refresh_wanted)
        want_refresh(check);
    if (check->refresh_pending && podtable_scrapes(check->checker->settings.table).ended > check->refresh_mark)
        check->refresh_pending = check->refresh_wanted = false;
}

/* ---- following the table ---- */

static void drop_gone(struct check *check)
{
    for (struct peer_chunk *chunk = check->chunks; chunk; chunk = chunk->next)
        for (size_t i = 0; i < chunk->n; i++)
            if (!chunk->peers[i].dropped && pool_pod_is_gone(chunk->peers[i].pod))
                peer_drop(&chunk->peers[i]);
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

static void add_peer(struct check *check, struct peer_chunk *chunk, struct pool_pod *pod, int64_t now)
{
    struct check_peer *peer = &chunk->peers[chunk->n++];

    probe_init(&peer->probe, check->checker->settings.loop, on_probe_done);
    peer->check = check;
    peer->pod = pod;
    pool_pod_hold(pod);
    peer->number = schedule_add(&check->schedule, now);
    check->n_peers++;
    check->n_unfinished++;
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

        if (!is_origin(check, pod) &&
            (n_known == 0 || !bsearch(&pod, known, n_known, sizeof(*known), compare_pods)))
            add_peer(check, chunk, pod, now);
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

/* Brings pool and peers up to the table. Whatever keeps it from that is a refusal: nothing may be said of a list that is
 * known to be an old one. */
static enum check_refusal follow_table(struct check *check)
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
        peer_ask(peer_find(check, number));
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

/* What a check does whenever something has happened. */
static void step(struct check *check)
{
    const struct checker_settings *settings = &check->checker->settings;
    enum check_refusal refusal;

    if (check->state == CHECK_DONE)
        return;
    if (check->refresh_pending)
        follow_refresh(check);
    refusal = follow_table(check);
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
    step(container_of(timer, struct check, wake));
}

static void on_again(struct loop_task *task)
{
    struct check *check = container_of(task, struct check, again);

    if (check->state == CHECK_DONE) {
        check->on_done(check, check->arg);
        check_free(check);
    } else {
        step(check);
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
        *refusal = follow_table(check);
    if (*refusal != CHECK_ACCEPTED) {
        check_free(check);
        return NULL;
    }
    if (!check->origin_known)
        want_refresh(check);
    loop_timer_set(&check->deadline, check->deadline_ns);
    step(check);
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
        const struct check_peer *peer = peer_find(check, (uint32_t)*at);

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
