/* SPDX-License-Identifier: MIT */
/* A question's way: into the pod's queue, onto a connection, and to its one result. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/base/random.h>

#include "pool_private.h"

/* ---- text ---- */

struct probe_text *probe_text_new(const struct pool *pool, const char *token, size_t token_len, const char *fields)
{
    size_t fields_len = strlen(fields);
    size_t len = pool->request_head_len + token_len + 2 + fields_len + 2;
    struct probe_text *text = malloc(sizeof(*text) + len);
    char *p;

    if (!text)
        return NULL;
    text->refs = 1;
    text->made_up = false;
    text->token_at = pool->request_head_len;
    text->token_len = token_len;
    text->len = len;
    p = text->bytes;
    memcpy(p, pool->request_head, pool->request_head_len);
    p += pool->request_head_len;
    memcpy(p, token, token_len);
    p += token_len;
    memcpy(p, "\r\n", 2);
    memcpy(p + 2, fields, fields_len);
    memcpy(p + 2 + fields_len, "\r\n", 2);
    return text;
}

struct probe_text *probe_text_made_up(const struct pool *pool)
{
    char token[RANDOM_HEX_BYTES(16)], id[RANDOM_HEX_BYTES(16)], fields[64];
    struct probe_text *text;

    random_hex(token, 16);
    random_hex(id, 16);
    snprintf(fields, sizeof(fields), "X-Request-ID: %s\r\n", id);
    text = probe_text_new(pool, token, strlen(token), fields);
    if (text)
        text->made_up = true;
    return text;
}

void probe_text_hold(struct probe_text *text)
{
    text->refs++;
}

void probe_text_drop(struct probe_text *text)
{
    if (!text || --text->refs > 0)
        return;
    explicit_bzero(text->bytes, text->len);
    free(text);
}

bool probe_text_asks_for(const struct probe_text *text, const char *token, size_t token_len)
{
    return text->token_len == token_len && memcmp(text->bytes + text->token_at, token, token_len) == 0;
}

/* ---- outcomes ---- */

const char *probe_outcome_name(enum probe_outcome outcome)
{
    static const char *const names[PROBE_OUTCOMES] = {"none",       "present", "absent",      "status",     "connect",
                                                      "tls",        "timeout", "cut",         "broken",     "down",
                                                      "overloaded", "short",   "unprotected", "unconfirmed"};

    must(outcome < PROBE_OUTCOMES);
    return names[outcome];
}

enum probe_outcome probe_outcome_of(int status)
{
    return status == 200 ? PROBE_PRESENT : status == 401 ? PROBE_ABSENT : PROBE_STATUS;
}

/* How an outcome is counted and shown. PROBE_NONE, CUT, DOWN, OVERLOADED and SHORT say nothing about the pod. */
static const struct {
    enum scoreboard_metric metric;
    enum scoreboard_result result;
} counted[PROBE_OUTCOMES] = {
    [PROBE_PRESENT] = {METRIC_PROBES_PRESENT, SCOREBOARD_PRESENT},
    [PROBE_ABSENT] = {METRIC_PROBES_ABSENT, SCOREBOARD_ABSENT},
    [PROBE_STATUS] = {METRIC_PROBES_STATUS, SCOREBOARD_STATUS},
    [PROBE_CONNECT] = {METRIC_PROBES_CONNECT, SCOREBOARD_CONNECT},
    [PROBE_TLS] = {METRIC_PROBES_TLS, SCOREBOARD_TLS},
    [PROBE_TIMEOUT] = {METRIC_PROBES_TIMEOUT, SCOREBOARD_TIMED_OUT},
    [PROBE_BROKEN] = {METRIC_PROBES_BROKEN, SCOREBOARD_BROKEN},
};

static void count(const struct probe *probe, int64_t now)
{
    struct scoreboard *board = probe->pod->pool->settings.board;

    if (probe->text->made_up || counted[probe->outcome].result == SCOREBOARD_NO_RESULT)
        return;
    scoreboard_add(board, counted[probe->outcome].metric, 1);
    scoreboard_observe(board, HISTOGRAM_PROBE_SECONDS, now - probe->started_ns);
    scoreboard_note_result(board, probe->pod->id, counted[probe->outcome].result, probe->code, now);
}

/* ---- the queue of a pod ---- */

void probe_enqueue(struct probe *probe)
{
    struct pool_pod *pod = probe->pod;

    probe->next = NULL;
    probe->prev = pod->waiting_last;
    if (pod->waiting_last)
        pod->waiting_last->next = probe;
    else
        pod->waiting_first = probe;
    pod->waiting_last = probe;
    pod->n_waiting++;
}

