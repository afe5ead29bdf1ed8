/* SPDX-License-Identifier: MIT */
/*
 * GET /metrics: the scoreboard's table line by line, then what follows from the pod table and the owners of
 * blocks, then a few gauges for each pod. Whichever worker answers, the numbers are those of all processes.
 *
 * Series: a fixed number and at most as many for each pod as pod_families has lines, since labels hold
 * nothing else that varies; a pod's are gone with the pod.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/wire/prom.h>

#include "api_private.h"

/* Pods looked at for one slice, whether they have something to show or not: some 0.1 us and block each. */
#define STEPS_MAX 128

/* An answer under way: which step is next. */
struct metrics {
    struct http_producer producer;
    const struct api *api;
    const struct podtable_snapshot *snapshot; /* held */
    int64_t now;
    size_t part, family, at; /* `at`: a line of the table, or a pod */
};

static void put(struct buf *out, const char *family, uint64_t n)
{
    struct prom_writer w;

    prom_begin(&w, out, family, "");
    prom_number(&w, n);
}

static void put_labelled(struct buf *out, const char *family, const char *label, const char *value, uint64_t n)
{
    struct prom_writer w;

    prom_begin(&w, out, family, "");
    prom_label(&w, label, value, strlen(value));
    prom_number(&w, n);
}

/* ---- the table of what is counted ---- */

static void write_histogram(const struct scoreboard *board, const struct scoreboard_line *line, struct buf *out)
{
    const struct scoreboard_bounds *bounds = &scoreboard_bounds[line->id];
    struct scoreboard_distribution d;
    struct prom_writer w;
    uint64_t sum = 0;

    scoreboard_distribution(board, (enum scoreboard_histogram)line->id, &d);
    for (uint32_t i = 0; i < bounds->n; i++) {
        sum += d.buckets[i];
        prom_begin(&w, out, line->family, "_bucket");
        prom_le(&w, bounds->us[i]);
        prom_number(&w, sum);
    }
    prom_begin(&w, out, line->family, "_bucket");
    prom_labels(&w, "le=\"+Inf\"");
    prom_number(&w, d.count);
    prom_begin(&w, out, line->family, "_sum");
    prom_decimal(&w, d.sum_us, 6);
    prom_begin(&w, out, line->family, "_count");
    prom_number(&w, d.count);
}

static void write_cell(const struct scoreboard *board, const struct scoreboard_line *line, struct buf *out)
{
    static const unsigned digits[] = {[SCOREBOARD_SECONDS] = 6, [SCOREBOARD_INSTANT] = 3, [SCOREBOARD_HISTOGRAM] = 0};
    struct prom_writer w;

    prom_begin(&w, out, line->family, "");
    prom_labels(&w, line->labels);
    prom_decimal(&w, scoreboard_sum(board, (enum scoreboard_metric)line->id), digits[line->kind]);
}

static bool write_line(struct metrics *m, struct buf *out)
{
    static const enum prom_type types[] = {
        [SCOREBOARD_COUNTER] = PROM_COUNTER, [SCOREBOARD_SECONDS] = PROM_COUNTER,     [SCOREBOARD_GAUGE] = PROM_GAUGE,
        [SCOREBOARD_INSTANT] = PROM_GAUGE,   [SCOREBOARD_HISTOGRAM] = PROM_HISTOGRAM,
    };
    const struct scoreboard_line *line = &scoreboard_lines[m->at];

    if (m->at == 0 || strcmp(line[-1].family, line->family) != 0)
        prom_family(out, line->family, types[line->kind], line->help);
    if (line->kind == SCOREBOARD_HISTOGRAM)
        write_histogram(m->api->board, line, out);
    else
        write_cell(m->api->board, line, out);
    return ++m->at == SCOREBOARD_LINES;
}

/* ---- what follows from elsewhere ---- */

static bool write_build(struct metrics *m, struct buf *out)
{
    prom_family(out, "syncer_build_info", PROM_GAUGE, "The program; always 1.");
    put_labelled(out, "syncer_build_info", "version", m->api->version, 1);
    return true;
}

