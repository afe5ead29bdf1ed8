/* SPDX-License-Identifier: MIT */
/*
 * From what a source reads to the table that the workers see. A pod keeps its id as long as name, uid, address and port
 * stay: a check that holds an id therefore never means another pod. A table goes out only if something has changed.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "master_private.h"

#define LINES_MAX 20 /* of a list's changes in the log */

static bool is_current(const struct setup *setup)
{
    return setup == setup->master->current;
}

/* ---- one list against the next ---- */

static int compare_pods(const void *a, const void *b)
{
    return strcmp(((const struct source_pod *)a)->name, ((const struct source_pod *)b)->name);
}

/* The index of the pod of that name in the published list, or -1. */
static ssize_t find(const struct master *master, const char *name)
{
    size_t low = 0, high = master->n_pods;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (strcmp(master->pods[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < master->n_pods && strcmp(master->pods[low].name, name) == 0 ? (ssize_t)low : -1;
}

static uint8_t state_of(enum source_state state)
{
    static const uint8_t states[] = {
        [SOURCE_PENDING] = PODTABLE_PENDING,         [SOURCE_READY] = PODTABLE_READY,
        [SOURCE_UNREADY] = PODTABLE_UNREADY,         [SOURCE_TERMINATING] = PODTABLE_TERMINATING,
        [SOURCE_FAILED] = PODTABLE_FAILED,           [SOURCE_UNKNOWN] = PODTABLE_UNKNOWN,
    };

    return states[state];
}

static void convert(struct master *master, const struct source_pod *from, struct podtable_pod *to)
{
    ssize_t before = find(master, from->name);

    *to = (struct podtable_pod){
        .addr = from->addr, .port = from->port, .state = state_of(from->state), .counts = from->counts};
    memcpy(to->name, from->name, sizeof(to->name));
    if (before >= 0 && strcmp(master->uids[before], from->uid) == 0 && addr_equal(&master->pods[before].addr, &to->addr) &&
        master->pods[before].port == to->port)
        to->id = master->pods[before].id;
    else
        to->id = ++master->last_id;
}

static bool is_same(const struct master *master, const struct podtable_pod *pods, size_t n)
{
    if (n != master->n_pods || podtable_generation(master->table) == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (pods[i].id != master->pods[i].id || pods[i].state != master->pods[i].state ||
            pods[i].counts != master->pods[i].counts)
            return false;
    return true;
}

/* ---- the log ---- */

static void log_pod(const char *what, const struct podtable_pod *pod, size_t *lines)
{
    char addr[ADDR_TEXT_BYTES];

    if (++*lines > LINES_MAX)
        return;
    log_info(what, LOG_STR("pod", pod->name), LOG_STR("address", addr_format(&pod->addr, addr)),
             LOG_INT("port", pod->port), LOG_STR("state", podtable_state_name(pod->state)),
             LOG_STR("counts", pod->counts ? "yes" : "no"));
}

/* Both lists are sorted by name. */
static void log_changes(const struct master *master, const struct podtable_pod *pods, size_t n)
{
    size_t lines = 0, i = 0, k = 0;

    while (i < master->n_pods || k < n) {
        int order = i == master->n_pods ? 1 : k == n ? -1 : strcmp(master->pods[i].name, pods[k].name);

        if (order < 0) {
            log_pod("pod has left", &master->pods[i++], &lines);
        } else if (order > 0) {
            log_pod("pod has come", &pods[k++], &lines);
        } else {
            if (master->pods[i].id != pods[k].id)
                log_pod("pod has been made again", &pods[k], &lines);
            else if (master->pods[i].counts != pods[k].counts)
                log_pod(pods[k].counts ? "pod counts now" : "pod does not count any more", &pods[k], &lines);
            i++;
            k++;
        }
    }
    if (lines > LINES_MAX)
        log_info("more pods have changed", LOG_INT("pods", lines - LINES_MAX));
}

/* ---- reads ---- */

static void on_begin(void *arg)
{
    struct setup *setup = arg;

    if (!is_current(setup))
        return;
    refresh_read_began(setup->master);
    podtable_scrape_begin(setup->master->table);
}

static void end_read(struct master *master, enum podtable_scrape outcome)
{
    bool well = outcome == PODTABLE_SCRAPE_OK;

    scoreboard_add(master->board, well ? METRIC_SCRAPES_OK : METRIC_SCRAPES_FAILED, 1);
    refresh_read_ended(master, well);
    podtable_scrape_end(master->table, outcome);
    slots_send(master, 0, CONTROL_TABLE);
}

static void fail(struct master *master, const char *reason, int64_t retry_ms, enum podtable_scrape outcome)
{
    if (master->failures++ == 0 || master->failures % 10 == 0)
        log_error("the list of pods could not be read: the old one stays", LOG_STR("reason", reason),
                  LOG_INT("pods", master->n_pods), LOG_INT("failures", master->failures), LOG_INT("retry_ms", retry_ms));
    end_read(master, outcome);
}

static void on_failed(void *arg, const struct source_failure *failure)
{
    struct setup *setup = arg;

    if (is_current(setup))
        fail(setup->master, failure->reason.text, failure->retry_ms,
             failure->too_many ? PODTABLE_SCRAPE_TOO_MANY : PODTABLE_SCRAPE_FAILED);
}

/* Puts `pods` (taken over, as `uids`) into force. 0, or -1 with the reason and the old list in force. */
static int publish(struct master *master, struct podtable_pod *pods, char (*uids)[SOURCE_UID_MAX + 1], size_t n,
                   struct err *err)
{
    int64_t now = loop_now_ns(master->loop);
    int rc = 0;

    if (is_same(master, pods, n))
        podtable_touch(master->table, now);
    else
        rc = podtable_publish(master->table, pods, n, now, err);
    if (rc < 0) {
        free(pods);
        free(uids);
        return -1;
    }
    log_changes(master, pods, n);
    free(master->pods);
    free(master->uids);
    master->pods = pods;
    master->uids = uids;
    master->n_pods = n;
    return 0;
}

static int take(struct master *master, struct source_pod *sorted, size_t n, struct err *err)
{
    struct podtable_pod *pods = calloc(n + 1, sizeof(*pods));
    char(*uids)[SOURCE_UID_MAX + 1] = calloc(n + 1, sizeof(*uids));

    if (!pods || !uids) {
        free(pods);
        free(uids);
        return err_set(err, "out of memory");
    }
    qsort(sorted, n, sizeof(*sorted), compare_pods);
    for (size_t i = 0; i < n; i++) {
        convert(master, &sorted[i], &pods[i]);
        memcpy(uids[i], sorted[i].uid, sizeof(uids[i]));
    }
    return publish(master, pods, uids, n, err);
}

static void on_list(void *arg, const struct source_pod *pods, size_t n)
{
    struct setup *setup = arg;
    struct master *master = setup->master;
    struct source_pod *sorted;
    struct err err = {.text = "out of memory"};
    int rc = -1;

    if (!is_current(setup))
        return;
    sorted = calloc(n + 1, sizeof(*sorted));
    if (sorted) {
        if (n > 0)
            memcpy(sorted, pods, n * sizeof(*sorted));
        rc = take(master, sorted, n, &err);
    }
    free(sorted);
    if (rc < 0) {
        fail(master, err.text, setup->conf.scrape_interval_ms, PODTABLE_SCRAPE_FAILED);
        return;
    }
    if (master->failures > 0)
        log_info("the list of pods can be read again", LOG_INT("failures", master->failures), LOG_INT("pods", n));
    master->failures = 0;
    end_read(master, PODTABLE_SCRAPE_OK);
}

const struct source_events scrape_events = {.on_begin = on_begin, .on_list = on_list, .on_failed = on_failed};

void scrape_release(struct master *master)
{
    free(master->pods);
    free(master->uids);
}
