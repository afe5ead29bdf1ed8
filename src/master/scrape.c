/* SPDX-License-Identifier: MIT */
/*
 * Reads of the source. Each read of the setup in force is framed in the table, begin and end, whatever comes
 * of it: checks that wait for a refresh count the frames, and an end too many would let one say Synced before
 * its refresh has come. So a setup frames only reads that began while it was in force, and one that goes
 * leaves none open.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "master_private.h"

#define REMIND_EVERY 10 /* failures in a row between two lines of one reason */

static bool is_in_force(const struct setup *setup)
{
    return setup == setup->master->current;
}

static void on_begin(void *arg)
{
    struct setup *setup = arg;

    if (!is_in_force(setup) || setup->framed)
        return;
    setup->framed = true;
    podtable_scrape_begin(setup->master->table);
    refresh_read_began(setup->master);
}

/* The order matters: a worker that is told that a name is unknown must have the table from which that
 * follows. */
static void end_read(struct setup *setup, enum podtable_scrape outcome)
{
    struct master *master = setup->master;
    bool framed = setup->framed;

    setup->framed = false;
    if (framed)
        podtable_scrape_end(master->table, outcome);
    slots_send(master, 0, CONTROL_TABLE);
    if (framed)
        refresh_read_ended(master, outcome == PODTABLE_SCRAPE_OK);
}

/* ---- a read that failed ---- */

static void log_failure(const struct master *master, const struct source_failure *failure)
{
    int64_t age = loop_now_ns(master->loop) - master->read_ns;

    if (master->read_ns == 0)
        log_error("the list of pods could not be read: checks are refused until it can",
                  LOG_STR("reason", failure->reason.text), LOG_INT("retry_ms", failure->retry_ms));
    else
        log_error("the list of pods could not be read: keeping the old one", LOG_STR("reason", failure->reason.text),
                  LOG_INT("pods", master->n_pods), LOG_INT("age_ms", age / NS_PER_MS),
                  LOG_INT("failures", master->failures), LOG_INT("retry_ms", failure->retry_ms));
}

static void fail(struct setup *setup, const struct source_failure *failure)
{
    struct master *master = setup->master;

    if (master->failures++ % REMIND_EVERY == 0 || strcmp(master->failure.text, failure->reason.text) != 0)
        log_failure(master, failure);
    master->failure = failure->reason;
    scoreboard_set_note(master->board, SCOREBOARD_NOTE_LIST, failure->reason.text);
    scoreboard_add(master->board, METRIC_SCRAPES_FAILED, 1);
    end_read(setup, failure->too_many ? PODTABLE_SCRAPE_TOO_MANY : PODTABLE_SCRAPE_FAILED);
}

static void on_failed(void *arg, const struct source_failure *failure)
{
    struct setup *setup = arg;

    if (is_in_force(setup))
        fail(setup, failure);
    else
        setup->failure = failure->reason; /* for the reload to tell, if no list comes in time */
}

/* ---- a list ---- */

/* A setup that is not in force yet keeps its newest list until it is. */
static void keep(struct setup *setup, const struct source_pod *pods, size_t n)
{
    struct source_pod *list = calloc(n + 1, sizeof(*list));

    if (!list) {
        err_set(&setup->failure, "out of memory");
        return;
    }
    if (n > 0)
        memcpy(list, pods, n * sizeof(*list));
    free(setup->list);
    setup->list = list;
    setup->n_list = n;
    setup->has_list = true;
    err_clear(&setup->failure);
    reload_list_came(setup->master);
}

static void on_list(void *arg, const struct source_pod *pods, size_t n)
{
    struct setup *setup = arg;
    struct master *master = setup->master;
    struct source_failure failure = {.retry_ms = setup->conf.scrape_interval_ms};

    if (!is_in_force(setup)) {
        keep(setup, pods, n);
        return;
    }
    if (podlist_take(master, pods, n, &failure.reason) < 0) {
        fail(setup, &failure);
        return;
    }
    if (master->failures > 0)
        log_info("the list of pods can be read again", LOG_INT("failures", master->failures), LOG_INT("pods", n));
    master->failures = 0;
    scoreboard_set_note(master->board, SCOREBOARD_NOTE_LIST, "");
    setup_tell_size(setup);
    scoreboard_add(master->board, METRIC_SCRAPES_OK, 1);
    end_read(setup, PODTABLE_SCRAPE_OK);
}

/* ---- between the reads ---- */

/* The age of the table is that of the last read: an update comes from one stream and says nothing of the
 * others. */
static void on_update(void *arg, const struct source_pod *pods, size_t n)
{
    struct setup *setup = arg;
    struct master *master = setup->master;
    uint64_t generation = podtable_generation(master->table);
    struct err err;

    if (!is_in_force(setup)) {
        if (setup->has_list)
            keep(setup, pods, n);
        return;
    }
    if (master->read_ns == 0)
        return;
    if (podlist_update(master, pods, n, &err) < 0)
        log_error("changes of the pods could not be put into force: the next read brings them",
                  LOG_STR("reason", err.text));
    if (podtable_generation(master->table) != generation) /* most events change nothing that matters here */
        slots_send(master, 0, CONTROL_TABLE);
}

static void show_watch(const struct setup *setup)
{
    struct scoreboard *board = setup->master->board;

    scoreboard_set(board, METRIC_WATCHES_ON, setup->watch.on);
    scoreboard_set(board, METRIC_WATCHES_OFF, setup->watch.off);
    scoreboard_set(board, METRIC_WATCHES_FORBIDDEN, setup->watch.forbidden);
    scoreboard_set_note(board, SCOREBOARD_NOTE_WATCH, setup->watch_failure.text);
}

static void on_watch(void *arg, const struct source_watch *watch)
{
    struct setup *setup = arg;

    setup->watch = *watch;
    scoreboard_add(setup->master->board, METRIC_WATCH_EVENTS, watch->events);
    scoreboard_add(setup->master->board, METRIC_WATCH_RESTARTS, watch->restarts);
    if (is_in_force(setup))
        show_watch(setup);
}

static void on_notice(void *arg, const char *what, const char *reason)
{
    struct setup *setup = arg;

    if (reason)
        err_set(&setup->watch_failure, "%s: %s", what, reason);
    else
        err_clear(&setup->watch_failure);
    if (is_in_force(setup))
        show_watch(setup);
    if (reason)
        log_warn("changes can't be watched: the list is read every scrape_interval only", LOG_STR("what", what),
                 LOG_STR("reason", reason), LOG_INT("interval_ms", setup->conf.scrape_interval_ms));
    else
        log_info("changes can be watched again", LOG_STR("what", what));
}

const struct source_events scrape_events = {
    .on_begin = on_begin,
    .on_list = on_list,
    .on_failed = on_failed,
    .on_update = on_update,
    .on_watch = on_watch,
    .on_notice = on_notice,
};

/* ---- a reload ---- */

void scrape_switch(struct setup *old, struct setup *next)
{
    struct master *master = old->master;
    struct err err;

    if (old->framed)
        end_read(old, PODTABLE_SCRAPE_FAILED); /* its source goes, and with it the answer */
    if (next->has_list && podlist_take(master, next->list, next->n_list, &err) < 0)
        log_error("the list of pods could not be put into force: the next read brings it", LOG_STR("reason", err.text));
    free(next->list);
    next->list = NULL;
    next->has_list = false;
    scoreboard_set_note(master->board, SCOREBOARD_NOTE_LIST, "");
    show_watch(next);
    slots_send(master, 0, CONTROL_TABLE);
}