/* For alerts, which can't know it from elsewhere. */
static bool write_interval(struct metrics *m, struct buf *out)
{
    struct prom_writer w;

    prom_family(out, "syncer_zone_sync_interval_seconds", PROM_GAUGE, "The gateways' interval, as configured.");
    prom_begin(&w, out, "syncer_zone_sync_interval_seconds", "");
    prom_decimal(&w, (uint64_t)m->api->shown.zone_sync_interval_ms, 3);
    return true;
}

static bool write_workers(struct metrics *m, struct buf *out)
{
    uint64_t n[SCOREBOARD_STATES] = {0};

    for (uint32_t block = 1; block < scoreboard_blocks(m->api->board); block++) {
        struct scoreboard_owner owner;

        scoreboard_owner(m->api->board, block, &owner);
        n[owner.state]++;
    }
    prom_family(out, "syncer_workers", PROM_GAUGE, "Workers by state.");
    for (unsigned state = SCOREBOARD_STARTING; state < SCOREBOARD_STATES; state++)
        put_labelled(out, "syncer_workers", "state", scoreboard_state_name(state), n[state]);
    return true;
}

static bool write_table(struct metrics *m, struct buf *out)
{
    uint64_t n[PODTABLE_STATES] = {0}, counting = 0;

    for (size_t i = 0; i < m->snapshot->n; i++) {
        n[m->snapshot->pods[i].state]++;
        counting += m->snapshot->pods[i].counts;
    }
    prom_family(out, "syncer_pods", PROM_GAUGE, "Pods that are known, by state.");
    for (unsigned state = 0; state < PODTABLE_STATES; state++)
        put_labelled(out, "syncer_pods", "state", podtable_state_name(state), n[state]);
    prom_family(out, "syncer_pods_counting", PROM_GAUGE, "Pods that are asked in a check.");
    put(out, "syncer_pods_counting", counting);
    prom_family(out, "syncer_pods_generation", PROM_GAUGE, "Changes of the list of pods since the start.");
    put(out, "syncer_pods_generation", m->snapshot->generation);
    return true;
}

/* ---- each pod ---- */

/* Each says whether there is something to show: *n of 10^-3. */

static bool last_lag(const struct metrics *m, const struct podtable_pod *pod, uint64_t *n)
{
    struct scoreboard_pod seen;

    scoreboard_pod(m->api->board, pod->id, &seen);
    *n = seen.lag_ms;
    return seen.lag_at_ns > 0;
}

static bool longest_lag(const struct metrics *m, const struct podtable_pod *pod, uint64_t *n)
{
    *n = scoreboard_pod_lag_max_ms(m->api->board, pod->id, m->now);
    return *n > 0;
}

static bool is_up(const struct metrics *m, const struct podtable_pod *pod, uint64_t *n)
{
    struct scoreboard_pod seen;

    scoreboard_pod(m->api->board, pod->id, &seen);
    *n = seen.result == SCOREBOARD_PRESENT || seen.result == SCOREBOARD_ABSENT || seen.result == SCOREBOARD_STATUS
             ? 1000
             : 0;
    return seen.result != SCOREBOARD_NO_RESULT;
}

static bool is_late(const struct metrics *m, const struct podtable_pod *pod, uint64_t *n)
{
    struct scoreboard_pod seen;

    scoreboard_pod(m->api->board, pod->id, &seen);
    *n = seen.late ? 1000 : 0;
    return seen.result != SCOREBOARD_NO_RESULT;
}

static bool is_protected(const struct metrics *m, const struct podtable_pod *pod, uint64_t *n)
{
    struct scoreboard_pod seen;

    scoreboard_pod(m->api->board, pod->id, &seen);
    *n = seen.guard == SCOREBOARD_PROTECTED ? 1000 : 0;
    return seen.guard != SCOREBOARD_GUARD_UNKNOWN && seen.guard_generation >= m->api->generation;
}

