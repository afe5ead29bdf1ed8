/* SPDX-License-Identifier: MIT */
/*
 * origin_check: a token that the origin itself does not have can come to nobody, so there is nothing to wait for. It is asked
 * once in a flight, if those who were asked first don't have the token; whatever it says but 401 changes nothing.
 */
#include <config.h>

#include <string.h>

#include <syncer/base/macros.h>

#include "check_private.h"

static void on_origin_done(struct probe *probe)
{
    struct flight *flight = container_of(probe, struct flight, origin_probe);
    bool nothing_can_come = probe->outcome == PROBE_ABSENT && !flight->somebody;

    pool_pod_drop(flight->origin_pod);
    flight->origin_pod = NULL;
    if (!nothing_can_come)
        return;
    for (struct check *check = flight->first, *next; check; check = next) {
        next = check->newer;
        check_give_up(check);
    }
}

void flight_origin_init(struct flight *flight)
{
    probe_init(&flight->origin_probe, flight->checker->settings.loop, on_origin_done);
}

/* NULL: it does not count, or takes no questions now. */
static struct pool_pod *find_origin(const struct flight *flight)
{
    struct pool *pool = flight->checker->settings.pool;

    for (size_t i = 0; i < pool_size(pool); i++) {
        struct pool_pod *pod = pool_get(pool, i);

        if (flight_is_origin(flight, pod))
            return pool_pod_is_down(pod) || pool_pod_is_overloaded(pod) ? NULL : pod;
    }
    return NULL;
}

void flight_origin_look(struct flight *flight, enum schedule_answer answer)
{
    bool wanted = flight->checker->settings.origin_check && !flight->expect_absent && flight->origin_known &&
                  strcmp(flight->origin, "-") != 0;

    flight->n_answers++;
    flight->somebody |= answer == SCHEDULE_EXPECTED;
    if (!wanted || flight->somebody || flight->origin_asked ||
        flight->n_answers < schedule_first_wave(&flight->schedule))
        return;
    flight->origin_asked = true;
    flight->origin_pod = find_origin(flight);
    if (!flight->origin_pod)
        return;
    pool_pod_hold(flight->origin_pod);
    probe_start(&flight->origin_probe, flight->origin_pod, flight->text);
}

void flight_origin_end(struct flight *flight)
{
    probe_cancel(&flight->origin_probe);
    if (flight->origin_pod)
        pool_pod_drop(flight->origin_pod);
    flight->origin_pod = NULL;
}
