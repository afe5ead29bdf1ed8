/* SPDX-License-Identifier: MIT */
/*
 * Children that hang. Each moves a number in its block of the scoreboard; here it is looked at ten times in hang_timeout.
 * Only looks that came on time count: if this process was stopped or starved itself (a laptop's lid, a machine without
 * CPU), its children were too, and that is no hang of theirs.
 */
#include <config.h>

#include <signal.h>

#include <syncer/base/macros.h>

#include "master_private.h"

#define LOOKS 10
#define KILL_AFTER_NS (2 * NS_PER_S)

static void look(struct slot *slot, int64_t now, bool on_time)
{
    struct master *master = slot->master;
    struct scoreboard_owner owner;

    scoreboard_owner(master->board, (uint32_t)(slot - master->slots) + 1, &owner);
    if (owner.beats != slot->beats) {
        slot->beats = owner.beats;
        slot->missed = 0;
    } else if (on_time) {
        slot->missed++;
    }
    if (slot->abort_ns != 0 && now - slot->abort_ns >= KILL_AFTER_NS) {
        kill(slot->pid, SIGKILL);
    } else if (slot->missed > LOOKS && slot->abort_ns == 0) {
        log_error("worker hangs: it is ended", LOG_INT("worker", slot->pid),
                  LOG_INT("hang_timeout_ms", master->current->conf.hang_timeout_ms));
        scoreboard_add(master->board, METRIC_WORKERS_HUNG, 1);
        slot->abort_ns = now;
        kill(slot->pid, SIGABRT);
    }
}

static void set_next(struct master *master)
{
    int64_t every = master->current->conf.hang_timeout_ms * NS_PER_MS / LOOKS;

    master->beat_due_ns = loop_now_ns(master->loop) + every;
    loop_timer_set(&master->beat, master->beat_due_ns);
}

static void on_due(struct loop_timer *timer)
{
    struct master *master = container_of(timer, struct master, beat);
    int64_t now = loop_now_ns(master->loop), every = master->current->conf.hang_timeout_ms * NS_PER_MS / LOOKS;
    bool on_time = now - master->beat_due_ns < every / 2;

    scoreboard_beat(master->board);
    for (size_t i = 0; i < SLOTS; i++)
        if (master->slots[i].pid)
            look(&master->slots[i], now, on_time);
    set_next(master);
}

void beat_start(struct master *master)
{
    loop_timer_init(&master->beat, master->loop, LOOP_EARLY, on_due);
    set_next(master);
}