static bool expiry(const struct metrics *m, const struct podtable_pod *pod, uint64_t *n)
{
    struct scoreboard_pod seen;

    scoreboard_pod(m->api->board, pod->id, &seen);
    *n = (uint64_t)seen.expires_s * 1000;
    return seen.expires_s > 0;
}

static const struct {
    const char *family, *help;
    bool (*value)(const struct metrics *m, const struct podtable_pod *pod, uint64_t *n);
} pod_families[] = {
    {"syncer_pod_up", "Whether the pod answered its last probe, whatever it said.", is_up},
    {"syncer_pod_late", "Whether checks give up on the pod while other pods have the token.", is_late},
    {"syncer_pod_protected", "Whether the pod refused the last made-up token.", is_protected},
    {"syncer_pod_replication_lag_seconds", "Last time from a check's start until the pod had the token.", last_lag},
    {"syncer_pod_replication_lag_max_seconds", "The longest of the last 5 minutes.", longest_lag},
    {"syncer_pod_certificate_expiry_timestamp_seconds", "When the certificate expires that the pod showed last.",
     expiry},
};

/* Names are the labels, so each is shown once: where two pods have it (one that is being deleted, and its
 * successor), the one that counts. */
static const struct podtable_pod *next_name(const struct podtable_snapshot *snapshot, size_t *at)
{
    const struct podtable_pod *chosen = &snapshot->pods[snapshot->by_name[(*at)++]];

    for (; *at < snapshot->n; ++*at) {
        const struct podtable_pod *other = &snapshot->pods[snapshot->by_name[*at]];

        if (strcmp(other->name, chosen->name) != 0)
            break;
        if (other->counts && !chosen->counts)
            chosen = other;
    }
    return chosen;
}

static bool write_pod(struct metrics *m, struct buf *out)
{
    const char *family = pod_families[m->family].family;
    const struct podtable_pod *pod;
    struct prom_writer w;
    uint64_t n;

    if (m->at == 0)
        prom_family(out, family, PROM_GAUGE, pod_families[m->family].help);
    if (m->at == m->snapshot->n) {
        m->at = 0;
        return ++m->family == ARRAY_LEN(pod_families);
    }
    pod = next_name(m->snapshot, &m->at);
    if (pod_families[m->family].value(m, pod, &n)) {
        prom_begin(&w, out, family, "");
        prom_label(&w, "pod", pod->name, strlen(pod->name));
        prom_decimal(&w, n, 3);
    }
    return false;
}

/* ---- the answer ---- */

/* In the order of the text. Each writes a little and says whether it is through. */
static bool (*const parts[])(struct metrics *m, struct buf *out) = {write_build,   write_interval, write_line,
                                                                    write_workers, write_table,    write_pod};

static bool next(struct http_producer *producer, struct buf *out)
{
    struct metrics *m = container_of(producer, struct metrics, producer);

    for (unsigned steps = 0; m->part < ARRAY_LEN(parts); steps++) {
        if (steps == STEPS_MAX || out->len >= HTTP_SLICE_BYTES)
            return true;
        if (parts[m->part](m, out)) {
            m->part++;
            m->at = 0;
        }
    }
    return false;
}

static void release(struct http_producer *producer)
{
    struct metrics *m = container_of(producer, struct metrics, producer);

    podtable_snapshot_drop(m->api->table, m->snapshot);
    free(m);
}

void api_metrics(struct http_exchange *x, void *app)
{
    const struct api *api = app;
    const struct podtable_snapshot *snapshot = api_hold_table(x, api);
    struct metrics *m;

    if (!snapshot)
        return;
    m = calloc(1, sizeof(*m));
    if (!m) {
        podtable_snapshot_drop(api->table, snapshot);
        api_not_now(x, "memory is out");
        return;
    }
    m->producer = (struct http_producer){.next = next, .release = release};
    m->api = api;
    m->snapshot = snapshot;
    m->now = loop_now_ns(api->loop);
    http_answer_begin(x, 200);
    http_answer_field(x, "Cache-Control", "no-store");
    http_answer_end_producer(x, PROM_CONTENT_TYPE, &m->producer);
}