void probe_requeue(struct probe *probe)
{
    struct pool_pod *pod = probe->pod;

    probe->prev = NULL;
    probe->next = pod->waiting_first;
    if (pod->waiting_first)
        pod->waiting_first->prev = probe;
    else
        pod->waiting_last = probe;
    pod->waiting_first = probe;
    pod->n_waiting++;
}

void probe_dequeue(struct probe *probe)
{
    struct pool_pod *pod = probe->pod;

    if (probe->prev)
        probe->prev->next = probe->next;
    else
        pod->waiting_first = probe->next;
    if (probe->next)
        probe->next->prev = probe->prev;
    else
        pod->waiting_last = probe->prev;
    probe->next = probe->prev = NULL;
    pod->n_waiting--;
}

/* ---- its life ---- */

/* Out of queue, connection and timer; the exchange, if there is one, goes on without it. */
static void leave(struct probe *probe)
{
    struct pool_link *pl = probe->link;

    loop_timer_cancel(&probe->limit);
    probe->link = NULL;
    if (pl)
        pool_exchange_orphan(pl);
    else if (probe->pod->waiting_first == probe || probe->prev)
        probe_dequeue(probe);
    probe_text_drop(probe->text);
    probe->text = NULL;
}

void probe_finish(struct probe *probe, enum probe_outcome outcome, uint16_t code)
{
    struct pool_pod *pod = probe->pod;

    probe->outcome = outcome;
    probe->code = code;
    count(probe, loop_now_ns(pod->pool->settings.loop));
    leave(probe);
    probe->pod = NULL;
    probe->on_done(probe);
    pool_pod_drop(pod);
}

/* Has the pod taken connections all the time that the probe waited for one? Those that hang may have been closed in this
 * very turn. */
static bool waited_behind_others(const struct probe *probe)
{
    const struct pool_pod *pod = probe->pod;

    return pod->n_links > pod->n_opening || pod->hung_ns >= probe->started_ns;
}

static void set_limit(struct probe *probe)
{
    const struct pool_settings *settings = &probe->pod->pool->settings;

    loop_timer_set(&probe->limit, loop_now_ns(settings->loop) + settings->connection_timeout_ns);
}

bool probe_waits_in_order(const struct probe *probe)
{
    return probe->pod->answered_ns > probe->started_ns;
}

void probe_restart_clock(struct probe *probe)
{
    int64_t now = loop_now_ns(probe->pod->pool->settings.loop);

    if (probe->started_ns == now)
        return;
    probe->started_ns = now;
    set_limit(probe);
}

static void on_limit_due(struct loop_timer *timer)
{
    struct probe *probe = container_of(timer, struct probe, limit);
    struct pool_pod *pod = probe->pod;
    enum probe_outcome outcome = PROBE_TIMEOUT;

    /* Held back here, by max_probe_rate or behind others that the pod answers: whoever waits has a deadline. */
    if (!probe->link && (pod->turn.set || probe_waits_in_order(probe))) {
        probe_restart_clock(probe);
        return;
    }
    if (!probe->link && pod->short_ns >= probe->started_ns) {
        outcome = PROBE_SHORT;
    } else if (!probe->link && !waited_behind_others(probe)) {
        outcome = PROBE_CONNECT;
        pool_pod_set_reason(pod, "no connection within connection_timeout");
    } else {
        pool_pod_set_reason(pod, probe->link ? "no answer within connection_timeout"
                                             : "no connection was free within connection_timeout");
    }
    probe_finish(probe, outcome, 0);
}

void probe_init(struct probe *probe, struct loop *loop, void (*on_done)(struct probe *probe))
{
    *probe = (struct probe){.on_done = on_done};
    loop_timer_init(&probe->limit, loop, LOOP_EARLY, on_limit_due);
}

void probe_start(struct probe *probe, struct pool_pod *pod, struct probe_text *text)
{
    must(!probe->pod && !pod->gone && !pod->down);
    probe->outcome = PROBE_NONE;
    probe->code = 0;
    probe->started_ns = loop_now_ns(pod->pool->settings.loop);
    pool_pod_hold(pod);
    probe->pod = pod;
    set_limit(probe);
    probe_text_hold(text);
    probe->text = text;
    probe_enqueue(probe);
    pool_pod_dispatch(pod);
}

bool probe_is_under_way(const struct probe *probe)
{
    return probe->pod != NULL;
}

void probe_cancel(struct probe *probe)
{
    struct pool_pod *pod = probe->pod;

    if (!pod)
        return;
    if (probe->link)
        scoreboard_add(pod->pool->settings.board, METRIC_PROBES_ORPHANED, 1);
    leave(probe);
    probe->pod = NULL;
    pool_pod_drop(pod);
}
