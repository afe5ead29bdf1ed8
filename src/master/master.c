/* SPDX-License-Identifier: MIT */
/* The master's life: make everything, start the children, wait for signals, end in good order. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <curl/curl.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>
#include <syncer/net/memory.h>

#include "master_private.h"

#define KILL_AFTER_NS NS_PER_S /* past the grace */

/* ---- ending ---- */

static void end_if_empty(struct master *master)
{
    if (master->phase != MASTER_RUNNING && slots_alive(master) == 0)
        loop_stop(master->loop);
}

static void on_phase_due(struct loop_timer *timer)
{
    struct master *master = container_of(timer, struct master, phase_timer);

    if (master->phase == MASTER_DRAINING) {
        master->phase = MASTER_STOPPING;
        setup_close_listeners(master->current); /* first: see setup_commit() */
        slots_send(master, 0, CONTROL_STOP);
        loop_timer_set(timer,
                       loop_now_ns(master->loop) + master->current->conf.shutdown_grace_ms * NS_PER_MS + KILL_AFTER_NS);
    } else {
        slots_kill(master, 0, SIGKILL);
    }
}

static void drain(struct master *master, int signo)
{
    if (master->phase != MASTER_RUNNING && master->drain_ns == loop_now_ns(master->loop))
        return; /* it was pending together with the first: nobody has seen that one and lost patience */
    if (master->phase != MASTER_RUNNING) {
        log_warn("second signal: ending at once", LOG_STR("signal", sigabbrev_np(signo)));
        slots_kill(master, 0, SIGKILL);
        return;
    }
    log_info("draining", LOG_STR("signal", sigabbrev_np(signo)),
             LOG_INT("drain_delay_ms", master->current->conf.drain_delay_ms),
             LOG_INT("shutdown_grace_ms", master->current->conf.shutdown_grace_ms));
    master->phase = MASTER_DRAINING;
    master->drain_ns = loop_now_ns(master->loop);
    reload_cancel(master);
    for (size_t i = 0; i < SLOTS; i++)
        loop_timer_cancel(&master->slots[i].retry);
    slots_send(master, 0, CONTROL_DRAIN);
    loop_timer_set(&master->phase_timer, loop_now_ns(master->loop) + master->current->conf.drain_delay_ms * NS_PER_MS);
}

static void on_signal(struct signals *signals, int signo)
{
    struct master *master = container_of(signals, struct master, signals);

    switch (signo) {
    case SIGCHLD:
        slots_reap(master);
        break;
    case SIGHUP:
        reload_begin(master);
        break;
    default:
        drain(master, signo);
        break;
    }
    end_if_empty(master);
}

/* ---- birth and death ---- */

static void turn_end(void *arg)
{
    const struct master *master = arg;
    int64_t held = loop_held_ns(master->loop);

    supervisor_look(arg);
    log_flush();
    if (held > 0)
        scoreboard_observe(master->board, HISTOGRAM_MASTER_TURN, held);
}

static int make_shared(struct master *master, const struct conf *conf, struct err *err)
{
    signal(SIGXFSZ, SIG_IGN); /* an error that says so, not a signal */
    master->max_pods = conf->max_pods;
    master->table = podtable_create((uint32_t)conf->max_pods, err);
    if (master->table)
        master->board = scoreboard_create(SLOTS + 1, (uint32_t)conf->max_pods, err);
    if (!master->board)
        return -1;
    scoreboard_take(master->board, getpid(), 1);
    scoreboard_set_state(master->board, SCOREBOARD_READY);
    scoreboard_set(master->board, METRIC_STARTED, (uint64_t)clock_wall_ms());
    scoreboard_set(master->board, METRIC_RELOAD_OK, 1);
    scoreboard_set(master->board, METRIC_RELOADED, (uint64_t)clock_wall_ms());
    vitals_report(&master->vitals, master->board);
    return 0;
}

