/* SPDX-License-Identifier: MIT */
/* GET /v1/status: the whole instance on one page, whichever worker answers. */
#include <config.h>

#include <syncer/base/clock.h>
#include <syncer/wire/json_write.h>

#include "api_private.h"

/* A point in time that the master has noted; null if it never has. */
static void put_instant(struct json_writer *w, const char *key, const struct api *api, enum scoreboard_metric metric)
{
    int64_t at_ms = (int64_t)scoreboard_sum(api->board, metric);
    char text[CLOCK_ISO_BYTES];

    if (at_ms > 0)
        clock_iso(at_ms, text);
    json_put_string(w, key, at_ms > 0 ? text : NULL);
}

static void write_workers(struct json_writer *w, const struct api *api)
{
    json_key(w, "workers");
    json_array_begin(w);
    for (uint32_t block = 1; block < scoreboard_blocks(api->board); block++) {
        struct scoreboard_owner owner;

        scoreboard_owner(api->board, block, &owner);
        if (owner.state == SCOREBOARD_EMPTY)
            continue;
        json_object_begin(w);
        json_put_number(w, "pid", owner.pid);
        json_put_string(w, "state", scoreboard_state_name(owner.state));
        json_put_number(w, "generation", (int64_t)owner.generation);
        json_object_end(w);
    }
    json_array_end(w);
    json_put_number(w, "workers_started", (int64_t)scoreboard_sum(api->board, METRIC_WORKERS_STARTED));
    json_put_number(w, "workers_crashed", (int64_t)scoreboard_sum(api->board, METRIC_WORKERS_CRASHED));
    json_put_number(w, "workers_hung", (int64_t)scoreboard_sum(api->board, METRIC_WORKERS_HUNG));
}

/* null: nothing is wrong. */
static void put_note(struct json_writer *w, const char *key, const struct api *api, enum scoreboard_note note)
{
    char text[SCOREBOARD_NOTE_BYTES];

    scoreboard_get_note(api->board, 0, note, text);
    json_put_string(w, key, text[0] ? text : NULL);
}

static void write_configuration(struct json_writer *w, const struct api_shown *shown)
{
    json_key(w, "configuration");
    json_object_begin(w);
    json_put_number(w, "patience_ms", shown->patience_ms);
    json_put_number(w, "request_deadline_ms", shown->request_deadline_ms);
    json_put_number(w, "zone_sync_interval_ms", shown->zone_sync_interval_ms);
    json_put_string(w, "control_probe", shown->control_probe);
    json_put_string(w, "scheme", shown->scheme);
    json_put_boolean(w, "tls_verify", shown->tls_verify);
    json_put_string(w, "tls_server_name", shown->server_name);
    json_put_string(w, "path", shown->path);
    json_object_end(w);
}

static void write_table(struct json_writer *w, const struct api *api)
{
    const struct podtable_snapshot *snapshot;
    int64_t age = podtable_read_age(api->table, loop_now_ns(api->loop));
    size_t counting = 0;

    podtable_reader_snapshot(api->table, &snapshot);
    for (size_t i = 0; i < snapshot->n; i++)
        counting += snapshot->pods[i].counts;
    json_key(w, "table");
    json_object_begin(w);
    json_put_number(w, "generation", (int64_t)snapshot->generation);
    json_key(w, "age_ms");
    if (age >= 0)
        json_number(w, age / NS_PER_MS);
    else
        json_null(w);
    put_instant(w, "read_at", api, METRIC_PODS_READ);
    json_put_number(w, "pods", (int64_t)snapshot->n);
    json_put_number(w, "counting", (int64_t)counting);
    json_put_number(w, "reads_ok", (int64_t)scoreboard_sum(api->board, METRIC_SCRAPES_OK));
    json_put_number(w, "reads_failed", (int64_t)scoreboard_sum(api->board, METRIC_SCRAPES_FAILED));
    put_note(w, "error", api, SCOREBOARD_NOTE_LIST);
    json_object_end(w);
}

static void write_checks(struct json_writer *w, const struct api *api)
{
    static const enum scoreboard_metric metrics[VERDICTS] = {METRIC_CHECKS_SYNCED, METRIC_CHECKS_PARTIALY,
                                                             METRIC_CHECKS_NOT_SYNCED, METRIC_CHECKS_TIMEOUT};

    json_key(w, "checks");
    json_object_begin(w);
    for (enum verdict v = 0; v < VERDICTS; v++)
        json_put_number(w, verdict_name(v), (int64_t)scoreboard_sum(api->board, metrics[v]));
    json_put_number(w, "running", (int64_t)scoreboard_sum(api->board, METRIC_CHECKS_RUNNING));
    json_object_end(w);
}

/* "none": the source has nothing to watch. */
static const char *watch_state(const struct api *api)
{
    if (scoreboard_sum(api->board, METRIC_WATCHES_FORBIDDEN) > 0)
        return "forbidden";
    if (scoreboard_sum(api->board, METRIC_WATCHES_OFF) > 0)
        return "off";
    return scoreboard_sum(api->board, METRIC_WATCHES_ON) > 0 ? "on" : "none";
}

void api_status(struct http_exchange *x, void *app)
{
    const struct api *api = app;
    struct scoreboard_owner master;
    struct json_writer w;
    struct buf out;

    scoreboard_owner(api->board, 0, &master);
    buf_init(&out, API_JSON_MAX);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_put_string(&w, "version", api->version);
    json_put_number(&w, "master_pid", master.pid);
    put_instant(&w, "started_at", api, METRIC_STARTED);
    json_put_number(&w, "configuration_generation", (int64_t)api->generation);
    put_instant(&w, "configuration_loaded_at", api, METRIC_RELOADED);
    json_put_boolean(&w, "last_reload_successful", scoreboard_sum(api->board, METRIC_RELOAD_OK) > 0);
    json_put_number(&w, "reloads_ok", (int64_t)scoreboard_sum(api->board, METRIC_RELOADS_OK));
    json_put_number(&w, "reloads_failed", (int64_t)scoreboard_sum(api->board, METRIC_RELOADS_FAILED));
    json_put_boolean(&w, "draining", api->draining);
    json_put_string(&w, "source", api->source);
    json_put_string(&w, "watch", watch_state(api));
    put_note(&w, "watch_error", api, SCOREBOARD_NOTE_WATCH);
    write_configuration(&w, &api->shown);
    write_table(&w, api);
    write_checks(&w, api);
    write_workers(&w, api);
    json_object_end(&w);
    http_answer_begin(x, 200);
    api_end_json(x, &out);
}
