/* SPDX-License-Identifier: MIT */
/*
 * One connection to a pod and the exchange on it. The rules, each of which keeps a wrong answer out: before a question is
 * sent nothing may be there to read; what comes unasked, or behind an answer, ends the connection; an answer counts when
 * its framing says that it is whole.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "pool_private.h"

static void on_open(struct link *link, enum link_failure failure, const char *reason);
static void on_event(struct link *link);

static const struct link_events link_events = {.on_open = on_open, .on_event = on_event};

/* ---- the pod's list ---- */

static void insert(struct pool_link *pl)
{
    struct pool_pod *pod = pl->pod;

    pl->prev = NULL;
    pl->next = pod->links;
    if (pod->links)
        pod->links->prev = pl;
    pod->links = pl;
}

static void take_out(struct pool_link *pl)
{
    if (pl->prev)
        pl->prev->next = pl->next;
    else
        pl->pod->links = pl->next;
    if (pl->next)
        pl->next->prev = pl->prev;
}

static void set_state(struct pool_link *pl, enum pool_link_state state)
{
    struct pool_pod *pod = pl->pod;

    if (pl->state == POOL_LINK_OPENING)
        pod->n_opening--;
    if (pl->state == POOL_LINK_IDLE)
        pod->n_idle--;
    if (state == POOL_LINK_IDLE)
        pod->n_idle++;
    pl->state = state;
}

/* ---- opening and closing ---- */

static void on_orphan_due(struct loop_timer *timer)
{
    struct pool_link *pl = container_of(timer, struct pool_link, limit);
    struct pool_pod *pod = pl->pod;

    pool_pod_hold(pod);
    pod->hung_ns = loop_now_ns(pod->pool->settings.loop);
    pool_link_close(pl);
    pool_pod_dispatch(pod);
    pool_pod_drop(pod);
}

int pool_link_open(struct pool_pod *pod, struct err *err)
{
    struct pool *pool = pod->pool;
    struct pool_link *pl = calloc(1, sizeof(*pl));

    if (!pl)
        return err_set(err, "out of memory");
    pl->link = pod->spare;
    pod->spare = NULL;
    if (!pl->link)
        pl->link = link_new(pool->settings.hub, &pod->addr, pod->port, &link_events, pl);
    if (!pl->link) {
        free(pl);
        return err_set(err, "out of memory");
    }
    link_set_owner(pl->link, pl);
    link_open(pl->link);
    pl->pod = pod;
    pl->state = POOL_LINK_OPENING;
    loop_timer_init(&pl->limit, pool->settings.loop, LOOP_EARLY, on_orphan_due);
    buf_init(&pl->head, HTTP_RESPONSE_MAX_HEAD_BYTES + POOL_RECV_BYTES);
    insert(pl);
    pod->n_links++;
    pod->n_opening++;
    pool_pod_hold(pod);
    return 0;
}

static void set_open(struct pool *pool, size_t n)
{
    pool->n_open = n;
    scoreboard_set(pool->settings.board, METRIC_LINKS_OPEN, n);
}

static void end_exchange(struct pool_link *pl)
{
    loop_timer_cancel(&pl->limit);
    probe_text_drop(pl->text);
    pl->text = NULL;
    pl->probe = NULL;
    buf_release(&pl->head);
}

void pool_link_close(struct pool_link *pl)
{
    struct pool_pod *pod = pl->pod;

    must(!pl->probe);
    end_exchange(pl);
    if (pl->state == POOL_LINK_OPENING)
        pod->n_opening--;
    else
        set_open(pod->pool, pod->pool->n_open - 1);
    if (pl->state == POOL_LINK_IDLE)
        pod->n_idle--;
    take_out(pl);
    pod->n_links--;
    if (pod->spare || pod->gone) {
        link_free(pl->link);
    } else {
        link_close(pl->link);
        pod->spare = pl->link;
    }
    free(pl);
    pool_pod_keep_warm(pod);
    pool_pod_drop(pod);
}

/* Also of a certificate that was refused: it may have expired. */
static void note_expiry(const struct pool_pod *pod, const struct link *link)
{
    const struct pool_settings *settings = &pod->pool->settings;
    int64_t expires_s = link_certificate_expiry(link);

    if (expires_s > 0)
        scoreboard_note_expiry(settings->board, pod->id, expires_s, loop_now_ns(settings->loop));
}

