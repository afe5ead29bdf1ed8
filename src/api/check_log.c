/* SPDX-License-Identifier: MIT */
/*
 * Lines about checks: which are not Synced, with the pods and why, and which got no verdict. Whatever
 * happens, all workers together write at most LINES_PER_SECOND a verdict or error, and then how many there
 * were more: when the second is over, whether or not another check follows.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>

#include "api_private.h"

#define LINES_PER_SECOND 10
#define PODS_MAX 5      /* named in one line */
#define PODS_BYTES 1400 /* the line has 2,048 */

/* A client that asks wrongly and an instance that ends are no trouble of the gateways'. */
static const enum log_level verdict_levels[VERDICTS] = {
    [VERDICT_SYNCED] = LOG_LEVEL_DEBUG,
    [VERDICT_PARTIALY] = LOG_LEVEL_WARN,
    [VERDICT_NOT_SYNCED] = LOG_LEVEL_WARN,
    [VERDICT_TIMEOUT] = LOG_LEVEL_WARN,
};
static const enum log_level error_levels[API_ERRORS] = {
    [API_BAD_REQUEST] = LOG_LEVEL_INFO, [API_NOT_ALLOWED] = LOG_LEVEL_WARN,   [API_NO_POD_LIST] = LOG_LEVEL_WARN,
    [API_NO_PODS] = LOG_LEVEL_WARN,     [API_TOO_MANY_PODS] = LOG_LEVEL_WARN, [API_OVERLOADED] = LOG_LEVEL_WARN,
    [API_DRAINING] = LOG_LEVEL_INFO,
};

/* ---- the limit ---- */

static const char *reason_name(size_t reason)
{
    return reason < VERDICTS ? verdict_name((enum verdict)reason) : api_error_name((enum api_error)(reason - VERDICTS));
}

static enum log_level reason_level(size_t reason)
{
    return reason < VERDICTS ? verdict_levels[reason] : error_levels[reason - VERDICTS];
}

static void tell_held(struct api *api)
{
    for (size_t reason = 0; reason < ARRAY_LEN(api->log.limits); reason++) {
        uint32_t held = log_limit_take(&api->log.limits[reason]);

        if (held > 0)
            LOG_AT(reason_level(reason), "more checks like these in this second",
                   LOG_STR("status", reason_name(reason)), LOG_INT("lines_held_back", held));
    }
}

static void on_over(struct loop_timer *timer)
{
    tell_held(container_of(timer, struct api, log.over));
}

/* This worker's share. Nobody speaks with the others for that: a worker that gets more checks than they do is
 * cut earlier. */
static uint32_t lines_per_second(const struct api *api)
{
    uint32_t workers = 0;

    for (uint32_t block = 1; block < scoreboard_blocks(api->board); block++) {
        struct scoreboard_owner owner;

        scoreboard_owner(api->board, block, &owner);
        workers += owner.state != SCOREBOARD_EMPTY;
    }
    return workers < LINES_PER_SECOND ? LINES_PER_SECOND / (workers ? workers : 1) : 1;
}

static bool may_log(struct api *api, size_t reason)
{
    struct log_limit *limit = &api->log.limits[reason];

    if (!log_enabled(reason_level(reason)))
        return false;
    if (log_limit_pass(limit, loop_now_ns(api->loop), lines_per_second(api)))
        return true;
    if (!api->log.over.set)
        loop_timer_set(&api->log.over, log_limit_over_ns(limit));
    return false;
}

void api_init(struct api *api)
{
    loop_timer_init(&api->log.over, api->loop, LOOP_LATE, on_over);
}

void api_release(struct api *api)
{
    loop_timer_cancel(&api->log.over);
    tell_held(api);
}

/* ---- the lines ---- */

static bool is_waiting(const struct check_peer_result *peer)
{
    return peer->outcome == PROBE_PRESENT || peer->outcome == PROBE_ABSENT;
}

static void add_why(struct buf *out, const struct check_peer_result *peer)
{
    const char *outcome = probe_outcome_name(peer->outcome), *reason = api_peer_reason(peer);

    buf_addf(out, "%s%s: ", out->len ? "; " : "", pool_pod_name(peer->pod));
    if (peer->outcome == PROBE_STATUS)
        buf_addf(out, "%u", peer->code);
    else if (is_waiting(peer) || !reason[0])
        buf_add_str(out, outcome);
    else
        buf_addf(out, "%s, %s", outcome, reason);
}

/* Names pods that are not as expected, those that fail before those that have merely not followed. *hint
 * becomes that of the first of them. */
static void name_pods(const struct check *check, struct buf *out, const char **hint)
{
    size_t named = 0, all = check_peers(check) - check_expected(check);

    for (int waiting = 0; waiting <= 1; waiting++) {
        struct check_peer_result peer;

        for (size_t at = 0; named < PODS_MAX && check_next_peer(check, &at, &peer);) {
            if (peer.expected_after_ns >= 0 || is_waiting(&peer) != waiting)
                continue;
            add_why(out, &peer);
            *hint = **hint ? *hint : api_peer_hint(&peer);
            named++;
        }
    }
    if (all > named)
        buf_addf(out, "; and %zu more", all - named);
}

void api_log_verdict(struct api *api, const struct http_exchange *x, const struct check *check, const char *origin)
{
    enum verdict verdict = check_verdict(check);
    char client[ADDR_TEXT_BYTES], counts[48];
    const char *hint = "";
    struct buf pods;

    if (!may_log(api, verdict))
        return;
    buf_init(&pods, PODS_BYTES);
    name_pods(check, &pods, &hint);
    snprintf(counts, sizeof(counts), "%zu/%zu", check_expected(check), check_peers(check));
    LOG_AT(verdict_levels[verdict],
           verdict == VERDICT_SYNCED     ? "the pods are as expected"
           : check_expects_absent(check) ? "the token is still on some pods"
                                         : "the token is not on all pods",
           LOG_STR("status", verdict_name(verdict)), LOG_STR("pods", counts), LOG_OPT("reason", check_reason(check)),
           LOG_INT("ms", check_duration_ns(check) / NS_PER_MS), LOG_STR("origin", origin),
           LOG_STR("request_id", http_exchange_id(x)), LOG_STR("client", http_exchange_client(x, client)),
           LOG_OPT("expect", check_expects_absent(check) ? "absent" : ""), LOG_OPT("hint", hint),
           LOG_OPT("missing", pods.failed ? "too long to be named" : buf_str(&pods)));
    buf_release(&pods);
}

void api_log_error(struct api *api, const struct http_exchange *x, enum api_error error, const char *detail)
{
    char client[ADDR_TEXT_BYTES];

    if (!may_log(api, VERDICTS + (size_t)error))
        return;
    LOG_AT(error_levels[error], "no verdict", LOG_STR("error", api_error_name(error)), LOG_STR("reason", detail),
           LOG_STR("client", http_exchange_client(x, client)), LOG_OPT("request_id", http_exchange_id(x)));
}
