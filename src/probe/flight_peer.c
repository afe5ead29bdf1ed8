/* SPDX-License-Identifier: MIT */
/* One peer of a flight: its probes, and what their answers mean. When it is asked is schedule.c's. */
#include <config.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "check_private.h"

static bool is_final(enum probe_outcome outcome)
{
    return outcome == PROBE_STATUS || outcome == PROBE_DOWN || outcome == PROBE_OVERLOADED ||
           outcome == PROBE_UNPROTECTED;
}

/* It says nothing of the token yet. */
static bool is_no_answer(enum probe_outcome outcome)
{
    return outcome == PROBE_UNCONFIRMED || outcome == PROBE_SHORT;
}

static enum schedule_answer answer_of(const struct flight *flight, enum probe_outcome outcome)
{
    enum probe_outcome expected = flight->expect_absent ? PROBE_ABSENT : PROBE_PRESENT;
    enum probe_outcome other = flight->expect_absent ? PROBE_PRESENT : PROBE_ABSENT;

    if (outcome == expected)
        return SCHEDULE_EXPECTED;
    if (outcome == other || is_no_answer(outcome))
        return SCHEDULE_NOT_YET;
    return is_final(outcome) ? SCHEDULE_FINAL : SCHEDULE_BROKEN;
}

/* Whether a 200 is one. Until a control probe has been answered the pod is asked again: so a start delays the first logins
 * by the time of that probe, and fails none. */
static enum probe_outcome weigh(const struct flight_peer *peer, enum probe_outcome outcome)
{
    if (outcome != PROBE_PRESENT || !peer->flight->checker->settings.heed_control_probes)
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

/* The outcome stands in the probe. */
static void answered(struct flight_peer *peer)
{
    struct flight *flight = peer->flight;
    enum probe_outcome outcome = weigh(peer, peer->probe.outcome);
    enum schedule_answer answer = answer_of(flight, outcome);

    peer->vouched_ns = answer == SCHEDULE_EXPECTED ? peer->probe.started_ns : -1;
    for (struct check *check = flight->first; check; check = check->newer)
        check_hear(check, peer, outcome, answer);
    schedule_answer(&flight->schedule, peer->number, answer, loop_now_ns(flight->checker->settings.loop));
    flight_origin_look(flight, answer);
}

static void on_probe_done(struct probe *probe)
{
    struct flight_peer *peer = container_of(probe, struct flight_peer, probe);

    answered(peer);
    flight_step(peer->flight);
}

void flight_peer_ask(struct flight_peer *peer)
{
    struct flight *flight = peer->flight;

    if (pool_pod_is_down(peer->pod) || pool_pod_is_overloaded(peer->pod)) {
        peer->probe.outcome = pool_pod_is_down(peer->pod) ? PROBE_DOWN : PROBE_OVERLOADED;
        peer->probe.code = 0;
        answered(peer);
        return;
    }
    for (struct check *check = flight->first; check; check = check->newer)
        check_await(check, peer->number);
    probe_start(&peer->probe, peer->pod, flight->text);
}

/* Only what is present is: a token that comes stays until its logout, but one that a pod did not have a moment ago may have
 * come since. And it must have been asked for a check that still runs, so that nothing is handed on from check to check; by
 * a pod whose answers count now as well. */
bool flight_peer_vouches(const struct flight_peer *peer)
{
    const struct flight *flight = peer->flight;

    return !flight->expect_absent && peer->vouched_ns >= flight->first->joined_ns && !pool_pod_is_down(peer->pod) &&
           pool_pod_is_trusted(peer->pod) && weigh(peer, PROBE_PRESENT) == PROBE_PRESENT;
}

void flight_peer_drop(struct flight_peer *peer)
{
    struct flight *flight = peer->flight;

    probe_cancel(&peer->probe);
    schedule_drop(&flight->schedule, peer->number);
    peer->dropped = true;
    for (struct check *check = flight->first; check; check = check->newer)
        check_forget(check, peer->number);
}

struct flight_peer *flight_peer_find(const struct flight *flight, uint32_t number)
{
    for (struct peer_chunk *chunk = flight->chunks; chunk; chunk = chunk->next)
        if (number >= chunk->peers[0].number && number - chunk->peers[0].number < chunk->n)
            return &chunk->peers[number - chunk->peers[0].number];
    must_failed("every number has its peer", __FILE__, __LINE__);
}

void flight_peer_add(struct flight *flight, struct peer_chunk *chunk, struct pool_pod *pod, int64_t now)
{
    struct flight_peer *peer = &chunk->peers[chunk->n++];

    probe_init(&peer->probe, flight->checker->settings.loop, on_probe_done);
    peer->flight = flight;
    peer->pod = pod;
    pool_pod_hold(pod);
    peer->vouched_ns = -1;
    peer->number = schedule_add(&flight->schedule, now);
    for (struct check *check = flight->first; check; check = check->newer)
        check_meet(check, true);
}
