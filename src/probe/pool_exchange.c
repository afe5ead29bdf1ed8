/* SPDX-License-Identifier: MIT */
/*
 * One question on a connection and its answer. The rules, each of which keeps a wrong answer out: before a question is sent
 * nothing may be there to read; what comes unasked, or behind an answer, ends the connection; an answer counts when its
 * framing says that it is whole.
 */
#include <config.h>

#include <syncer/base/must.h>

#include "pool_private.h"

/* Ends the connection; its probe, if it has one, gets `outcome`. */
static void break_link(struct pool_link *pl, enum probe_outcome outcome, const char *reason)
{
    struct probe *probe = pl->probe;
    struct pool_pod *pod = pl->pod;

    pool_pod_hold(pod);
    if (reason)
        pool_pod_set_reason(pod, reason);
    pl->probe = NULL;
    if (probe)
        probe->link = NULL;
    pool_link_close(pl);
    if (probe && outcome == PROBE_NONE)
        probe_requeue(probe);
    else if (probe)
        probe_finish(probe, outcome, 0);
    pool_pod_dispatch(pod);
    pool_pod_drop(pod);
}

/* Nothing has been learnt of the pod: the question goes once more, on another connection. */
static void resend(struct pool_link *pl)
{
    if (pl->probe)
        scoreboard_add(pl->pod->pool->settings.board, METRIC_PROBES_RESENT, 1);
    break_link(pl, PROBE_NONE, NULL);
}

/* `behind`: bytes that follow the answer, or how its connection has ended; LINK_AGAIN = nothing has come. */
static void exchange_done(struct pool_link *pl, ssize_t behind)
{
    struct probe *probe = pl->probe;
    struct pool_pod *pod = pl->pod;
    int status = pl->response.status;
    bool asked = pl->sent == pl->text->len, keep;

    pool_pod_hold(pod);
    if (behind > 0)
        pool_link_note_unasked(pod);
    keep = pl->response.keep_alive && behind == LINK_AGAIN && pool_pod_is_trusted(pod) && asked && !pod->gone;
    /* A refusal may come early; nothing else that comes before the whole question says anything about its token. */
    if (!asked && probe_outcome_of(status) != PROBE_STATUS) {
        break_link(pl, PROBE_BROKEN, "an answer came before the question was sent");
        pool_pod_drop(pod);
        return;
    }
    /* It may be what was left of an earlier answer: the question goes again, on a connection of its own. */
    if (pl->served && !pool_pod_is_trusted(pod)) {
        resend(pl);
        pool_pod_drop(pod);
        return;
    }
    pl->probe = NULL;
    if (probe)
        probe->link = NULL;
    pool_pod_answered(pod, status == 200 && !pl->text->made_up);
    pl->served++;
    if (keep) {
        pool_link_end_exchange(pl);
        pool_link_set_state(pl, POOL_LINK_IDLE);
        pool_link_to_front(pl);
        pool_pod_open_ahead(pod, pl);
    } else {
        if (!pl->response.keep_alive)
            pool_pod_note_life(pod, pl->served);
        pool_link_close(pl);
    }
    if (probe)
        probe_finish(probe, probe_outcome_of(status), (uint16_t)status);
    pool_pod_dispatch(pod);
    pool_pod_drop(pod);
}

/* The connection has ended: by the pod's FIN, or by an error, after which nobody knows what is missing. */
static void exchange_ended(struct pool_link *pl, bool fin)
{
    if (fin && pl->answered && http_response_end(&pl->response) == HTTP_DONE) {
        exchange_done(pl, 0);
    } else if (pl->kept && !pl->answered) {
        resend(pl);
    } else {
        break_link(pl, PROBE_BROKEN,
                   pl->answered ? "the connection ended in the middle of an answer"
                                : "the connection ended before an answer");
    }
}

/* What had come together with the answer's last bytes: no event will tell of it. */
static ssize_t read_behind(struct pool_link *pl)
{
    struct pool *pool = pl->pod->pool;

    return link_has_read_ahead(pl->link) ? link_recv(pl->link, pool->recv, sizeof(pool->recv)) : LINK_AGAIN;
}

/* Bytes of an answer. True if the exchange goes on. */
static bool feed(struct pool_link *pl, const char *data, size_t len)
{
    size_t used;

    pl->answered = true;
    if (pl->head.len > 0) {
        buf_add(&pl->head, data, len);
        data = pl->head.data;
        len = pl->head.len;
    }
    switch (pl->head.failed ? HTTP_BAD : http_response_parse(&pl->response, data, len, &used)) {
    case HTTP_DONE:
        exchange_done(pl, used < len ? (ssize_t)(len - used) : read_behind(pl));
        return false;
    case HTTP_MORE:
        break;
    case HTTP_BAD:
    default:
        break_link(pl, PROBE_BROKEN, pl->response.error ? pl->response.error : "the answer's head is too large");
        return false;
    }
    if (pl->head.len > 0)
        buf_drop_front(&pl->head, used);
    else
        buf_add(&pl->head, data + used, len - used);
    return true;
}

/* False if the connection has ended. */
static bool send_rest(struct pool_link *pl)
{
    while (pl->sent < pl->text->len) {
        ssize_t n = link_send(pl->link, pl->text->bytes + pl->sent, pl->text->len - pl->sent);

        if (n == LINK_AGAIN)
            return true;
        if (n < 0)
            return false;
        pl->sent += (size_t)n;
    }
    return true;
}

void pool_exchange_event(struct pool_link *pl)
{
    struct pool *pool = pl->pod->pool;
    ssize_t n;

    /* An answer may have come although the rest of the question can't go any more: read in any case. */
    send_rest(pl);
    do {
        n = link_recv(pl->link, pool->recv, sizeof(pool->recv));
        if (n == LINK_AGAIN)
            return;
        if (n <= 0) {
            exchange_ended(pl, n == 0);
            return;
        }
    } while (feed(pl, pool->recv, (size_t)n));
}

bool pool_exchange_begin(struct pool_link *pl, struct probe *probe)
{
    if (!pool_link_is_quiet(pl))
        return false;
    /* A part of a record: whatever it will turn out to be, it was not said to this question. */
    if (link_has_read_ahead(pl->link)) {
        pool_link_close(pl);
        return false;
    }
    pool_link_set_state(pl, POOL_LINK_BUSY);
    pl->probe = probe;
    pl->text = probe->text;
    probe_text_hold(pl->text);
    pl->sent = 0;
    pl->answered = false;
    pl->asked_ns = loop_now_ns(pl->pod->pool->settings.loop);
    /* A connection opened for this question is given it in the very turn in which it opens. */
    pl->kept = pl->served || pl->opened_ns != pl->asked_ns;
    pl->limit_ns = probe->started_ns + pl->pod->pool->settings.connection_timeout_ns;
    http_response_init(&pl->response, POOL_BODY_MAX);
    probe->link = pl;
    if (send_rest(pl))
        return true;
    pl->probe = NULL;
    probe->link = NULL;
    pool_link_close(pl);
    return false;
}

void pool_exchange_orphan(struct pool_link *pl)
{
    struct pool_pod *pod = pl->pod;

    pl->probe = NULL;
    if (pl->limit_ns > loop_now_ns(pod->pool->settings.loop)) {
        pl->orphan = true;
        pod->n_orphans++;
        loop_timer_set(&pl->limit, pl->limit_ns);
        return;
    }
    pool_pod_hung(pod, pl->asked_ns);
    pool_link_close(pl);
    pool_pod_dispatch(pod); /* nobody is called from there */
}
