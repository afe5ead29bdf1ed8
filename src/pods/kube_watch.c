/* SPDX-License-Identifier: MIT */
/*
 * The watch of a collection:
 *
 *      OFF       no list has been read
 *      ASKED     the question is out, no head has come
 *      ON        events come, or could
 *      WAITING   ended or refused: asked for again from the last version, after a pause
 *      LOST      that version is of no use (410), or what came made no sense: a list is asked for, after
 *                a pause
 *
 * A stream that lived for a while costs no pause, nor does the first failure of a row; then 0.8 s, doubling
 * to 4 s: the table should be right again within 5 s after the server is. For the same reason a row ends
 * where a server answers that could not be reached before: what it says then, be it 410, is no repetition.
 * A list that comes meanwhile has the watch begun at once. 403 is no proof that the Role lacks the
 * verb, since each API server says it for a moment when it starts: several over seconds are, with a list read
 * well in between.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/random.h>
#include <syncer/wire/url.h>

#include "kube_reflector.h"

#define BACKOFF_MIN_MS 800
#define BACKOFF_MAX_MS 4000
#define RETRY_AFTER_MAX_MS 60000
#define LIVED_NS NS_PER_S                 /* a stream that lived so long was no failure */
#define FORBIDDEN_AFTER_NS (2 * NS_PER_S) /* 403 all that time */
#define NOTICE_AFTER 4                    /* failures in a row */
#define GRACE_MS 30000                    /* beyond the time at which the server was asked to end the watch */
#define BODY_MAX_BYTES 65536              /* of a refusal */

static void change(struct kube_reflector *reflector, enum kube_watch_state state)
{
    reflector->watch = state;
    reflector->events->on_change(reflector->arg, reflector, false);
}

/* ---- when it is tried again ---- */

