/* SPDX-License-Identifier: MIT */
/*
 * The children. Start-up, respawn and reload are one thing: fill the slots that are empty. What happens to a
 * slot:
 *
 *              ready       dies                          told to retire    time is up
 *  EMPTY       -           -                             -                 -> STARTING (fill)
 *  STARTING    -> READY    -> BACKOFF 0.1 s, doubling    -> RETIRING       -
 *  READY       -           -> EMPTY, or BACKOFF if       -> RETIRING       -
 *                             it keeps happening (backoff.c)
 *  RETIRING    -           -> EMPTY                      -                 -
 *  BACKOFF     -           -                             -> EMPTY          -> STARTING
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>

#include "master_private.h"

/* Taken from one child in one turn: a child gone mad must not keep the master from everything else. */
#define MESSAGES_MAX 64

/* ---- counting ---- */

static bool is_of(const struct slot *slot, uint64_t generation)
{
    return generation == 0 || slot->generation == generation;
}

size_t slots_count(const struct master *master, uint64_t generation, enum slot_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < SLOTS; i++)
        n += master->slots[i].state == state && is_of(&master->slots[i], generation);
    return n;
}

size_t slots_alive(const struct master *master)
{
    size_t n = 0;

    for (size_t i = 0; i < SLOTS; i++)
        n += master->slots[i].pid != 0;
    return n;
}

/* ---- what children say ---- */

static void obey(struct slot *slot, const struct control_message *message)
{
    struct master *master = slot->master;

    if (message->kind == CONTROL_REFRESH) {
        refresh_ask(slot, message->name);
    } else if (message->kind == CONTROL_DOWN) {
        podhealth_heard(master, message->name, message->text);
    } else if (message->kind == CONTROL_READY && slot->state == SLOT_STARTING) {
        slot->state = SLOT_READY;
        master->ever_ready = true;
        master->none_told = false;
        log_info("worker is ready", LOG_INT("worker", slot->pid), LOG_INT("generation", slot->generation),
                 LOG_INT("ms", (loop_now_ns(master->loop) - slot->started_ns) / NS_PER_MS));
        reload_child_ready(master);
    }
}

static void on_control(struct loop_io *io, uint32_t events)
{
    struct slot *slot = container_of(io, struct slot, control);
    struct control_message message;
    enum control_received got = CONTROL_GOT;

    (void)events;
    for (int i = 0; i < MESSAGES_MAX && got == CONTROL_GOT; i++) {
        got = control_receive(slot->control_fd, &message);
        if (got == CONTROL_GOT)
            obey(slot, &message);
    }
    if (got == CONTROL_GONE) /* its end is told by SIGCHLD; there is only nobody left to talk to */
        loop_io_delete(&slot->control);
}

/* What was owed before does not matter any more: each order is stronger than those that come earlier in a life. */
static void tell(struct slot *slot, enum control_kind kind)
{
    slot->owed = control_send(slot->control_fd, kind, NULL) < 0 ? kind : 0;
}

void slots_send(struct master *master, uint64_t generation, enum control_kind kind)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &master->slots[i];

        if (!slot->pid || !is_of(slot, generation))
            continue;
        if (kind == CONTROL_TABLE)
            control_send(slot->control_fd, kind, NULL); /* one that waits already will do */
        else
            tell(slot, kind);
    }
}

void slots_remind(struct slot *slot)
{
    if (slot->owed)
        tell(slot, slot->owed);
}

void slots_kill(struct master *master, uint64_t generation, int signo)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (master->slots[i].pid && is_of(&master->slots[i], generation))
            kill(master->slots[i].pid, signo);
}

void slots_retire(struct master *master, uint64_t generation)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &master->slots[i];

        if (!is_of(slot, generation))
            continue;
        if (slot->state == SLOT_BACKOFF) {
            loop_timer_cancel(&slot->retry);
            slot->state = SLOT_EMPTY;
        } else if (slot->pid) {
            tell(slot, CONTROL_RETIRE);
            slot->state = SLOT_RETIRING;
        }
    }
}

/* ---- filling ---- */

/* Once, until there is one again. */
static void tell_if_none_serves(struct master *master)
{
    if (master->none_told || slots_count(master, 0, SLOT_READY) + slots_count(master, 0, SLOT_STARTING) > 0)
        return;
    master->none_told = true;
    log_error("no worker is left: nothing is served until one can start");
}

static void back_off(struct slot *slot, bool was_ready, int64_t lived_ns)
{
    int64_t wait = backoff_next(&slot->backoff, was_ready, lived_ns);

    slot->state = SLOT_EMPTY;
    if (wait == 0)
        return;
    slot->state = SLOT_BACKOFF;
    loop_timer_set(&slot->retry, loop_now_ns(slot->master->loop) + wait);
    log_warn("worker starts again later", LOG_INT("ms", wait / NS_PER_MS));
    tell_if_none_serves(slot->master);
}

