/* SPDX-License-Identifier: MIT */
/*
 * Children that hang. Each moves a number in its block of the scoreboard; here it is looked at ten times in
 * hang_timeout, once a second at least. Only looks that came on time count: if this process was stopped or
 * starved itself (a laptop's lid, a machine without CPU), its children were too, and that is no hang of
 * theirs.
 */
#include <config.h>

#include <signal.h>

#include <syncer/base/macros.h>

#include "master_private.h"

#define LOOKS 10
#define LOOK_MAX_NS NS_PER_S
#define KILL_AFTER_NS (2 * NS_PER_S)

/* `passed_ns`: since the look before, 0 if this one is late. */
static void look(struct slot *slot, int64_t now, int64_t passed_ns)
{
    struct master *master = slot->master;
    struct scoreboard_owner owner;

    scoreboard_owner(master->board, (uint32_t)(slot - master->slots) + 1, &owner);
    if (owner.beats != slot->beats) {
        slot->beats = owner.beats;
        slot->silent_ns = 0;
    } else {
        slot->silent_ns += passed_ns;
    }
    if (slot->abort_ns != 0 && now - slot->abort_ns >= KILL_AFTER_NS) {
        kill(slot->pid, SIGKILL);
    } else if (slot->silent_ns > slot->hang_ns && slot->abort_ns == 0) {
        log_error("worker hangs: it is ended", LOG_INT("worker", slot->pid),
                  LOG_INT("hang_timeout_ms", slot->hang_ns / NS_PER_MS));
        scoreboard_add(master->board, METRIC_WORKERS_HUNG, 1);
        slot->abort_ns = now;
        kill(slot->pid, SIGABRT);
    }
}

static void set_next(struct master *master)
{
    int64_t every = master->current->conf.hang_timeout_ms * NS_PER_MS / LOOKS;

    master->beat_every_ns = every < LOOK_MAX_NS ? every : LOOK_MAX_NS;
    master->beat_due_ns = loop_now_ns(master->loop) + master->beat_every_ns;
    loop_timer_set(&master->beat, master->beat_due_ns);
}

static void on_due(struct loop_timer *timer)
{
    struct master *master = container_of(timer, struct master, beat);
    int64_t now = loop_now_ns(master->loop), every = master->beat_every_ns;
    bool on_time = now - master->beat_due_ns < every / 2;

    scoreboard_beat(master->board);
    vitals_report(&master->vitals, master->board);
    for (size_t i = 0; i < SLOTS; i++)
        if (master->slots[i].pid) {
            slots_remind(&master->slots[i]);
            look(&master->slots[i], now, on_time ? every : 0);
        }
    set_next(master);
}

void beat_start(struct master *master)
{
    loop_timer_init(&master->beat, master->loop, LOOP_EARLY, on_due);
    set_next(master);
}
