/* SPDX-License-Identifier: MIT */
/*
 * SIGHUP: the new configuration is made complete and gets workers of its own; only when all of these are ready does it go
 * into force and the old ones retire. Until then anything that goes wrong costs the new one alone.
 */
#include <config.h>

#include <signal.h>

#include <syncer/base/macros.h>

#include "master_private.h"

#define READY_LIMIT_NS (15 * NS_PER_S)

static void give_up(struct master *master, const char *reason)
{
    struct setup *next = master->next;

    log_error("reload has failed: keeping the old configuration", LOG_STR("reason", reason));
    scoreboard_add(master->board, METRIC_RELOADS_FAILED, 1);
    loop_timer_cancel(&master->reload_timer);
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
    slots_retire(master, old->generation);
    master->current = master->next;
    master->next = NULL;
    setup_commit(old, master->current);
    log_configure((enum log_level)master->current->conf.log_level, (enum log_format)master->current->conf.log_format);
    scoreboard_add(master->board, METRIC_RELOADS_OK, 1);
    log_info("reload is done", LOG_INT("generation", master->current->generation));
    source_refresh(master->current->source); /* what it read before was not for use yet */
}

void reload_child_ready(struct master *master)
{
    if (!master->next || slots_count(master, master->next->generation, SLOT_READY) < master->next->workers)
        return;
    commit(master);
    again(master);
}

void reload_child_died(struct master *master)
{
    give_up(master, "a worker of the new configuration could not start");
    again(master);
}

static void on_limit_due(struct loop_timer *timer)
{
    struct master *master = container_of(timer, struct master, reload_timer);

    give_up(master, "the new workers were not ready in 15 s");
    again(master);
}

void reload_begin(struct master *master)
{
    struct conf conf;
    struct err err;
    bool in_use;

    if (master->phase != MASTER_RUNNING)
        return;
    if (master->next) {
        master->reload_again = true;
        return;
    }
    if (master->settings.load(master->settings.arg, &conf, &err) < 0) {
        give_up(master, err.text);
        return;
    }
    if (conf.max_pods > master->current->conf.max_pods) {
        conf_free(&conf);
        give_up(master, "max_pods: can't grow while the program runs: the table's memory is fixed; restart it");
        return;
    }
    master->next = setup_new(master, &conf, &in_use, &err);
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
}
