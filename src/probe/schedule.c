/* SPDX-License-Identifier: MIT */
/*
 * Both modes over two queues: `timed`, whose peers know when they are due, and `idle`, whose peers wait for
 * what other peers answer. Parallel never uses the second. Each step costs the same whatever the number of
 * peers, but for a wave, which costs a few ns for each that waits.
 */
#include <config.h>

#include <stdlib.h>

#include <syncer/base/clock.h>
#include <syncer/base/must.h>
#include <syncer/probe/schedule.h>

#define SCOUTS 3
#define AUTO_MIN_NS (5 * NS_PER_MS)
#define AUTO_MAX_NS (20 * NS_PER_MS)

/* ---- queues ---- */

static const struct schedule_queue empty = {SCHEDULE_NONE, SCHEDULE_NONE};

static bool is_empty(const struct schedule_queue *queue)
{
    return queue->first == SCHEDULE_NONE;
}

static void push(struct schedule *schedule, struct schedule_queue *queue, uint32_t peer)
{
    schedule->peers[peer].next = SCHEDULE_NONE;
    if (is_empty(queue))
        queue->first = peer;
    else
        schedule->peers[queue->last].next = peer;
    queue->last = peer;
}

static void push_front(struct schedule *schedule, struct schedule_queue *queue, uint32_t peer)
{
    schedule->peers[peer].next = queue->first;
    queue->first = peer;
    if (queue->last == SCHEDULE_NONE)
        queue->last = peer;
}

static uint32_t pop(struct schedule *schedule, struct schedule_queue *queue)
{
    uint32_t peer = queue->first;

    queue->first = schedule->peers[peer].next;
    if (is_empty(queue))
        queue->last = SCHEDULE_NONE;
    return peer;
}

/* Those that finished while they waited (they were dropped) are passed over. */
static void skip_finished(struct schedule *schedule, struct schedule_queue *queue)
{
    while (!is_empty(queue) && schedule->peers[queue->first].finished)
        pop(schedule, queue);
}

static void push_timed(struct schedule *schedule, uint32_t peer, int64_t due_ns)
{
    schedule->peers[peer].due_ns = due_ns;
    push(schedule, &schedule->timed, peer);
}

/* Those in `idle`, which is not empty, are due at once. */
static void let_go(struct schedule *schedule, int64_t now_ns)
{
    struct schedule_queue *idle = &schedule->idle, *timed = &schedule->timed;

    for (uint32_t peer = idle->first; peer != SCHEDULE_NONE; peer = schedule->peers[peer].next)
        schedule->peers[peer].due_ns = now_ns;
    schedule->peers[idle->last].next = timed->first;
    timed->first = idle->first;
    if (timed->last == SCHEDULE_NONE)
        timed->last = idle->last;
    *idle = empty;
}

/* ---- life ---- */

void schedule_init(struct schedule *schedule, const struct schedule_settings *settings, int64_t start_ns)
{
    *schedule = (struct schedule){
        .settings = *settings,
        .patience_end_ns = start_ns + settings->patience_ns,
        .timed = empty,
        .idle = empty,
        .scouting = settings->mode == SCHEDULE_SCOUT && settings->waves > 0,
    };
}

void schedule_release(struct schedule *schedule)
{
    free(schedule->peers);
    schedule->peers = NULL;
    schedule->n = schedule->room = 0;
}

int schedule_reserve(struct schedule *schedule, uint32_t n)
{
    struct schedule_peer *peers;

    if (n <= schedule->room)
        return 0;
    peers = realloc(schedule->peers, n * sizeof(*peers));
    if (!peers)
        return -1;
    schedule->peers = peers;
    schedule->room = n;
    return 0;
}

uint32_t schedule_add(struct schedule *schedule, int64_t now_ns)
{
    uint32_t peer = schedule->n;

    must(peer < schedule->room);
    schedule->n++;
    schedule->unfinished++;
    schedule->peers[peer] = (struct schedule_peer){.due_ns = now_ns};
    if (!schedule->begun)
        push(schedule, &schedule->timed, peer);
    else
        push_front(schedule, &schedule->timed, peer);
    return peer;
}

static void finish(struct schedule *schedule, uint32_t peer)
{
    schedule->peers[peer].finished = true;
    schedule->unfinished--;
}

/* One of the first three less to wait for. */
static void end_scout(struct schedule *schedule, uint32_t peer)
{
    if (!schedule->peers[peer].scout)
        return;
    schedule->peers[peer].scout = false;
    if (--schedule->scouts_out == 0 && schedule->waves == 0)
        schedule->next_wave_ns = 0;
}

