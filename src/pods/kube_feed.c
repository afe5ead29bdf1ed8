/* SPDX-License-Identifier: MIT */
/* Full reads and updates. Which collections these are, and what a list of pods is made of, the kinds say. */
#include <config.h>

#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/random.h>

#include "kube_feed.h"

/* A read that fails is tried again within 4 s whatever the interval: the table should be right again within 5
 * s after the server is. That is less than the ordinary reads ask of it. */
#define BACKOFF_MIN_MS 800
#define BACKOFF_MAX_MS 4000
#define RETRY_AFTER_MAX_MS 60000 /* a server (or what stands before it) must not blind us for longer */
#define UPDATE_EVERY_NS (20 * NS_PER_MS)

static struct kube_feed *feed_of(void *arg)
{
    return arg;
}

/* ---- the end of a read ---- */

/* In `ms`, or at once where another read is wanted already; never before the server wants it. Returns in how
 * many ms. */
static int64_t set_next_read(struct kube_feed *feed, int64_t ms)
{
    int64_t now = clock_now_ns(), due = now + (feed->again ? 0 : ms * NS_PER_MS);

    if (due < feed->not_before_ns)
        due = feed->not_before_ns;
    feed->reading = feed->again = false;
    loop_timer_set(&feed->timer, due);
    return (due - now) / NS_PER_MS;
}

/* 0.8 s, doubling, but never beyond the usual interval; a quarter of it is jitter. */
static int64_t back_off_ms(struct kube_feed *feed)
{
    int64_t wait = feed->backoff_ms ? feed->backoff_ms * 2 : BACKOFF_MIN_MS;

    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    if (wait > feed->conf->scrape_interval_ms)
        wait = feed->conf->scrape_interval_ms;
    feed->backoff_ms = wait;
    return wait - random_below((uint32_t)wait / 4);
}

static void respect(struct kube_feed *feed, int64_t retry_after_ms)
{
    if (retry_after_ms > RETRY_AFTER_MAX_MS)
        retry_after_ms = RETRY_AFTER_MAX_MS;
    feed->not_before_ns = retry_after_ms > 0 ? clock_now_ns() + retry_after_ms * NS_PER_MS : 0;
}

static void fail(struct kube_feed *feed, const char *reason, int64_t retry_after_ms, bool too_many)
{
    const struct kube_resource *resource = &feed->kind->resources[feed->step];
    struct source_failure failure = {.too_many = too_many};

    /* Collections that were read well before may know more than the watch: that is handed on as an update. */
    feed->dirty = true;
    loop_task_post(feed->source.loop, &feed->change);
    respect(feed, retry_after_ms);
    failure.retry_ms = set_next_read(feed, back_off_ms(feed));
    err_set(&failure.reason, "%s %s in namespace %s: %s", resource->verb, resource->name,
            kube_client_namespace(feed->client), reason);
    feed->source.events->on_failed(feed->source.arg, &failure);
}

static void finish(struct kube_feed *feed)
{
    const struct source_pod *pods;
    struct err err = {""};
    bool too_many = false;
    size_t n;

    feed->step = feed->kind->n - 1;
    if (feed->kind->select(feed, &pods, &n, &too_many, &err) != 0) {
        feed->in_force = false;
        fail(feed, err.text, -1, too_many);
        return;
    }
    feed->backoff_ms = feed->not_before_ns = 0;
    feed->in_force = true;
    feed->dirty = false;
    set_next_read(feed, feed->conf->scrape_interval_ms);
    feed->source.events->on_list(feed->source.arg, pods, n);
}

/* ---- a read ---- */

static void on_listed(void *arg, struct kube_reflector *reflector)
{
    struct kube_feed *feed = feed_of(arg);
    struct err err = {""};

    (void)reflector;
    if (feed->kind->on_step(feed, feed->step, &err) != 0)
        fail(feed, err.text, -1, false);
    else if (++feed->step == feed->kind->n)
        finish(feed);
    else
        kube_reflector_list(&feed->reflectors[feed->step]);
}

static void on_list_failed(void *arg, struct kube_reflector *reflector, const char *reason, int64_t retry_after_ms)
{
    struct kube_feed *feed = feed_of(arg);

    if (reflector->status == 404 && reflector->resource->missing)
        feed->in_force = false;
    fail(feed, reason, retry_after_ms, false);
}

static void on_due(struct loop_timer *timer)
{
    struct kube_feed *feed = container_of(timer, struct kube_feed, timer);

    feed->reading = true;
    feed->step = 0;
    feed->source.events->on_begin(feed->source.arg);
    kube_reflector_list(&feed->reflectors[0]);
}

void kube_feed_refresh(struct kube_feed *feed)
{
    int64_t now = clock_now_ns();

    if (feed->reading)
        feed->again = true;
    else
        loop_timer_set(&feed->timer, now > feed->not_before_ns ? now : feed->not_before_ns);
}

/* ---- updates ---- */

static bool is_complete(const struct kube_feed *feed)
{
    for (size_t i = 0; i < feed->kind->n; i++)
        if (!feed->reflectors[i].complete)
            return false;
    return true;
}

