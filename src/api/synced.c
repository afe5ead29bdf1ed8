/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/synced: from a request to a check, and from its result to header fields. The token is handed down as the request
 * has it; it is never copied into an answer or a line of the log.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <syncer/base/clock.h>

#include "synced.h"

/* ---- the answer ---- */

static int status_of(enum strict strict, enum verdict verdict)
{
    if (strict == STRICT_NO || verdict == VERDICT_SYNCED)
        return 200;
    return strict == STRICT_MAJORITY && verdict == VERDICT_PARTIALY ? 200 : 403;
}

/*
 * Who has all pods' consent keeps it for a while; anything else may change at once. A cache that goes by header fields
 * must not give one token's answer to another (RFC 9111, 4.1); nginx goes by proxy_cache_key.
 */
static void answer_caching(struct synced *s)
{
    char text[32];

    if (s->api->synced_max_age_s == 0 || s->verbose || s->expect_absent || check_verdict(s->check) != VERDICT_SYNCED) {
        http_answer_field(s->x, "Cache-Control", "no-store");
        return;
    }
    snprintf(text, sizeof(text), "max-age=%" PRId64, s->api->synced_max_age_s);
    http_answer_field(s->x, "Cache-Control", text);
    http_answer_field(s->x, "Vary", "X-Auth-Token, X-Nginx-Origin");
}

static void answer_verdict(struct synced *s)
{
    enum verdict verdict = check_verdict(s->check);
    struct http_producer *verbose = s->verbose ? synced_verbose_new(s) : NULL;
    char text[64];

    http_answer_begin(s->x, status_of(s->strict, verdict));
    http_answer_field(s->x, "X-Token-Status", verdict_name(verdict));
    snprintf(text, sizeof(text), "%zu/%zu", check_expected(s->check), check_peers(s->check));
    http_answer_field(s->x, "X-Token-Pods", text);
    snprintf(text, sizeof(text), "%" PRId64, check_duration_ns(s->check) / NS_PER_MS);
    http_answer_field(s->x, "X-Token-Sync-Ms", text);
    http_answer_field(s->x, "X-Request-ID", http_exchange_id(s->x));
    answer_caching(s);
    if (verbose)
        http_answer_end_producer(s->x, "application/json", verbose);
    else
        http_answer_end(s->x, NULL, NULL, 0);
}

static const struct {
    enum api_error error;
    const char *detail;
} refusals[CHECK_REFUSALS] = {
    [CHECK_NO_POD_LIST] = {API_NO_POD_LIST, "no list of pods has been read, or the last one is too old to be trusted"},
    [CHECK_NO_PODS] = {API_NO_PODS, "there is no pod to ask, and the origin is not in the list either"},
    [CHECK_TOO_MANY_PODS] = {API_TOO_MANY_PODS, "the source has more pods than max_pods: some are not known"},
    [CHECK_OVERLOADED] = {API_OVERLOADED, "max_checks are under way in this worker, or its memory is out"},
};

static void refuse_check(struct http_exchange *x, struct api *api, enum check_refusal refusal)
{
    api_refuse(x, api, refusals[refusal].error, refusals[refusal].detail);
}

/* Where nobody has the token, it is the token's fault and no pod's. */
static void note_late(const struct synced *s)
{
    struct check_peer_result peer;
    size_t at = 0;

    if (s->expect_absent || check_expected(s->check) == 0 || check_expected(s->check) == check_peers(s->check))
        return;
    while (check_next_peer(s->check, &at, &peer))
        if (peer.outcome == PROBE_ABSENT)
            scoreboard_note_late(s->api->board, pool_pod_id(peer.pod));
}

static void on_check_done(struct check *check, void *arg)
{
    struct synced *s = arg;

    if (check_refusal(check) != CHECK_ACCEPTED) {
        refuse_check(s->x, s->api, check_refusal(check));
    } else {
        http_exchange_set_result(s->x, verdict_name(check_verdict(check)));
        api_log_verdict(s->api, s->x, check, s->origin);
        note_late(s);
        answer_verdict(s);
    }
    free(s);
}

static void on_abort(struct http_exchange *x)
{
    struct synced *s = http_exchange_data(x);

    check_cancel(s->check);
    free(s);
}

/* ---- the handler ---- */

static void start(struct synced *s, const char *token, size_t token_len)
{
    char fields[64 + HTTP_EXCHANGE_ID_MAX + TRACEPARENT_BYTES];
    struct check_request request = {
        .token = token,
        .token_len = token_len,
        .origin = s->origin,
        .expect_absent = s->expect_absent,
        .fields = fields,
        .began_ns = http_exchange_began_ns(s->x),
        .on_done = on_check_done,
        .arg = s,
    };
    enum check_refusal refusal;

    snprintf(fields, sizeof(fields), "X-Request-ID: %s\r\n%s%s%s", http_exchange_id(s->x),
             s->traceparent[0] ? "traceparent: " : "", s->traceparent, s->traceparent[0] ? "\r\n" : "");
    s->check = check_start(s->api->checker, &request, &refusal);
    if (!s->check) {
        refuse_check(s->x, s->api, refusal);
        free(s);
        return;
    }
    http_exchange_set_data(s->x, s);
    http_exchange_on_abort(s->x, on_abort);
}

void api_synced(struct http_exchange *x, void *app)
{
    struct api *api = app;
    struct synced *s;
    const char *token = NULL, *wrong;
    size_t token_len = 0;

    wrong = synced_read_token(x, &token, &token_len);
    synced_read_request_id(x, token, token_len);
    if (!api_allows(api, x)) {
        api_refuse(x, api, API_NOT_ALLOWED, "the caller's address is not among those that `allow` names");
        return;
    }
    if (api->refusing) {
        api_refuse(x, api, API_DRAINING, "this instance is about to end: ask another one");
        return;
    }
    s = calloc(1, sizeof(*s));
    if (!s) {
        api_refuse(x, api, API_OVERLOADED, "memory is out");
        return;
    }
    s->api = api;
    s->x = x;
    if (!wrong)
        wrong = synced_read_origin(s, token, token_len);
    if (!wrong)
        wrong = synced_read_query(s);
    if (wrong) {
        api_refuse(x, api, API_BAD_REQUEST, wrong);
        free(s);
        return;
    }
    http_exchange_show_query(x);
    synced_read_traceparent(s);
    start(s, token, token_len);
}