void schedule_drop(struct schedule *schedule, uint32_t peer)
{
    must(peer < schedule->n);
    end_scout(schedule, peer);
    if (!schedule->peers[peer].finished)
        finish(schedule, peer);
}

/* ---- one more who wants to know ---- */

void schedule_extend(struct schedule *schedule, int64_t start_ns)
{
    int64_t end = start_ns + schedule->settings.patience_ns;

    if (end > schedule->patience_end_ns)
        schedule->patience_end_ns = end;
    schedule->waves = 0;
    schedule->scouting = schedule->settings.mode == SCHEDULE_SCOUT && schedule->settings.waves > 0;
    for (uint32_t i = 0; i < schedule->n; i++)
        schedule->peers[i].broken_before = false;
}

bool schedule_is_finished(const struct schedule *schedule, uint32_t peer)
{
    must(peer < schedule->n);
    return schedule->peers[peer].finished;
}

void schedule_reopen(struct schedule *schedule, uint32_t peer, int64_t now_ns)
{
    must(schedule->begun && schedule_is_finished(schedule, peer));
    schedule->unfinished++;
    schedule->peers[peer] = (struct schedule_peer){.due_ns = now_ns};
    push_front(schedule, &schedule->timed, peer);
}

void schedule_hurry(struct schedule *schedule, int64_t now_ns)
{
    struct schedule_queue *timed = &schedule->timed;

    if (!is_empty(&schedule->idle))
        let_go(schedule, now_ns);
    for (uint32_t peer = timed->first; peer != SCHEDULE_NONE; peer = schedule->peers[peer].next)
        if (schedule->peers[peer].due_ns > now_ns)
            schedule->peers[peer].due_ns = now_ns;
}

/* ---- scouting ---- */

static int64_t auto_interval_ns(const struct schedule *schedule)
{
    int64_t interval = schedule->settings.sync_timeout_ns / (schedule->n ? schedule->n : 1);

    if (interval < AUTO_MIN_NS)
        return AUTO_MIN_NS;
    return interval < AUTO_MAX_NS ? interval : AUTO_MAX_NS;
}

/* Fisher and Yates; the order stands in due_ns, which peers in `idle` don't need. */
static void shuffle(struct schedule *schedule)
{
    struct schedule_peer *peers = schedule->peers;

    for (uint32_t i = 0; i < schedule->n; i++) {
        uint32_t other = schedule->settings.draw(i + 1);

        peers[i].due_ns = peers[other].due_ns;
        peers[other].due_ns = i;
    }
}

/* The first three go out, the others wait in a random order. */
static void begin_scouting(struct schedule *schedule, int64_t now_ns)
{
    if (schedule->settings.scout_interval_ns == 0)
        schedule->settings.scout_interval_ns = auto_interval_ns(schedule);
    shuffle(schedule);
    schedule->timed = empty;
    for (uint32_t i = 0; i < schedule->n; i++)
        push(schedule, &schedule->idle, (uint32_t)schedule->peers[i].due_ns);
    for (uint32_t i = 0; i < schedule->n && i < SCOUTS; i++) {
        uint32_t peer = pop(schedule, &schedule->idle);

        if (schedule->peers[peer].finished)
            continue;
        schedule->peers[peer].scout = true;
        schedule->scouts_out++;
        push_timed(schedule, peer, now_ns);
    }
    /* The first three speak together, unless one of them keeps the others waiting. */
    schedule->scout_due_ns = schedule->next_wave_ns = now_ns + schedule->settings.scout_interval_ns;
}

/* Between this wave and the next. Where the token arrives over some time each answer would call for one, and
 * all would be spent before the last pod has it: so it doubles, up to the pace of `parallel`. */
static int64_t distance_ns(const struct schedule *schedule)
{
    int64_t distance = schedule->settings.scout_interval_ns;

    for (uint32_t i = 0; i < schedule->waves && distance < schedule->settings.sync_timeout_ns; i++)
        distance *= 2;
    return distance < schedule->settings.sync_timeout_ns ? distance : schedule->settings.sync_timeout_ns;
}

/* All that wait are due at once. */
static void wave(struct schedule *schedule, int64_t now_ns)
{
    skip_finished(schedule, &schedule->idle);
    if (is_empty(&schedule->idle))
        return;
    let_go(schedule, now_ns);
    schedule->wave_wanted = false;
    schedule->next_wave_ns = now_ns + distance_ns(schedule);
    if (++schedule->waves == schedule->settings.waves)
        schedule->scouting = false;
}

