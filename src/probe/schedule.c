/* SPDX-License-Identifier: MIT */
/*
 * The schedule `parallel`: all peers are asked at once, and each again sync_timeout after its own answer. One queue, in
 * order of due times, so that each step costs the same whatever the number of peers.
 */
#include <config.h>

#include <stdlib.h>

#include <syncer/base/must.h>
#include <syncer/probe/schedule.h>

void schedule_init(struct schedule *schedule, const struct schedule_settings *settings, int64_t start_ns)
{
    *schedule = (struct schedule){
        .settings = *settings,
        .patience_end_ns = start_ns + settings->patience_ns,
        .first = SCHEDULE_NONE,
        .last = SCHEDULE_NONE,
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

static void enqueue(struct schedule *schedule, uint32_t peer, int64_t due_ns)
{
    schedule->peers[peer].due_ns = due_ns;
    schedule->peers[peer].next = SCHEDULE_NONE;
    if (schedule->first == SCHEDULE_NONE)
        schedule->first = peer;
    else
        schedule->peers[schedule->last].next = peer;
    schedule->last = peer;
}

/* In front: a peer that joins is due before all those that wait for their next turn. */
static void enqueue_first(struct schedule *schedule, uint32_t peer, int64_t due_ns)
{
    schedule->peers[peer].due_ns = due_ns;
    schedule->peers[peer].next = schedule->first;
    schedule->first = peer;
    if (schedule->last == SCHEDULE_NONE)
        schedule->last = peer;
}

static uint32_t dequeue(struct schedule *schedule)
{
    uint32_t peer = schedule->first;

    schedule->first = schedule->peers[peer].next;
    if (schedule->first == SCHEDULE_NONE)
        schedule->last = SCHEDULE_NONE;
    return peer;
}

uint32_t schedule_add(struct schedule *schedule, int64_t now_ns)
{
    uint32_t peer = schedule->n;

    must(peer < schedule->room);
    schedule->n++;
    schedule->unfinished++;
    schedule->peers[peer] = (struct schedule_peer){0};
    if (schedule->first == SCHEDULE_NONE || schedule->peers[schedule->last].due_ns <= now_ns)
        enqueue(schedule, peer, now_ns);
    else
        enqueue_first(schedule, peer, now_ns);
    return peer;
}

static bool finish(struct schedule *schedule, uint32_t peer)
{
    schedule->peers[peer].finished = true;
    schedule->unfinished--;
    return true;
}

void schedule_drop(struct schedule *schedule, uint32_t peer)
{
    must(peer < schedule->n);
    if (!schedule->peers[peer].finished)
        finish(schedule, peer); /* where it waits in the queue it is passed over */
}

uint32_t schedule_next(struct schedule *schedule, int64_t now_ns)
{
    while (schedule->first != SCHEDULE_NONE) {
        const struct schedule_peer *first = &schedule->peers[schedule->first];

        if (first->finished) {
            dequeue(schedule);
            continue;
        }
        return first->due_ns <= now_ns ? dequeue(schedule) : SCHEDULE_NONE;
    }
    return SCHEDULE_NONE;
}

int64_t schedule_wake_ns(const struct schedule *schedule)
{
    return schedule->first == SCHEDULE_NONE ? SCHEDULE_NEVER : schedule->peers[schedule->first].due_ns;
}

/* An absent peer is asked until the end of patience, and a last time at it. */
static bool answer_not_yet(struct schedule *schedule, uint32_t peer, int64_t now_ns)
{
    int64_t due = now_ns + schedule->settings.sync_timeout_ns;

    if (now_ns >= schedule->patience_end_ns)
        return finish(schedule, peer);
    enqueue(schedule, peer, due < schedule->patience_end_ns ? due : schedule->patience_end_ns);
    return false;
}

/* A broken probe gets one more attempt, if there is time for its pause. */
static bool answer_broken(struct schedule *schedule, uint32_t peer, int64_t now_ns)
{
    int64_t due = now_ns + schedule->settings.sync_timeout_ns;

    if (schedule->peers[peer].broken_before || due > schedule->patience_end_ns)
        return finish(schedule, peer);
    schedule->peers[peer].broken_before = true;
    enqueue(schedule, peer, due);
    return false;
}

bool schedule_answer(struct schedule *schedule, uint32_t peer, enum schedule_answer answer, int64_t now_ns)
{
    must(peer < schedule->n && !schedule->peers[peer].finished);
    if (answer == SCHEDULE_NOT_YET)
        return answer_not_yet(schedule, peer, now_ns);
    if (answer == SCHEDULE_BROKEN)
        return answer_broken(schedule, peer, now_ns);
    return finish(schedule, peer);
}