static int start(struct master *master, struct conf *conf, int *exit_code, struct err *err)
{
    static const int signos[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT};

    *exit_code = EX_OSERR;
    master->exe_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (master->exe_fd < 0) {
        err_set_errno(err, errno, "/proc/self/exe");
        return -1;
    }
    master->child_env = spawn_env();
    master->loop = loop_new(err);
    if (!master->loop || !master->child_env || make_shared(master, conf, err) < 0)
        return -1;
    loop_set_turn_hook(master->loop, turn_end, master);
    loop_timer_init(&master->phase_timer, master->loop, LOOP_EARLY, on_phase_due);
    slots_init(master);
    reload_init(master);
    refresh_init(master);
    if (signals_init(&master->signals, master->loop, signos, ARRAY_LEN(signos), on_signal, err) < 0)
        return -1;
    if (watch_init(master, err) < 0)
        return -1;
    master->current = setup_new(master, conf, exit_code, err);
    if (!master->current)
        return -1;
    watch_follow(master, &master->current->conf);
    return user_become(&master->current->conf, exit_code, err);
}

static void announce(const struct master *master)
{
    const struct setup *setup = master->current;

    log_info("syncer starts", LOG_STR("version", PACKAGE_VERSION), LOG_STR("source", source_describe(setup->source)),
             LOG_INT("workers", setup->workers), LOG_INT("max_connections", setup->conf.max_connections),
             LOG_INT("patience_ms", conf_patience_ms(&setup->conf)));
    for (size_t i = 0; i < setup->n_listeners; i++)
        log_info(setup->listeners[i].admin ? "listening for administrators" : "listening",
                 LOG_STR("address", setup->listeners[i].address));
}

static void end(struct master *master)
{
    setup_free(master->next);
    setup_free(master->current);
    for (size_t i = 0; master->loop && i < SLOTS; i++) {
        if (master->slots[i].master)
            loop_timer_cancel(&master->slots[i].retry);
        if (master->slots[i].pid)
            slots_forget(&master->slots[i]);
    }
    if (master->loop) {
        loop_timer_cancel(&master->phase_timer);
        loop_timer_cancel(&master->reload_timer);
        loop_task_cancel(master->loop, &master->reload_task);
        loop_timer_cancel(&master->refresh);
        watch_release(master);
        loop_timer_cancel(&master->beat);
        supervisor_end(master);
        loop_timer_cancel(&master->health);
        signals_release(&master->signals);
    }
    loop_free(master->loop);
    podlist_release(master);
    podtable_free(master->table);
    process_count_end(&master->vitals.fds);
    scoreboard_free(master->board);
    free(master->child_env);
    fd_close(&master->exe_fd);
}

int master_run(const struct master_settings *settings, struct conf *conf)
{
    struct master *master = calloc(1, sizeof(*master));
    struct err err = {.text = "out of memory"};
    int code = EX_OSERR;

    log_open("master");
    log_configure((enum log_level)conf->log_level, (enum log_format)conf->log_format);
    fd_raise_limit();
    process_trim_heap();
    if (master) {
        master->settings = *settings;
        master->exe_fd = -1;
        master->supervisor.notify.fd = -1;
    }
    if (!master || memory_watch(&err) < 0 || start(master, conf, &code, &err) < 0) {
        log_error("cannot start", LOG_STR("reason", err.text));
    } else {
        code = EX_OK;
        announce(master);
        supervisor_start(master);
        beat_start(master);
        podhealth_start(master);
        slots_fill(master);
        if (loop_run(master->loop, &err) < 0) {
            log_error("master ends", LOG_STR("reason", err.text));
            slots_kill(master, 0, SIGKILL);
            code = EX_OSERR;
        }
        log_info("syncer has ended", LOG_INT("code", code));
    }
    conf_free(conf);
    if (master)
        end(master);
    free(master);
    curl_global_cleanup();
    log_close(500);
    return code;
}
