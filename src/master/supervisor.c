/* SPDX-License-Identifier: MIT */
/*
 * What the init system is told (sd_notify(3), systemd.service(5)): READY with the first worker that is ready,
 * RELOADING and READY around each reload whatever comes of it, STOPPING, a line of STATUS, and the watchdog's
 * sign of life. It looks at what is, at the end of each turn of the loop, so that no other file has to think
 * of it.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "master_private.h"

#define STATUS_EVERY_NS NS_PER_S

static void send_reloading(const struct supervisor *supervisor)
{
    char message[64];

    snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_now_ns() / 1000);
    notify_send(&supervisor->notify, message);
}

static void follow_phase(struct master *master)
{
    struct supervisor *supervisor = &master->supervisor;

    if (master->phase != MASTER_RUNNING) {
        if (!supervisor->stopping)
            notify_send(&supervisor->notify, "STOPPING=1");
        supervisor->stopping = true;
        return;
    }
    if (supervisor->reloads != master->reloads) {
        send_reloading(supervisor);
        supervisor->reloads = master->reloads;
        supervisor->ready = false;
    }
    if (!supervisor->ready && !master->next && master->ever_ready) {
        notify_send(&supervisor->notify, "READY=1");
        supervisor->ready = true;
    }
}

static void describe(const struct master *master, char *out, size_t size)
{
    static const char *const phases[] = {
        [MASTER_RUNNING] = "", [MASTER_DRAINING] = "draining; ", [MASTER_STOPPING] = "stopping; "};
    uint64_t generation = master->current->generation;
    const char *list = master->failures  ? "; the list of pods cannot be read"
                       : master->read_ns ? ""
                                         : "; no list of pods yet";

    snprintf(out, size, "STATUS=%s%s%zu of %" PRIu32 " workers ready, %zu pods%s", phases[master->phase],
             master->next ? "reloading; " : "", slots_count(master, generation, SLOT_READY), master->current->workers,
             master->n_pods, list);
}

static void follow_status(struct master *master)
{
    struct supervisor *supervisor = &master->supervisor;
    int64_t now = loop_now_ns(master->loop);
    char status[sizeof(supervisor->status)];

    if (now < supervisor->next_status_ns)
        return;
    describe(master, status, sizeof(status));
    if (strcmp(status, supervisor->status) == 0)
        return;
    memcpy(supervisor->status, status, sizeof(status));
    supervisor->next_status_ns = now + STATUS_EVERY_NS;
    notify_send(&supervisor->notify, status);
}

void supervisor_look(struct master *master)
{
    if (master->supervisor.notify.fd < 0 || !master->current)
        return;
    follow_phase(master);
    follow_status(master);
}

static void on_watchdog_due(struct loop_timer *timer)
{
    struct supervisor *supervisor = container_of(timer, struct supervisor, watchdog);

    notify_send(&supervisor->notify, "WATCHDOG=1");
    loop_timer_set(timer, clock_now_ns() + supervisor->notify.watchdog_ns / 3);
}

void supervisor_start(struct master *master)
{
    struct supervisor *supervisor = &master->supervisor;
    struct err err;

    if (notify_open(&supervisor->notify, &err) < 0)
        log_warn("the init system cannot be told anything", LOG_STR("reason", err.text));
    loop_timer_init(&supervisor->watchdog, master->loop, LOOP_EARLY, on_watchdog_due);
    if (supervisor->notify.fd >= 0 && supervisor->notify.watchdog_ns > 0)
        loop_timer_set(&supervisor->watchdog, clock_now_ns());
}

void supervisor_end(struct master *master)
{
    loop_timer_cancel(&master->supervisor.watchdog);
    notify_close(&master->supervisor.notify);
}