static void start(struct slot *slot, const struct setup *setup)
{
    struct master *master = slot->master;
    bool alone = slots_count(master, 0, SLOT_READY) == 0 && master->ever_ready;
    struct err err;

    if (slot->generation != setup->generation) /* what killed children of another need not kill those of this one */
        slot->backoff = (struct backoff){0};
    slot->generation = setup->generation;
    slot->owed = 0;
    slot->hang_ns = setup->conf.hang_timeout_ms * NS_PER_MS;
    slot->silent_ns = 0;
    slot->abort_ns = 0;
    slot->started_ns = loop_now_ns(master->loop);
    if (spawn(slot, setup, alone, &err) < 0) {
        log_error("worker cannot be started", LOG_STR("reason", err.text));
        back_off(slot, false, 0);
        return;
    }
    slot->state = SLOT_STARTING;
    if (loop_io_add(master->loop, &slot->control, slot->control_fd, EPOLLIN, on_control) < 0)
        kill(slot->pid, SIGKILL); /* a child that can't be heard would never become ready */
    scoreboard_add(master->board, METRIC_WORKERS_STARTED, 1);
}

static struct slot *find_empty(struct master *master)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (master->slots[i].state == SLOT_EMPTY && master->slots[i].pid == 0)
            return &master->slots[i];
    return NULL;
}

static void fill(struct master *master, const struct setup *setup)
{
    size_t have = slots_count(master, setup->generation, SLOT_STARTING) +
                  slots_count(master, setup->generation, SLOT_READY) +
                  slots_count(master, setup->generation, SLOT_BACKOFF);

    for (; have < setup->workers; have++) {
        struct slot *slot = find_empty(master);

        if (!slot)
            return; /* one will be, when a child that retires has left */
        start(slot, setup);
    }
}

void slots_fill(struct master *master)
{
    if (master->phase != MASTER_RUNNING)
        return;
    fill(master, master->current);
    if (master->next)
        fill(master, master->next);
}

static void on_retry_due(struct loop_timer *timer)
{
    struct slot *slot = container_of(timer, struct slot, retry);

    slot->state = SLOT_EMPTY;
    slots_fill(slot->master);
}

/* ---- ends ---- */

static void log_end(const struct slot *slot, int status)
{
    int64_t lived = (loop_now_ns(slot->master->loop) - slot->started_ns) / NS_PER_MS;

    if (WIFSIGNALED(status))
        log_error("worker was ended by a signal", LOG_INT("worker", slot->pid),
                  LOG_STR("signal", sigabbrev_np(WTERMSIG(status))), LOG_STR("core", WCOREDUMP(status) ? "yes" : "no"),
                  LOG_INT("lived_ms", lived));
    else if (WEXITSTATUS(status) != 0)
        log_error("worker has failed", LOG_INT("worker", slot->pid), LOG_INT("code", WEXITSTATUS(status)),
                  LOG_INT("lived_ms", lived));
    else
        log_info("worker has left", LOG_INT("worker", slot->pid), LOG_INT("lived_ms", lived));
}

void slots_forget(struct slot *slot)
{
    loop_io_delete(&slot->control);
    fd_close(&slot->control_fd);
    slot->pid = 0;
}

static void bury(struct slot *slot, int status)
{
    struct master *master = slot->master;
    enum slot_state state = slot->state;
    int64_t lived = loop_now_ns(master->loop) - slot->started_ns;

    log_end(slot, status);
    slots_forget(slot);
    scoreboard_bury(master->board, (uint32_t)(slot - master->slots) + 1);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        scoreboard_add(master->board, METRIC_WORKERS_CRASHED, 1);
    slot->state = SLOT_EMPTY;
    if (state == SLOT_STARTING && master->next && slot->generation == master->next->generation)
        reload_child_died(master);
    else if ((state == SLOT_STARTING || state == SLOT_READY) && master->phase == MASTER_RUNNING)
        back_off(slot, state == SLOT_READY, lived);
}

static struct slot *find_pid(struct master *master, pid_t pid)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (master->slots[i].pid == pid)
            return &master->slots[i];
    return NULL;
}

void slots_reap(struct master *master)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct slot *slot = find_pid(master, pid);

        if (slot)
            bury(slot, status); /* may start others, with the same pid even */
    }
    slots_fill(master);
}

void slots_init(struct master *master)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &master->slots[i];

        *slot = (struct slot){.master = master, .control_fd = -1, .control = {.fd = -1}};
        loop_timer_init(&slot->retry, master->loop, LOOP_EARLY, on_retry_due);
    }
}
