/* SPDX-License-Identifier: MIT */
/* One peer of a check: its probes, and what their answers mean. When it is asked is schedule.c's. */
#include <config.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "check_private.h"

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

/* It says nothing of the token yet. */
static bool is_no_answer(enum probe_outcome outcome)
{
    return outcome == PROBE_UNCONFIRMED || outcome == PROBE_SHORT;
}

static enum schedule_answer answer_of(const struct check_peer *peer)
{
    enum probe_outcome expected = peer->check->expect_absent ? PROBE_ABSENT : PROBE_PRESENT;
    enum probe_outcome other = peer->check->expect_absent ? PROBE_PRESENT : PROBE_ABSENT;

    if (peer->outcome == expected)
        return SCHEDULE_EXPECTED;
    if (peer->outcome == other || is_no_answer(peer->outcome))
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
    if (answer == SCHEDULE_NOT_YET && peer->attempts == 1 && !is_no_answer(peer->outcome))
        peer->absent_first = true;
    if (answer == SCHEDULE_EXPECTED)
        note_expected(peer, now);
    /* What is missing here must not count against the pod: the peer stays unfinished, and the deadline says Timeout. */
    if (schedule_answer(&check->schedule, peer->number, answer, now) && peer->outcome != PROBE_SHORT)
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
    check_step(peer->check);
}

void check_peer_ask(struct check_peer *peer)
{
    if (pool_pod_is_down(peer->pod)) {
        peer_answered(peer, PROBE_DOWN, 0);
        return;
    }
    peer->attempts++;
    probe_start(&peer->probe, peer->pod, peer->check->text, peer->check->deadline_ns);
}

void check_peer_drop(struct check_peer *peer)
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

struct check_peer *check_peer_find(const struct check *check, uint32_t number)
{
    for (struct peer_chunk *chunk = check->chunks; chunk; chunk = chunk->next)
        if (number >= chunk->peers[0].number && number - chunk->peers[0].number < chunk->n)
            return &chunk->peers[number - chunk->peers[0].number];
    must_failed("every number has its peer", __FILE__, __LINE__);
}

void check_peer_add(struct check *check, struct peer_chunk *chunk, struct pool_pod *pod, int64_t now)
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