static int64_t back_off_ms(const struct kube_reflector *reflector)
{
    int64_t wait = BACKOFF_MIN_MS;

    if (reflector->failures == 0)
        return 0;
    for (unsigned i = 1; i < reflector->failures && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    return wait - random_below((uint32_t)wait / 4);
}

static void notice(struct kube_reflector *reflector, const char *reason)
{
    struct err text;

    if (reflector->gave_notice)
        return;
    reflector->gave_notice = true;
    err_set(&text, "watch %s in namespace %s: %s", reflector->resource->name, kube_client_namespace(reflector->client),
            reason);
    reflector->events->on_notice(reflector->arg, reflector, text.text);
}

/* The stream has ended, or there was none. */
static void again(struct kube_reflector *reflector, enum kube_watch_state state, const char *reason,
                  int64_t retry_after_ms)
{
    int64_t now = clock_now_ns();
    int64_t wait = reflector->forbidden ? reflector->limits->forbidden_ms : back_off_ms(reflector);

    if (retry_after_ms > RETRY_AFTER_MAX_MS)
        retry_after_ms = RETRY_AFTER_MAX_MS;
    if (retry_after_ms > 0)
        reflector->not_before_ns = now + retry_after_ms * NS_PER_MS;
    if (wait < retry_after_ms)
        wait = retry_after_ms;
    if (reflector->failures++ == 0)
        reflector->listed = false;
    if (reflector->failures >= NOTICE_AFTER && reflector->listed && reason)
        notice(reflector, reason);
    loop_timer_set(&reflector->watch_timer, now + wait * NS_PER_MS);
    change(reflector, state);
}

static void on_forbidden(struct kube_reflector *reflector)
{
    int64_t now = clock_now_ns();

    if (reflector->forbidden_ns == 0)
        reflector->forbidden_ns = now;
    kube_reflector_refusal(reflector, "watch", 403, &reflector->watch_body, &reflector->watch_err);
    if (now - reflector->forbidden_ns < FORBIDDEN_AFTER_NS || !reflector->complete) {
        again(reflector, KUBE_WATCH_WAITING, NULL, -1);
        return;
    }
    reflector->forbidden = true;
    notice(reflector, reflector->watch_err.text);
    again(reflector, KUBE_WATCH_WAITING, NULL, -1);
}

/* ---- events ---- */

static void resume_from(struct kube_reflector *reflector, const char *version)
{
    memcpy(reflector->resume, version, KUBE_VERSION_BYTES);
}

static int on_error_event(const struct kube_reflector *reflector, const struct kube_event *event, struct err *err)
{
    char message[KUBE_MESSAGE_BYTES];
    int64_t code = 0;

    kube_read_message(event->doc, event->object, message);
    kube_client_screen(reflector->client, message);
    json_int(event->doc, json_get(event->doc, event->object, "code"), &code);
    return err_set(err, "the watch ended with an error of code %" PRId64 ": %s", code, message);
}

static int on_object_event(struct kube_reflector *reflector, const struct kube_event *event, struct err *err)
{
    bool changed = false;
    struct kube_meta meta;

    if (kube_read_meta(event->doc, event->object, &meta, err) != 0)
        return -1;
    if (meta.version[0] == '\0')
        return err_set(err, "an event without resourceVersion");
    if (event->type == KUBE_DELETED)
        changed = kube_records_remove(&reflector->records, meta.uid, kube_version_number(meta.version));
    else if (kube_reflector_put(reflector, event->doc, event->object, false, &changed, err) != 0)
        return -1;
    resume_from(reflector, meta.version);
    reflector->n_events++;
    reflector->events->on_change(reflector->arg, reflector, changed);
    return 0;
}

static int on_event(void *arg, const struct kube_event *event, struct err *err)
{
    struct kube_reflector *reflector = arg;
    json_value meta = json_get(event->doc, event->object, "metadata");
    char version[KUBE_VERSION_BYTES];

    if (event->type == KUBE_ERROR)
        return on_error_event(reflector, event, err);
    if (event->type != KUBE_BOOKMARK)
        return on_object_event(reflector, event, err);
    if (kube_read_version(event->doc, meta, version, err) != 0)
        return -1;
    if (version[0])
        resume_from(reflector, version);
    return 0;
}

/* ---- answers ---- */

static void on_head(void *arg, int status, const char *content_type)
{
    struct kube_reflector *reflector = arg;

    (void)content_type;
    reflector->watch_status = status;
    if (status != 200)
        return;
    loop_timer_set(&reflector->watch_timer, clock_now_ns() + LIVED_NS);
    kube_events_begin(&reflector->reader);
    reflector->forbidden = false;
    reflector->forbidden_ns = 0;
    change(reflector, KUBE_WATCH_ON);
}

/* The stream has lived for a while: it works. */
static void mend(struct kube_reflector *reflector)
{
    reflector->failures = 0;
    if (!reflector->gave_notice)
        return;
    reflector->gave_notice = false;
    reflector->events->on_notice(reflector->arg, reflector, NULL);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct kube_reflector *reflector = arg;

    if (reflector->watch_status == 200)
        return kube_events_feed(&reflector->reader, data, len, &reflector->watch_err);
    buf_add(&reflector->watch_body, data, len);
    return 0;
}

static void on_done(void *arg, const struct fetch_result *result)
{
    struct kube_reflector *reflector = arg;
    bool complete = result->end == FETCH_COMPLETE, answered = complete || result->end == FETCH_REFUSED;

    loop_timer_cancel(&reflector->watch_timer);
    if (answered && !reflector->answered)
        reflector->failures = 0;
    reflector->answered = answered;
    if (!complete || reflector->watch_status != 403)
        reflector->forbidden_ns = 0;
    if (result->end == FETCH_REFUSED) {
        again(reflector, KUBE_WATCH_LOST, reflector->watch_err.text, -1);
    } else if (!complete) {
        again(reflector, KUBE_WATCH_WAITING, result->reason, -1);
    } else if (reflector->watch_status == 200) {
        again(reflector, KUBE_WATCH_WAITING, "ends again and again as soon as it has begun", -1);
    } else if (reflector->watch_status == 403) {
        on_forbidden(reflector);
    } else {
        kube_reflector_refusal(reflector, "watch", reflector->watch_status, &reflector->watch_body,
                               &reflector->watch_err);
        again(reflector, reflector->watch_status == 410 ? KUBE_WATCH_LOST : KUBE_WATCH_WAITING,
              reflector->watch_err.text, result->retry_after_ms);
    }
}

/* ---- questions ---- */

static void write_path(struct kube_reflector *reflector, int64_t seconds, struct buf *path)
{
    kube_reflector_path(reflector, path);
    buf_addf(path, "?watch=true&allowWatchBookmarks=true&timeoutSeconds=%" PRId64, seconds);
    if (reflector->resource->list_kind) {
        buf_add_str(path, "&labelSelector=");
        url_encode(path, reflector->selector.data, reflector->selector.len);
    } else {
        buf_add_str(path, "&fieldSelector=metadata.name%3D");
        url_encode(path, reflector->object, strlen(reflector->object));
    }
    if (reflector->resume[0]) {
        buf_add_str(path, "&resourceVersion=");
        url_encode(path, reflector->resume, strlen(reflector->resume));
    }
}

static void ask(struct kube_reflector *reflector)
{
    static const struct fetch_events events = {.on_head = on_head, .on_data = on_data, .on_done = on_done};
    const struct kube_limits *limits = reflector->limits;
    int64_t seconds = limits->watch_s + random_below((uint32_t)limits->watch_s + 1);
    struct kube_get get = {.timeout_ms = seconds * 1000 + GRACE_MS, .idle_timeout_ms = limits->watch_idle_ms};
    struct buf path;

    buf_init(&path, KUBE_PATH_MAX_BYTES);
    write_path(reflector, seconds, &path);
    get.path = buf_str(&path);
    reflector->watch_status = 0;
    reflector->n_starts++;
    buf_clear(&reflector->watch_body);
    err_clear(&reflector->watch_err);
    if (path.failed)
        err_set(&reflector->watch_err, "the selector is longer than a request may be");
    if (path.failed || kube_client_get(reflector->client, &get, &events, reflector, &reflector->watch_request,
                                       &reflector->watch_err) < 0) {
        again(reflector, KUBE_WATCH_WAITING, reflector->watch_err.text, -1);
    } else {
        loop_timer_set(&reflector->watch_timer, clock_now_ns() + limits->watch_head_ms * NS_PER_MS);
        change(reflector, KUBE_WATCH_ASKED);
    }
    buf_release(&path);
}

static void on_due(struct loop_timer *timer)
{
    struct kube_reflector *reflector = container_of(timer, struct kube_reflector, watch_timer);

    if (reflector->watch == KUBE_WATCH_WAITING) {
        ask(reflector);
    } else if (reflector->watch == KUBE_WATCH_ASKED) {
        kube_request_cancel(&reflector->watch_request);
        again(reflector, KUBE_WATCH_WAITING, "no answer", -1);
    } else if (reflector->watch == KUBE_WATCH_LOST) {
        reflector->events->on_lost(reflector->arg, reflector);
    } else if (reflector->watch == KUBE_WATCH_ON) {
        mend(reflector);
    }
}

/* ---- life ---- */

void kube_watch_listed(struct kube_reflector *reflector, const char *version, bool news)
{
    bool active = reflector->watch == KUBE_WATCH_ASKED || reflector->watch == KUBE_WATCH_ON;

    if (active && !news) {
        uint64_t listed = kube_version_number(version);

        if (listed > kube_version_number(reflector->resume) && reflector->resume[0])
            resume_from(reflector, version);
        return;
    }
    resume_from(reflector, version);
    reflector->listed = true;
    if (reflector->forbidden)
        return;
    if (reflector->not_before_ns > clock_now_ns()) {
        reflector->watch = KUBE_WATCH_WAITING; /* its timer is set */
        return;
    }
    kube_request_cancel(&reflector->watch_request);
    ask(reflector);
}

void kube_watch_stop(struct kube_reflector *reflector)
{
    kube_request_cancel(&reflector->watch_request);
    loop_timer_cancel(&reflector->watch_timer);
    reflector->watch = KUBE_WATCH_OFF;
    reflector->failures = 0;
    reflector->forbidden = false;
    reflector->forbidden_ns = reflector->not_before_ns = 0;
}

void kube_watch_init(struct kube_reflector *reflector)
{
    buf_init(&reflector->watch_body, BODY_MAX_BYTES);
    reflector->reader.doc = reflector->doc;
    reflector->reader.on_event = on_event;
    reflector->reader.arg = reflector;
    kube_events_begin(&reflector->reader);
    loop_timer_init(&reflector->watch_timer, reflector->loop, LOOP_EARLY, on_due);
}

void kube_watch_release(struct kube_reflector *reflector)
{
    kube_watch_stop(reflector);
    kube_events_release(&reflector->reader);
    buf_release(&reflector->watch_body);
}
