/* SPDX-License-Identifier: MIT */
/* One connection to a pod, from the attempt to open it to its end. The exchange on it is pool_exchange.c's. */
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

static void insert_first(struct pool_link *pl)
{
    struct pool_pod *pod = pl->pod;

    pl->prev = NULL;
    pl->next = pod->links;
    if (pod->links)
        pod->links->prev = pl;
    pod->links = pl;
}

/* A new one behind the others: those that have been opened before are used up first. */
static void insert_last(struct pool_link *pl)
{
    struct pool_link *last = pl->pod->links;

    if (!last) {
        insert_first(pl);
        return;
    }
    while (last->next)
        last = last->next;
    last->next = pl;
    pl->prev = last;
    pl->next = NULL;
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

/* The one used last is the likeliest to be still open. */
void pool_link_to_front(struct pool_link *pl)
{
    take_out(pl);
    insert_first(pl);
}

void pool_link_set_state(struct pool_link *pl, enum pool_link_state state)
{
    struct pool_pod *pod = pl->pod;

    if (pl->state == POOL_LINK_OPENING)
        pod->n_opening--;
    if (pl->state == POOL_LINK_IDLE)
        pod->n_idle--;
    if (state == POOL_LINK_IDLE) {
        pod->n_idle++;
        pl->idle_ns = loop_now_ns(pod->pool->settings.loop);
    }
    pl->state = state;
}

/* ---- opening and closing ---- */

static void on_orphan_due(struct loop_timer *timer)
{
    struct pool_link *pl = container_of(timer, struct pool_link, limit);
    struct pool_pod *pod = pl->pod;

    pool_pod_hold(pod);
    pool_pod_hung(pod, pl->asked_ns);
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
    pl->began_ns = loop_now_ns(pool->settings.loop);
    pl->state = POOL_LINK_OPENING;
    loop_timer_init(&pl->limit, pool->settings.loop, LOOP_EARLY, on_orphan_due);
    buf_init(&pl->head, HTTP_RESPONSE_MAX_HEAD_BYTES + POOL_RECV_BYTES);
    insert_last(pl);
    pod->n_links++;
    pod->n_opening++;
    pool_pod_hold(pod);
    return 0;
}

void pool_link_end_exchange(struct pool_link *pl)
{
    pl->pod->n_orphans -= pl->orphan;
    pl->orphan = false;
    loop_timer_cancel(&pl->limit);
    probe_text_drop(pl->text);
    pl->text = NULL;
    pl->probe = NULL;
    buf_release(&pl->head);
}

void pool_link_close(struct pool_link *pl)
{
    struct pool_pod *pod = pl->pod;
    bool served = pl->served > 0;

    must(!pl->probe);
    pool_link_end_exchange(pl);
    if (pl->state == POOL_LINK_OPENING)
        pod->n_opening--;
    else
        pool_set_open(pod->pool, pod->pool->n_open - 1);
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
    pool_pod_ended(pod, served);
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
        pool_link_set_state(pl, POOL_LINK_IDLE);
        pool_set_open(pod->pool, pod->pool->n_open + 1);
        pl->opened_ns = loop_now_ns(pod->pool->settings.loop);
        pool_pod_opened(pod, pl->opened_ns - pl->began_ns);
    } else {
        pool_link_close(pl);
        if (!pod->gone)
            pool_pod_failed(pod, failure, reason);
    }
    pool_pod_dispatch(pod);
    pool_pod_drop(pod);
}

/* ---- what nobody has asked for ---- */

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
void pool_link_note_unasked(struct pool_pod *pod)
{
    struct pool *pool = pod->pool;

    scoreboard_add(pool->settings.board, METRIC_LINKS_UNASKED, 1);
    pod->distrust_until_ns = loop_now_ns(pool->settings.loop) + DISTRUST_NS;
    close_served(pod);
    if (pool->events.on_unasked)
        pool->events.on_unasked(pool->arg, pod);
}

/* Nothing may come on an idle connection but its end. False if it was closed. */
bool pool_link_is_quiet(struct pool_link *pl)
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
        pool_link_note_unasked(pod);
    pool_pod_drop(pod);
    return false;
}

static void on_event(struct link *link)
{
    struct pool_link *pl = link_owner(link);

    if (pl->state == POOL_LINK_BUSY)
        pool_exchange_event(pl);
    else if (pl->state == POOL_LINK_IDLE)
        pool_link_is_quiet(pl);
}
