/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/synced: from header fields to a check, and from its result to header fields. The token is read here once and
 * handed down; it is never copied into an answer or a line of the log.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/random.h>
#include <syncer/wire/json_write.h>
#include <syncer/wire/url.h>

#include "api_private.h"

#define TOKEN_MAX 4096
#define TRACEPARENT_BYTES 55
#define RELATED_MIN 8

enum strict { STRICT_NO, STRICT_ALL, STRICT_MAJORITY };

/* One request under way: what the answer needs after the request's bytes are gone. */
struct synced {
    struct api *api;
    struct http_exchange *x;
    struct check *check;
    enum strict strict;
    bool verbose, expect_absent;
    char origin[CHECK_ORIGIN_MAX + 1];
    char traceparent[TRACEPARENT_BYTES + 1]; /* "" = none */
};

/* ---- reading the request; each returns NULL, or what is wrong and what would be right ---- */

static const char *read_token(struct http_exchange *x, const char **token, size_t *len)
{
    unsigned n = http_exchange_field(x, "x-auth-token", token, len);

    if (n == 0)
        return "X-Auth-Token is missing: it should carry the session token";
    if (n > 1)
        return "X-Auth-Token is there more than once";
    if (*len == 0 || *len > TOKEN_MAX)
        return "X-Auth-Token should have 1 to 4096 bytes";
    for (size_t i = 0; i < *len; i++)
        if (!http_is_cookie_octet((unsigned char)(*token)[i]))
            return "X-Auth-Token holds a byte that no cookie value may have (RFC 6265 section 4.1.1)";
    return NULL;
}

static bool is_alnum_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A DNS-1123 subdomain: labels of 1 to 63 of a-z, 0-9 and, not at their ends, "-". */
static bool is_dns_name(const char *name, size_t len)
{
    size_t start = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && name[i] != '.') {
            if (!is_alnum_lower(name[i]) && name[i] != '-')
                return false;
            continue;
        }
        if (i == start || i - start > 63 || name[start] == '-' || name[i - 1] == '-')
            return false;
        start = i + 1;
    }
    return true;
}

/* A value that was made from the token would carry it into the log. Short ones meet by chance. */
static bool is_related(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len >= RELATED_MIN && b_len >= RELATED_MIN && (memmem(a, a_len, b, b_len) || memmem(b, b_len, a, a_len));
}

static const char *read_origin(struct synced *s, struct http_exchange *x, const char *token, size_t token_len)
{
    const char *value;
    size_t len;
    struct addr addr;
    unsigned n = http_exchange_field(x, "x-nginx-origin", &value, &len);

    if (n == 0)
        return "X-Nginx-Origin is missing: it should name the pod that stored the token, or be \"-\"";
    if (n > 1)
        return "X-Nginx-Origin is there more than once";
    if (len == 0 || len > CHECK_ORIGIN_MAX)
        return "X-Nginx-Origin should have 1 to 253 bytes";
    if (!(len == 1 && value[0] == '-') && addr_parse(&addr, value, len) < 0 && !is_dns_name(value, len))
        return "X-Nginx-Origin should be a pod's name (DNS-1123, lower case), an IP address or \"-\"";
    if (is_related(value, len, token, token_len))
        return "X-Nginx-Origin holds the token: it should name the pod that stored it";
    memcpy(s->origin, value, len);
    s->origin[len] = '\0';
    return NULL;
}

static bool is_request_id(const char *value, size_t len)
{
    if (len == 0 || len > HTTP_EXCHANGE_ID_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum_lower(value[i]) && !(value[i] >= 'A' && value[i] <= 'Z') && !strchr("._:/+=@-", value[i]))
            return false;
    return true;
}

static void read_request_id(struct http_exchange *x, const char *token, size_t token_len)
{
    char made[RANDOM_HEX_BYTES(16)];
    const char *value;
    size_t len;

    if (http_exchange_field(x, "x-request-id", &value, &len) == 1 && is_request_id(value, len) &&
        !is_related(value, len, token, token_len)) {
        http_exchange_set_id(x, value, len);
    } else {
        random_hex(made, 16);
        http_exchange_set_id(x, made, strlen(made));
    }
}

static bool is_lower_hex(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
            return false;
    return true;
}

static bool all_zero(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] != '0')
            return false;
    return true;
}

/* W3C Trace Context, section 3.2: version 00, trace-id and parent-id not all zero. */
static bool is_traceparent(const char *v, size_t len)
{
    return len == TRACEPARENT_BYTES && memcmp(v, "00-", 3) == 0 && v[35] == '-' && v[52] == '-' &&
           is_lower_hex(v + 3, 32) && is_lower_hex(v + 36, 16) && is_lower_hex(v + 53, 2) && !all_zero(v + 3, 32) &&
           !all_zero(v + 36, 16);
}

