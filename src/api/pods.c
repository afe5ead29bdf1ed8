/* SPDX-License-Identifier: MIT */
/* GET /v1/pods: the table as this worker sees it, with what all workers last found. */
#include <config.h>

#include <stdlib.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/wire/json_write.h>

#include "api_private.h"

static void put_age(struct json_writer *w, const char *key, int64_t at_ns, int64_t now)
{
    json_key(w, key);
    if (at_ns > 0)
        json_number(w, now > at_ns ? (now - at_ns) / NS_PER_MS : 0);
    else
        json_null(w);
}

/* What was found under another configuration says nothing: it may have been another location. */
static const char *guard_name(const struct api *api, const struct scoreboard_pod *last)
{
    if (last->guard == SCOREBOARD_GUARD_UNKNOWN || last->guard_generation < api->generation)
        return "unknown";
    return last->guard == SCOREBOARD_PROTECTED ? "protected" : "unprotected";
}

#define YEAR_10000_S INT64_C(253402300800)

static void put_expiry(struct json_writer *w, int64_t expires_s)
{
    char text[CLOCK_ISO_BYTES];

    if (expires_s > 0)
        clock_iso((expires_s < YEAR_10000_S ? expires_s : YEAR_10000_S - 1) * 1000, text);
    json_put_string(w, "certificate_expires_at", expires_s > 0 ? text : NULL);
}

static void write_pod(struct json_writer *w, const struct api *api, const struct podtable_pod *pod, int64_t now)
{
    struct scoreboard_pod last;
    char addr[ADDR_TEXT_BYTES];

    scoreboard_pod(api->board, pod->id, &last);
    json_object_begin(w);
    json_put_string(w, "name", pod->name);
    json_put_string(w, "address", addr_format(&pod->addr, addr));
    json_put_number(w, "port", pod->port);
    json_put_string(w, "state", podtable_state_name(pod->state));
    json_put_boolean(w, "counts", pod->counts);
    json_put_string(w, "result", scoreboard_result_name(last.result));
    json_put_number(w, "code", last.code);
    put_age(w, "result_age_ms", last.at_ns, now);
    json_key(w, "lag_ms");
    if (last.lag_at_ns > 0)
        json_number(w, last.lag_ms);
    else
        json_null(w);
    json_put_boolean(w, "late", last.late);
    json_put_string(w, "location", guard_name(api, &last));
    put_expiry(w, last.expires_s);
    json_object_end(w);
}

/* An answer under way. */
struct pods_body {
    struct http_producer producer;
    const struct api *api;
    const struct podtable_snapshot *snapshot; /* held */
    struct json_writer w;
    size_t next; /* pod to be written */
    int64_t now; /* one for all ages */
};

static void begin(struct pods_body *body, struct buf *out)
{
    const struct api *api = body->api;
    int64_t age = podtable_read_age(api->table, body->now);

    json_writer_init(&body->w, out);
    json_object_begin(&body->w);
    json_put_number(&body->w, "generation", (int64_t)body->snapshot->generation);
    json_key(&body->w, "age_ms");
    if (age >= 0)
        json_number(&body->w, age / NS_PER_MS);
    else
        json_null(&body->w);
    json_put_number(&body->w, "count", (int64_t)body->snapshot->n);
    json_key(&body->w, "pods");
    json_array_begin(&body->w);
}

static bool next(struct http_producer *producer, struct buf *out)
{
    struct pods_body *body = container_of(producer, struct pods_body, producer);
    const struct podtable_snapshot *snapshot = body->snapshot;

    if (body->next == 0)
        begin(body, out);
    body->w.out = out;
    while (body->next < snapshot->n && out->len < HTTP_SLICE_BYTES)
        write_pod(&body->w, body->api, &snapshot->pods[body->next++], body->now);
    if (body->next < snapshot->n)
        return true;
    json_array_end(&body->w);
    json_object_end(&body->w);
    return false;
}

static void release(struct http_producer *producer)
{
    struct pods_body *body = container_of(producer, struct pods_body, producer);

    podtable_snapshot_drop(body->api->table, body->snapshot);
    free(body);
}

void api_pods(struct http_exchange *x, void *app)
{
    const struct api *api = app;
    const struct podtable_snapshot *snapshot = api_hold_table(x, api);
    struct pods_body *body;

    if (!snapshot)
        return;
    body = calloc(1, sizeof(*body));
    if (!body) {
        podtable_snapshot_drop(api->table, snapshot);
        api_not_now(x, "memory is out");
        return;
    }
    *body = (struct pods_body){
        .producer = {.next = next, .release = release},
        .api = api,
        .snapshot = snapshot,
        .now = loop_now_ns(api->loop),
    };
    http_answer_begin(x, 200);
    http_answer_field(x, "Cache-Control", "no-store");
    http_answer_end_producer(x, "application/json", &body->producer);
}