static void wait_for_turn(struct schedule *schedule, uint32_t peer, int64_t now_ns)
{
    /* The pace of the scouts is kept, but nobody is asked for turns that passed while nobody waited. */
    if (is_empty(&schedule->idle) && schedule->scout_due_ns < now_ns)
        schedule->scout_due_ns = now_ns + schedule->settings.scout_interval_ns;
    push(schedule, &schedule->idle, peer);
}

/* The one whose turn it is, or SCHEDULE_NONE. */
static uint32_t next_scout(struct schedule *schedule, int64_t now_ns)
{
    int64_t interval = schedule->settings.scout_interval_ns;

    skip_finished(schedule, &schedule->idle);
    if (is_empty(&schedule->idle))
        return SCHEDULE_NONE;
    if (now_ns >= schedule->patience_end_ns)
        return pop(schedule, &schedule->idle);
    if (schedule->wave_wanted && now_ns >= schedule->next_wave_ns) {
        wave(schedule, now_ns);
        return pop(schedule, &schedule->timed);
    }
    if (now_ns < schedule->scout_due_ns)
        return SCHEDULE_NONE;
    schedule->scout_due_ns += interval;
    if (schedule->scout_due_ns <= now_ns)
        schedule->scout_due_ns = now_ns + interval;
    return pop(schedule, &schedule->idle);
}

/* ---- who is next ---- */

uint32_t schedule_first_wave(const struct schedule *schedule)
{
    bool scouts = schedule->settings.mode == SCHEDULE_SCOUT && schedule->settings.waves > 0;

    return scouts && schedule->n > SCOUTS ? SCOUTS : schedule->n;
}

uint32_t schedule_next(struct schedule *schedule, int64_t now_ns)
{
    if (!schedule->begun) {
        schedule->begun = true;
        if (schedule->scouting)
            begin_scouting(schedule, now_ns);
    }
    skip_finished(schedule, &schedule->timed);
    if (!is_empty(&schedule->timed) && schedule->peers[schedule->timed.first].due_ns <= now_ns)
        return pop(schedule, &schedule->timed);
    return next_scout(schedule, now_ns);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t schedule_wake_ns(const struct schedule *schedule)
{
    int64_t wake = SCHEDULE_NEVER;

    if (!is_empty(&schedule->timed))
        wake = schedule->peers[schedule->timed.first].due_ns;
    if (is_empty(&schedule->idle))
        return wake;
    wake = earlier(wake, earlier(schedule->scout_due_ns, schedule->patience_end_ns));
    return schedule->wave_wanted ? earlier(wake, schedule->next_wave_ns) : wake;
}

/* ---- answers ---- */

bool schedule_is_last(const struct schedule_settings *settings, enum schedule_answer answer, bool broken_before,
                      int64_t patience_end_ns, int64_t now_ns)
{
    switch (answer) {
    case SCHEDULE_NOT_YET: /* asked until the end of patience, and a last time at it */
        return now_ns >= patience_end_ns;
    case SCHEDULE_BROKEN: /* one more attempt, if there is time for its pause */
        return broken_before || now_ns + settings->sync_timeout_ns > patience_end_ns;
    case SCHEDULE_EXPECTED:
    case SCHEDULE_FINAL:
    default:
        return true;
    }
}

static void ask_again(struct schedule *schedule, uint32_t peer, enum schedule_answer answer, int64_t now_ns)
{
    int64_t due = now_ns + schedule->settings.sync_timeout_ns;

    if (answer == SCHEDULE_BROKEN)
        schedule->peers[peer].broken_before = true;
    if (answer == SCHEDULE_NOT_YET && schedule->scouting)
        wait_for_turn(schedule, peer, now_ns);
    else
        push_timed(schedule, peer, due < schedule->patience_end_ns ? due : schedule->patience_end_ns);
}

bool schedule_answer(struct schedule *schedule, uint32_t peer, enum schedule_answer answer, int64_t now_ns)
{
    bool last;

    must(peer < schedule->n && !schedule->peers[peer].finished);
    end_scout(schedule, peer);
    last = schedule_is_last(&schedule->settings, answer, schedule->peers[peer].broken_before, schedule->patience_end_ns,
                            now_ns);
    if (last)
        finish(schedule, peer);
    else
        ask_again(schedule, peer, answer, now_ns);
    if (answer == SCHEDULE_EXPECTED)
        schedule->wave_wanted = true;
    return last;
}