static void read_traceparent(struct synced *s, struct http_exchange *x)
{
    const char *value;
    size_t len;

    if (http_exchange_field(x, "traceparent", &value, &len) == 1 && is_traceparent(value, len)) {
        memcpy(s->traceparent, value, len);
        s->traceparent[len] = '\0';
    }
}

/* What a query may say: each parameter once, with one of its values, spelled so. */
static const struct {
    const char *name;
    const char *values[3];
} params[] = {
    {"strict", {"0", "1", "majority"}},
    {"verbose", {"0", "1"}},
    {"expect", {"present", "absent"}},
};

static bool is_text(const char *s, size_t len, const char *text)
{
    return text && strlen(text) == len && memcmp(s, text, len) == 0;
}

/* The index of the value in *value. */
static const char *read_param(const struct url_param *param, size_t *which, int *value)
{
    static const char *const wrong[] = {
        "strict should be 0, 1 or majority",
        "verbose should be 0 or 1",
        "expect should be present or absent",
    };

    for (*which = 0; *which < ARRAY_LEN(params); ++*which) {
        if (!is_text(param->name, param->name_len, params[*which].name))
            continue;
        for (*value = 0; *value < (int)ARRAY_LEN(params[0].values); ++*value)
            if (is_text(param->value, param->value_len, params[*which].values[*value]))
                return NULL;
        return wrong[*which];
    }
    return "a query parameter is none of strict, verbose and expect";
}

static const char *read_query(struct synced *s, struct http_exchange *x)
{
    const struct slice query = http_exchange_request(x)->query;
    const char *text = http_exchange_bytes(x) + query.off, *wrong;
    int values[ARRAY_LEN(params)] = {0};
    bool seen[ARRAY_LEN(params)] = {false};
    struct url_param param;
    size_t pos = 0, which;
    int value;

    while (url_query_next(text, query.len, &pos, &param)) {
        wrong = read_param(&param, &which, &value);
        if (wrong)
            return wrong;
        if (seen[which])
            return "a query parameter is there more than once";
        seen[which] = true;
        values[which] = value;
    }
    s->strict = (enum strict)values[0];
    s->verbose = values[1] == 1;
    s->expect_absent = values[2] == 1;
    return NULL;
}

/* ---- the answer ---- */

/* The result of a probe as the scoreboard has it. */
static enum scoreboard_result result_of(enum probe_outcome outcome)
{
    static const enum scoreboard_result results[PROBE_OUTCOMES] = {
        [PROBE_ABSENT] = SCOREBOARD_ABSENT,      [PROBE_STATUS] = SCOREBOARD_STATUS, [PROBE_CONNECT] = SCOREBOARD_CONNECT,
        [PROBE_TLS] = SCOREBOARD_TLS,            [PROBE_BROKEN] = SCOREBOARD_BROKEN,
        [PROBE_TIMEOUT] = SCOREBOARD_TIMED_OUT,
    };

    return results[outcome];
}

const char *api_peer_hint(const struct check_peer_result *peer)
{
    return scoreboard_hint(result_of(peer->outcome), peer->code);
}

/* It has been asked for a made-up token. */
#define OPEN_LOCATION "the probe location is open: it answers 200 to any token, auth_jwt is missing there"

const char *api_peer_reason(const struct check_peer_result *peer)
{
    switch (peer->outcome) {
    case PROBE_NONE:
        return "no answer before the deadline";
    case PROBE_CUT:
        return "no answer in the time that was left";
    case PROBE_PRESENT:
        return "";
    case PROBE_UNPROTECTED:
        return OPEN_LOCATION;
    case PROBE_UNCONFIRMED:
        return "200, but no control probe of it has been answered yet: would it refuse a token that nobody has?";
    case PROBE_ABSENT:
    case PROBE_STATUS:
        return api_peer_hint(peer);
    default:
        return pool_pod_reason(peer->pod);
    }
}

/* Also one that is as expected may have something to be told of. */
static const char *peer_reason(const struct check_peer_result *peer)
{
    if (peer->unprotected && (peer->outcome == PROBE_PRESENT || peer->outcome == PROBE_ABSENT))
        return OPEN_LOCATION;
    return peer->expected_after_ns >= 0 ? "" : api_peer_reason(peer);
}

static void write_peer(struct json_writer *w, const struct check_peer_result *peer, bool expects_absent)
{
    char addr[ADDR_TEXT_BYTES];

    json_object_begin(w);
    json_put_string(w, "name", pool_pod_name(peer->pod));
    json_put_string(w, "address", addr_format(pool_pod_addr(peer->pod), addr));
    json_put_number(w, "port", pool_pod_port(peer->pod));
    json_put_string(w, "result", probe_outcome_name(peer->outcome));
    json_put_boolean(w, "finished", peer->finished);
    json_put_number(w, "code", peer->code);
    json_put_number(w, "attempts", peer->attempts);
    json_key(w, "ms");
    if (peer->expected_after_ns >= 0)
        json_decimal(w, peer->expected_after_ns / NS_PER_US);
    else
        json_null(w);
    json_put_string(w, "reason", peer_reason(peer));
    if (expects_absent)
        json_put_boolean(w, "proven", pool_pod_is_proven(peer->pod));
    json_object_end(w);
}

