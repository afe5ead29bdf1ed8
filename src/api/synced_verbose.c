/* SPDX-License-Identifier: MIT */
/* What is said of each peer: the words, which the log uses too, and the verbose body, made in slices. */
#include <config.h>

#include <stdlib.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/wire/json_write.h>

#include "synced.h"

/* The result of a probe as the scoreboard has it. */
static enum scoreboard_result result_of(enum probe_outcome outcome)
{
    static const enum scoreboard_result results[PROBE_OUTCOMES] = {
        [PROBE_ABSENT] = SCOREBOARD_ABSENT, [PROBE_STATUS] = SCOREBOARD_STATUS, [PROBE_CONNECT] = SCOREBOARD_CONNECT,
        [PROBE_TLS] = SCOREBOARD_TLS,       [PROBE_BROKEN] = SCOREBOARD_BROKEN, [PROBE_TIMEOUT] = SCOREBOARD_TIMED_OUT,
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
        return "no answer before the check ended";
    case PROBE_CUT:
        return "no answer in the time that was left";
    case PROBE_OVERLOADED:
        return "it owes answers on all its connections (host_keepalives) that nobody waits for any more";
    case PROBE_PRESENT:
        return "";
    case PROBE_UNPROTECTED:
        return OPEN_LOCATION;
    case PROBE_UNCONFIRMED:
        return "200, but no control probe of it has been answered yet: would it refuse a token that nobody "
               "has?";
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
    if (peer->outcome == PROBE_DOWN)
        json_put_string(w, "cause", probe_outcome_name(pool_pod_failure(peer->pod)));
    if (expects_absent)
        json_put_boolean(w, "proven", pool_pod_is_proven(peer->pod));
    json_object_end(w);
}

/* A verbose body under way. The check is over by then, so it has what it needs of it. */
struct verbose {
    struct http_producer producer;
    struct synced s; /* a copy: its check is not to be used */
    enum verdict verdict;
    const char *reason;
    int64_t duration_ns;
    size_t expected;
    struct json_writer w;
    size_t next, n;                   /* peers written, and all */
    struct check_peer_result peers[]; /* their pods are held */
};

static void begin_verbose(struct verbose *v, struct buf *out)
{
    json_writer_init(&v->w, out);
    json_object_begin(&v->w);
    json_put_string(&v->w, "status", verdict_name(v->verdict));
    json_put_string(&v->w, "expect", v->s.expect_absent ? "absent" : "present");
    json_put_string(&v->w, "origin", v->s.origin);
    json_put_string(&v->w, "reason", v->reason);
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

/* No leak: the producer is a part of `v`, and release_verbose() frees the whole. */
ANALYZER_LEAKS_OFF
struct http_producer *synced_verbose_new(const struct synced *s)
{
    size_t peers = check_peers(s->check), at = 0;
    struct verbose *v = calloc(1, sizeof(*v) + peers * sizeof(v->peers[0]));

    if (!v)
        return NULL;
    v->producer = (struct http_producer){.next = next_verbose, .release = release_verbose};
    v->s = *s;
    v->verdict = check_verdict(s->check);
    v->reason = check_reason(s->check);
    v->duration_ns = check_duration_ns(s->check);
    v->expected = check_expected(s->check);
    while (v->n < peers && check_next_peer(s->check, &at, &v->peers[v->n]))
        pool_pod_hold(v->peers[v->n++].pod);
    return &v->producer;
}
ANALYZER_LEAKS_ON