static void on_open(struct link *link, enum link_failure failure, const char *reason)
{
    struct pool_link *pl = link_owner(link);
    struct pool_pod *pod = pl->pod;

    note_expiry(pod, link);
    pool_pod_hold(pod);
    if (failure == LINK_OK && !pod->gone) {
        set_state(pl, POOL_LINK_IDLE);
        set_open(pod->pool, pod->pool->n_open + 1);
        pl->opened_ns = loop_now_ns(pod->pool->settings.loop);
        pool_pod_opened(pod);
    } else {
        pool_link_close(pl);
        if (!pod->gone)
            pool_pod_failed(pod, failure, reason);
    }
    pool_pod_dispatch(pod);
    pool_pod_drop(pod);
}

/* ---- the exchange ---- */

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

/* What comes late behind an answer may meet the next question and look like its answer: HTTP/1.1 has no way to tell. A pod
 * that was seen to send such bytes therefore gets one question a connection for a while. */
#define DISTRUST_NS (60 * NS_PER_S)

/* Connections that have been asked before have had their one question. The caller holds the pod. */
static void close_served(struct pool_pod *pod)
{
    struct pool_link *pl, *next;

    for (pl = pod->links; pl; pl = next) {
        next = pl->next;
        if (pl->state == POOL_LINK_IDLE && pl->served)
            pool_link_close(pl);
    }
}

/* The caller holds the pod; an idle link may be gone afterwards. */
static void note_unasked(struct pool_pod *pod)
{
    struct pool *pool = pod->pool;

    scoreboard_add(pool->settings.board, METRIC_LINKS_UNASKED, 1);
    pod->distrust_until_ns = loop_now_ns(pool->settings.loop) + DISTRUST_NS;
    close_served(pod);
    if (pool->events.on_unasked)
        pool->events.on_unasked(pool->arg, pod);
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
        note_unasked(pod);
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
    if (keep) {
        end_exchange(pl);
        set_state(pl, POOL_LINK_IDLE);
        pl->served = true;
        /* To the front: the one used last is the likeliest to be still open. */
        take_out(pl);
        insert(pl);
    } else {
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

static void busy_event(struct pool_link *pl)
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

/* Nothing may come on an idle connection but its end. False if it was closed. */
static bool check_idle(struct pool_link *pl)
{
    struct pool_pod *pod = pl->pod;
    ssize_t n;

    if (link_is_silent(pl->link))
        return true;
    n = link_recv(pl->link, pod->pool->recv, sizeof(pod->pool->recv));
    if (n == LINK_AGAIN)
        return true;
    pool_pod_hold(pod);
    pool_link_close(pl);
    if (n > 0)
        note_unasked(pod);
    pool_pod_drop(pod);
    return false;
}

static void on_event(struct link *link)
{
    struct pool_link *pl = link_owner(link);

    if (pl->state == POOL_LINK_BUSY)
        busy_event(pl);
    else if (pl->state == POOL_LINK_IDLE)
        check_idle(pl);
}

bool pool_link_ask(struct pool_link *pl, struct probe *probe)
{
    if (!check_idle(pl))
        return false;
    set_state(pl, POOL_LINK_BUSY);
    pl->probe = probe;
    pl->text = probe->text;
    probe_text_hold(pl->text);
    pl->sent = 0;
    pl->answered = false;
    /* A connection opened for this question is given it in the very turn in which it opens. */
    pl->kept = pl->served || pl->opened_ns != loop_now_ns(pl->pod->pool->settings.loop);
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

void pool_link_orphan(struct pool_link *pl)
{
    struct pool_pod *pod = pl->pod;

    pl->probe = NULL;
    if (pl->limit_ns > loop_now_ns(pod->pool->settings.loop)) {
        loop_timer_set(&pl->limit, pl->limit_ns);
        return;
    }
    pod->hung_ns = loop_now_ns(pod->pool->settings.loop);
    pool_link_close(pl);
    pool_pod_dispatch(pod); /* nobody is called from there */
}