/* A verbose body under way. The check is over by then, so it has what it needs of it. */
struct verbose {
    struct http_producer producer;
    struct synced s; /* a copy: its check is not to be used */
    enum verdict verdict;
    int64_t duration_ns;
    size_t expected;
    struct json_writer w;
    size_t next, n; /* peers written, and all */
    struct check_peer_result peers[]; /* their pods are held */
};

static void begin_verbose(struct verbose *v, struct buf *out)
{
    json_writer_init(&v->w, out);
    json_object_begin(&v->w);
    json_put_string(&v->w, "status", verdict_name(v->verdict));
    json_put_string(&v->w, "expect", v->s.expect_absent ? "absent" : "present");
    json_put_string(&v->w, "origin", v->s.origin);
    json_put_number(&v->w, "peers", (int64_t)v->n);
    json_put_number(&v->w, "expected", (int64_t)v->expected);
    json_key(&v->w, "ms");
    json_decimal(&v->w, v->duration_ns / NS_PER_US);
    json_put_string(&v->w, "request_id", http_exchange_id(v->s.x));
    json_key(&v->w, "pods");
    json_array_begin(&v->w);
}

static bool next_verbose(struct http_producer *producer, struct buf *out)
{
    struct verbose *v = container_of(producer, struct verbose, producer);

    if (v->next == 0)
        begin_verbose(v, out);
    v->w.out = out;
    while (v->next < v->n && out->len < HTTP_SLICE_BYTES)
        write_peer(&v->w, &v->peers[v->next++], v->s.expect_absent);
    if (v->next < v->n)
        return true;
    json_array_end(&v->w);
    json_object_end(&v->w);
    return false;
}

static void release_verbose(struct http_producer *producer)
{
    struct verbose *v = container_of(producer, struct verbose, producer);

    for (size_t i = 0; i < v->n; i++)
        pool_pod_drop(v->peers[i].pod);
    free(v);
}

/* NULL if memory is out: the answer has no body then. */
static struct verbose *verbose_new(const struct synced *s)
{
    size_t peers = check_peers(s->check), at = 0;
    struct verbose *v = calloc(1, sizeof(*v) + peers * sizeof(v->peers[0]));

    if (!v)
        return NULL;
    v->producer = (struct http_producer){.next = next_verbose, .release = release_verbose};
    v->s = *s;
    v->verdict = check_verdict(s->check);
    v->duration_ns = check_duration_ns(s->check);
    v->expected = check_expected(s->check);
    while (v->n < peers && check_next_peer(s->check, &at, &v->peers[v->n]))
        pool_pod_hold(v->peers[v->n++].pod);
    return v;
}

static int status_of(enum strict strict, enum verdict verdict)
{
    if (strict == STRICT_NO || verdict == VERDICT_SYNCED)
        return 200;
    return strict == STRICT_MAJORITY && verdict == VERDICT_PARTIALY ? 200 : 403;
}

static void answer_verdict(struct synced *s)
{
    enum verdict verdict = check_verdict(s->check);
    struct verbose *verbose = s->verbose ? verbose_new(s) : NULL;
    char text[64];

    http_answer_begin(s->x, status_of(s->strict, verdict));
    http_answer_field(s->x, "X-Token-Status", verdict_name(verdict));
    snprintf(text, sizeof(text), "%zu/%zu", check_expected(s->check), check_peers(s->check));
    http_answer_field(s->x, "X-Token-Pods", text);
    snprintf(text, sizeof(text), "%" PRId64, check_duration_ns(s->check) / NS_PER_MS);
    http_answer_field(s->x, "X-Token-Sync-Ms", text);
    http_answer_field(s->x, "X-Request-ID", http_exchange_id(s->x));
    http_answer_field(s->x, "Cache-Control", "no-store");
    if (verbose)
        http_answer_end_producer(s->x, "application/json", &verbose->producer);
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

    snprintf(fields, sizeof(fields), "X-Request-ID: %s\r\n%s%s%s", http_exchange_id(s->x), s->traceparent[0] ? "traceparent: " : "",
             s->traceparent, s->traceparent[0] ? "\r\n" : "");
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

    wrong = read_token(x, &token, &token_len);
    read_request_id(x, token, token_len);
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
        wrong = read_origin(s, x, token, token_len);
    if (!wrong)
        wrong = read_query(s, x);
    if (wrong) {
        api_refuse(x, api, API_BAD_REQUEST, wrong);
        free(s);
        return;
    }
    http_exchange_show_query(x);
    read_traceparent(s, x);
    start(s, token, token_len);
}
