/* SPDX-License-Identifier: MIT */
/* GET /v1/pods: the table as this worker sees it, with what all workers last found. */
#include <config.h>

#include <syncer/base/clock.h>
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

static const char *guard_name(enum scoreboard_guard guard)
{
    return guard == SCOREBOARD_PROTECTED ? "protected" : guard == SCOREBOARD_UNPROTECTED ? "unprotected" : "unknown";
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
    json_put_number(w, "lag_ms", last.lag_ms);
    json_put_string(w, "location", guard_name(last.guard));
    json_object_end(w);
}

void api_pods(struct http_exchange *x, void *app)
{
    const struct api *api = app;
    const struct podtable_snapshot *snapshot;
    int64_t now = loop_now_ns(api->loop), age = podtable_read_age(api->table, now);
    struct json_writer w;
    struct buf out;

    podtable_reader_snapshot(api->table, &snapshot);
    buf_init(&out, API_JSON_MAX);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_put_number(&w, "generation", (int64_t)snapshot->generation);
    json_key(&w, "age_ms");
    if (age >= 0)
        json_number(&w, age / NS_PER_MS);
    else
        json_null(&w);
    json_put_number(&w, "count", (int64_t)snapshot->n);
    json_key(&w, "pods");
    json_array_begin(&w);
    for (size_t i = 0; i < snapshot->n; i++)
        write_pod(&w, api, &snapshot->pods[i], now);
    json_array_end(&w);
    json_object_end(&w);
    http_answer_begin(x, 200);
    api_end_json(x, &out);
}
