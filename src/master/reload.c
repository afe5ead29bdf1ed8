/* SPDX-License-Identifier: MIT */
/*
 * SIGHUP: the new configuration is made complete and gets workers of its own; only when all of these are
 * ready, and a list has come if its pods are to be found elsewhere, does it go into force and the old ones
 * retire. Until then anything that goes wrong costs the new one alone.
 */
#include <config.h>

#include <inttypes.h>

#include <syncer/base/macros.h>

#include "master_private.h"

#define READY_LIMIT_NS (15 * NS_PER_S)

static void give_up(struct master *master, const char *reason)
{
    struct setup *next = master->next;

    log_error("reload has failed: keeping the old configuration", LOG_STR("reason", reason));
    scoreboard_add(master->board, METRIC_RELOADS_FAILED, 1);
    scoreboard_set(master->board, METRIC_RELOAD_OK, 0);
    watch_settle(master);
    loop_timer_cancel(&master->reload_timer);
    loop_task_cancel(master->loop, &master->reload_task);
    if (!next)
        return;
    master->next = NULL;
    slots_retire(master, next->generation);
    setup_free(next);
}

/* What was asked for meanwhile is one more reload. */
static void again(struct master *master)
{
    if (!master->reload_again)
        return;
    master->reload_again = false;
    reload_begin(master);
}

static void commit(struct master *master)
{
    struct setup *old = master->current;

    loop_timer_cancel(&master->reload_timer);
    setup_commit(old, master->next);
    slots_retire(master, old->generation);
    scrape_switch(old, master->next);
    master->current = master->next;
    master->next = NULL;
    setup_free(old);
    log_configure((enum log_level)master->current->conf.log_level, (enum log_format)master->current->conf.log_format);
    scoreboard_add(master->board, METRIC_RELOADS_OK, 1);
    scoreboard_set(master->board, METRIC_RELOAD_OK, 1);
    scoreboard_set(master->board, METRIC_RELOADED, (uint64_t)clock_wall_ms());
    watch_settle(master);
    log_info("reload is done", LOG_INT("generation", master->current->generation));
    setup_tell_size(master->current);
    source_refresh(master->current->source); /* reads that began before it was in force are nobody's refresh */
}

static void commit_if_complete(struct master *master)
{
    const struct setup *next = master->next;

    if (!next || slots_count(master, next->generation, SLOT_READY) < next->workers ||
        (next->other_pods && !next->has_list))
        return;
    commit(master);
    again(master);
}

void reload_child_ready(struct master *master)
{
    commit_if_complete(master);
}

static void run_task(struct loop_task *task)
{
    commit_if_complete(container_of(task, struct master, reload_task));
}

/* As a task: the source must not be asked for anything from within its own event. */
void reload_list_came(struct master *master)
{
    loop_task_post(master->loop, &master->reload_task);
}

void reload_cancel(struct master *master)
{
    master->reload_again = false;
    if (master->next)
        give_up(master, "the program is told to end");
}

void reload_child_died(struct master *master)
{
    give_up(master, "a worker of the new configuration could not start");
    again(master);
}

static void on_limit_due(struct loop_timer *timer)
{
    struct master *master = container_of(timer, struct master, reload_timer);
    const struct setup *next = master->next;
    struct err err;

    if (next->other_pods && !next->has_list)
        err_set(&err, "the new list of pods could not be read in 15 s: %.300s",
                next->failure.text[0] ? next->failure.text : "no answer has come");
    else if (slots_count(master, next->generation, SLOT_STARTING) + slots_count(master, next->generation, SLOT_READY) <
             next->workers)
        err_set(&err,
                "there was no room for the new workers: %zu of earlier configurations still finish what they serve "
                "(shutdown_grace)",
                slots_count(master, 0, SLOT_RETIRING));
    else
        err_set(&err, "the new workers were not ready in 15 s");
    give_up(master, err.text);
    again(master);
}

void reload_begin(struct master *master)
{
    struct conf conf;
    struct err err;
    int exit_code;

    if (master->phase != MASTER_RUNNING)
        return;
    if (master->next) {
        master->reload_again = true;
        return;
    }
    watch_note(master);
    master->reloads++;
    if (master->settings.load(master->settings.arg, &conf, &err) < 0) {
        watch_follow(master, &conf); /* it is tried again when one of its files changes */
        conf_free(&conf);
        give_up(master, err.text);
        return;
    }
    watch_follow(master, &conf);
    if (conf.max_pods > master->max_pods) {
        err_set(&err,
                "max_pods: %" PRId64 " should be at most %" PRId64
                ", for which memory was allocated at the start: restart",
                conf.max_pods, master->max_pods);
        conf_free(&conf);
        give_up(master, err.text);
        return;
    }
    master->next = setup_new(master, &conf, &exit_code, &err);
    if (!master->next) {
        give_up(master, err.text);
        return;
    }
    log_info("reload: starting the new workers", LOG_INT("generation", master->next->generation));
    loop_timer_set(&master->reload_timer, loop_now_ns(master->loop) + READY_LIMIT_NS);
    slots_fill(master);
}

void reload_init(struct master *master)
{
    loop_timer_init(&master->reload_timer, master->loop, LOOP_LATE, on_limit_due);
    master->reload_task.run = run_task;
}