static void count(const struct kube_feed *feed, struct source_watch *out)
{
    *out = (struct source_watch){0};
    for (size_t i = 0; i < feed->kind->n; i++) {
        const struct kube_reflector *reflector = &feed->reflectors[i];

        out->on += reflector->watch == KUBE_WATCH_ON;
        out->forbidden += reflector->watch != KUBE_WATCH_ON && reflector->forbidden;
        out->off += reflector->watch != KUBE_WATCH_ON && !reflector->forbidden;
        out->events += reflector->n_events;
        out->restarts += reflector->n_starts > 0 ? reflector->n_starts - 1 : 0;
    }
}

static bool is_same(const struct source_watch *a, const struct source_watch *b)
{
    return a->on == b->on && a->off == b->off && a->forbidden == b->forbidden && a->events == b->events &&
           a->restarts == b->restarts;
}

static void report(struct kube_feed *feed)
{
    struct source_watch now, since;

    count(feed, &now);
    if (is_same(&now, &feed->told))
        return;
    since = now;
    since.events -= feed->told.events;
    since.restarts -= feed->told.restarts;
    feed->told = now;
    feed->source.events->on_watch(feed->source.arg, &since);
}

/* A read that would fail says why, which an update can't. */
static void update(struct kube_feed *feed)
{
    const struct source_pod *pods;
    bool too_many = false;
    size_t n;

    feed->dirty = false;
    feed->updated_ns = clock_now_ns();
    if (feed->kind->select(feed, &pods, &n, &too_many, NULL) == 0) {
        feed->source.events->on_update(feed->source.arg, pods, n);
        return;
    }
    feed->in_force = false;
    kube_feed_refresh(feed);
}

static void on_update_due(struct loop_timer *timer)
{
    struct kube_feed *feed = container_of(timer, struct kube_feed, update_timer);

    if (feed->dirty && feed->in_force && is_complete(feed))
        update(feed);
}

static void on_change_task(struct loop_task *task)
{
    struct kube_feed *feed = container_of(task, struct kube_feed, change);
    int64_t now = clock_now_ns();

    report(feed);
    if (!feed->dirty)
        return;
    if (feed->kind->is_other && feed->kind->is_other(feed)) {
        feed->in_force = false; /* what was handed on stays, until the read */
        kube_feed_refresh(feed);
    } else if (!feed->in_force || !is_complete(feed)) {
        return;
    } else if (now - feed->updated_ns >= UPDATE_EVERY_NS) {
        update(feed);
    } else if (!feed->update_timer.set) {
        loop_timer_set(&feed->update_timer, feed->updated_ns + UPDATE_EVERY_NS);
    }
}

static void on_change(void *arg, struct kube_reflector *reflector, bool records)
{
    struct kube_feed *feed = feed_of(arg);

    (void)reflector;
    feed->dirty |= records;
    loop_task_post(feed->source.loop, &feed->change);
}

static void on_lost(void *arg, struct kube_reflector *reflector)
{
    (void)reflector;
    kube_feed_refresh(feed_of(arg));
}

static void on_notice(void *arg, struct kube_reflector *reflector, const char *reason)
{
    struct kube_feed *feed = feed_of(arg);

    feed->source.events->on_notice(feed->source.arg, reflector->resource->name, reason);
}

static int on_read(void *arg, struct kube_reflector *reflector, const struct json_doc *doc, json_value object,
                   struct kube_record *out, struct err *err)
{
    struct kube_feed *feed = feed_of(arg);

    return feed->kind->read(feed, reflector, doc, object, out, err);
}

/* ---- life ---- */

static int make_reflector(struct kube_feed *feed, size_t i, const struct kube_feed_parts *parts, struct loop *loop)
{
    static const struct kube_reflector_events events = {on_read,   on_listed, on_list_failed,
                                                        on_change, on_lost,   on_notice};
    struct kube_reflector *reflector = &feed->reflectors[i];

    reflector->resource = &feed->kind->resources[i];
    reflector->events = &events;
    reflector->arg = feed;
    reflector->client = feed->client;
    reflector->doc = feed->doc;
    return kube_reflector_init(reflector, loop, parts->bytes[i], parts->room[i], parts->drop[i]);
}

int kube_feed_init(struct kube_feed *feed, const struct kube_feed_kind *kind, const struct kube_feed_parts *parts,
                   const struct source_settings *settings, struct err *err)
{
    feed->kind = kind;
    feed->conf = settings->conf;
    feed->source.loop = settings->loop;
    feed->change.run = on_change_task;
    loop_timer_init(&feed->timer, settings->loop, LOOP_EARLY, on_due);
    loop_timer_init(&feed->update_timer, settings->loop, LOOP_EARLY, on_update_due);
    feed->client = kube_client_new(settings->loop, settings->conf, settings->user_agent, err);
    if (!feed->client)
        return -1;
    feed->doc = json_doc_new(KUBE_OBJECT_MAX_VALUES);
    if (!feed->doc)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < kind->n; i++)
        if (make_reflector(feed, i, parts, settings->loop) != 0)
            return err_set(err, "out of memory");
    loop_timer_set(&feed->timer, clock_now_ns());
    return 0;
}

void kube_feed_release(struct kube_feed *feed)
{
    if (!feed->kind)
        return;
    loop_timer_cancel(&feed->timer);
    loop_timer_cancel(&feed->update_timer);
    loop_task_cancel(feed->source.loop, &feed->change);
    for (size_t i = 0; i < feed->kind->n; i++)
        if (feed->reflectors[i].resource)
            kube_reflector_release(&feed->reflectors[i]);
    kube_client_free(feed->client);
    json_doc_free(feed->doc);
}
