/* SPDX-License-Identifier: MIT */
/*
 * A worker's life: take what is inherited, connect to the pods, accept, serve, and leave in good order. Everything in
 * here happens once in a life or when the master says something; requests pass through http, api and probe alone.
 */
#include <config.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include <curl/curl.h>

#include <syncer/base/clock.h>
#include <syncer/base/fd.h>
#include <syncer/base/log.h>
#include <syncer/base/macros.h>
#include <syncer/base/process.h>
#include <syncer/base/signals.h>
#include <syncer/net/memory.h>
#include <syncer/share/control.h>
#include <syncer/worker/worker.h>

#include "worker_private.h"

#define WARM_MAX_NS (2 * NS_PER_S) /* then a worker accepts, whoever has not answered */
#define WARM_LOOK_NS (10 * NS_PER_MS)
#define IDLE_GRACE_NS NS_PER_S /* SIGTERM: for a request that is already on its way on an idle connection */
#define BEAT_MAX_NS NS_PER_S

/* ---- a master that is gone, for a worker whose loop does not turn ---- */

static volatile sig_atomic_t orphan_seconds;

/* The loop ends the worker by itself when the control socket ends. This is for the loop that does not come to it. */
static void on_master_death(int signo)
{
    (void)signo;
    alarm((unsigned)orphan_seconds);
}

static void watch_master(const struct conf *conf)
{
    struct sigaction action = {.sa_handler = on_master_death, .sa_flags = SA_RESTART};

    orphan_seconds = (sig_atomic_t)((conf->shutdown_grace_ms + conf->request_deadline_ms) / 1000 + 5);
    sigaction(SIGUSR2, &action, NULL);
    prctl(PR_SET_PDEATHSIG, SIGUSR2);
}

/* ---- leaving ---- */

static void on_empty(void *arg)
{
    struct worker *worker = arg;

    loop_stop(worker->loop);
}

static void on_idle_due(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, idle);

    http_server_close_idle(worker->server);
}

static void on_end_due(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, end);

    log_warn("requests were still under way at the end of the grace",
             LOG_INT("requests", http_server_busy(worker->server)));
    loop_stop(worker->loop);
}

static void set_no_later(struct loop_timer *timer, int64_t due_ns)
{
    if (!timer->set || timer->due_ns > due_ns)
        loop_timer_set(timer, due_ns);
}

/* Nothing more is accepted; idle connections are closed after `idle_ns`, everything ends a little after the grace. A worker
 * that retires may be told to stop: then the earlier times hold. */
static void leave(struct worker *worker, int64_t idle_ns, int64_t end_ns)
{
    int64_t now = loop_now_ns(worker->loop);

    set_no_later(&worker->idle, now + idle_ns);
    set_no_later(&worker->end, now + end_ns);
    if (worker->leaving)
        return;
    worker->leaving = true;
    loop_timer_cancel(&worker->warm);
    scoreboard_set_state(worker->board, SCOREBOARD_RETIRING);
    http_server_stop_accepting(worker->server);
    /* Once the last process has closed it, a client is refused at once and does not queue where nobody accepts. */
    for (size_t i = 0; i < worker->heritage.n_listeners; i++)
        fd_close(&worker->heritage.listeners[i].fd);
    http_server_say_close(worker->server);
    http_server_on_empty(worker->server, on_empty, worker);
}

/* SIGHUP, or the master is gone: clients lose nothing, so idle connections are kept open as long as the grace allows. */
static void retire(struct worker *worker)
{
    int64_t grace = worker->conf.shutdown_grace_ms * NS_PER_MS;

    leave(worker, grace, grace + worker->conf.request_deadline_ms * NS_PER_MS);
}

static void drain(struct worker *worker)
{
    worker->api.draining = true;
    http_server_say_close(worker->server);
}

static void stop(struct worker *worker)
{
    int64_t grace = worker->conf.shutdown_grace_ms * NS_PER_MS;

    drain(worker);
    worker->api.refusing = true;
    leave(worker, grace < IDLE_GRACE_NS ? grace : IDLE_GRACE_NS, grace);
}

/* ---- what the master says ---- */

static void obey(struct worker *worker, const struct control_message *message)
{
    switch (message->kind) {
    case CONTROL_TABLE:
        checker_table_changed(worker->checker);
        break;
    case CONTROL_UNKNOWN:
        checker_origin_unknown(worker->checker, message->name);
        break;
    case CONTROL_RETIRE:
        retire(worker);
        break;
    case CONTROL_DRAIN:
        drain(worker);
        break;
    case CONTROL_STOP:
        stop(worker);
        break;
    default:
        break;
    }
}

static void on_control(struct loop_io *io, uint32_t events)
{
    struct worker *worker = container_of(io, struct worker, control);
    struct control_message message;
    enum control_received got;

    (void)events;
    while ((got = control_receive(worker->heritage.control_fd, &message)) == CONTROL_GOT)
        obey(worker, &message);
    if (got == CONTROL_GONE) {
        log_warn("the master is gone: finishing what is served");
        loop_io_delete(&worker->control);
        retire(worker);
    }
}

static void on_signal(struct signals *signals, int signo)
{
    (void)signo;
    retire(container_of(signals, struct worker, signals));
}

static void on_beat_due(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, beat);
    int64_t every = worker->conf.hang_timeout_ms * NS_PER_MS / 4;

    scoreboard_beat(worker->board);
    vitals_report(&worker->vitals, worker->board);
    loop_timer_set(timer, loop_now_ns(worker->loop) + (every < BEAT_MAX_NS ? every : BEAT_MAX_NS));
}

/* ---- becoming ready ---- */

static int begin_to_accept(struct worker *worker, struct err *err)
{
    for (size_t i = 0; i < worker->heritage.n_listeners; i++) {
        const struct heritage_listener *listener = &worker->heritage.listeners[i];
        struct http_door *door = listener->admin ? &worker->admin_door : &worker->door;

        if (http_server_listen(worker->server, listener->fd, door, err) < 0)
            return err_context(err, "listen: %s", listener->address);
    }
    scoreboard_set_state(worker->board, SCOREBOARD_READY);
    if (worker->guard)
        guard_begin(worker->guard);
    control_send(worker->heritage.control_fd, CONTROL_READY, NULL);
    return 0;
}

/* A worker accepts once it has read the table and has a connection to every pod that answers, or after 2 s. */
static void on_warm_due(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, warm);
    int64_t now = loop_now_ns(worker->loop);
    struct err err;

    if (!worker->heritage.accept_at_once && now < worker->started_ns + WARM_MAX_NS &&
        (pool_generation(worker->pool) == 0 || !pool_is_warm(worker->pool))) {
        loop_timer_set(timer, now + WARM_LOOK_NS);
        return;
    }
    if (begin_to_accept(worker, &err) < 0) {
        log_error("cannot accept", LOG_STR("reason", err.text));
        worker->exit_code = EX_OSERR;
        loop_stop(worker->loop);
    }
}

/* ---- birth and death ---- */

/* Only so that there is a turn, at whose end the log is written. */
static void on_log_due(struct loop_timer *timer)
{
    (void)timer;
}

static void turn_end(void *arg)
{
    struct worker *worker = arg;
    int64_t again = log_flush_lazily(loop_now_ns(worker->loop)), held = loop_held_ns(worker->loop);

    if (held > 0)
        scoreboard_observe(worker->board, HISTOGRAM_WORKER_TURN, held);
    if (again != 0 && !worker->log.set)
        loop_timer_set(&worker->log, again);
}

static int read_heritage(struct worker *worker, int fd, struct err *err)
{
    if (heritage_read(&worker->heritage, fd, err) < 0)
        return -1;
    if (conf_init(&worker->conf, err) < 0 ||
        conf_read_text(&worker->conf, "heritage", worker->heritage.config, worker->heritage.config_len, err) < 0)
        return err_context(err, "configuration");
    worker->board = scoreboard_attach(worker->heritage.scoreboard_fd, worker->heritage.block, err);
    worker->table = worker->board ? podtable_attach(worker->heritage.table_fd, err) : NULL;
    fd_close(&worker->heritage.scoreboard_fd); /* both stay mapped */
    fd_close(&worker->heritage.table_fd);
    return worker->table ? 0 : -1;
}

static int start_loop(struct worker *worker, struct err *err)
{
    static const int signos[] = {SIGTERM};

    worker->loop = loop_new(err);
    if (!worker->loop)
        return -1;
    loop_set_turn_hook(worker->loop, turn_end, worker);
    worker->started_ns = loop_now_ns(worker->loop);
    loop_timer_init(&worker->log, worker->loop, LOOP_LATE, on_log_due);
    loop_timer_init(&worker->beat, worker->loop, LOOP_EARLY, on_beat_due);
    loop_timer_init(&worker->warm, worker->loop, LOOP_EARLY, on_warm_due);
    loop_timer_init(&worker->idle, worker->loop, LOOP_EARLY, on_idle_due);
    loop_timer_init(&worker->end, worker->loop, LOOP_LATE, on_end_due);
    if (signals_init(&worker->signals, worker->loop, signos, ARRAY_LEN(signos), on_signal, err) < 0)
        return -1;
    signal(SIGINT, SIG_IGN); /* a terminal sends it to the whole group: what to do then is for the master to say */
    signal(SIGHUP, SIG_IGN);
    if (loop_io_add(worker->loop, &worker->control, worker->heritage.control_fd, EPOLLIN, on_control) < 0)
        return err_set(err, "control socket: cannot be watched");
    return 0;
}

static int start(struct worker *worker, int heritage_fd, struct err *err)
{
    int rc = read_heritage(worker, heritage_fd, err);

    close(heritage_fd);
    if (rc < 0)
        return -1;
    log_configure((enum log_level)worker->conf.log_level, (enum log_format)worker->conf.log_format);
    process_set_name("syncer");
    if (!worker->conf.core_dumps)
        process_hide();
    watch_master(&worker->conf);
    fd_raise_limit();
    if (memory_watch(err) < 0 || start_loop(worker, err) < 0 || worker_make_parts(worker, err) < 0)
        return -1;
    scoreboard_take(worker->board, getpid(), worker->heritage.generation);
    loop_timer_set(&worker->beat, worker->started_ns);
    loop_timer_set(&worker->warm, worker->started_ns);
    checker_table_changed(worker->checker);
    return 0;
}

static void end(struct worker *worker)
{
    worker_free_parts(worker);
    if (worker->loop) {
        loop_timer_cancel(&worker->log);
        loop_timer_cancel(&worker->beat);
        loop_timer_cancel(&worker->warm);
        loop_timer_cancel(&worker->idle);
        loop_timer_cancel(&worker->end);
        loop_io_delete(&worker->control);
        signals_release(&worker->signals);
    }
    loop_free(worker->loop);
    podtable_detach(worker->table);
    if (worker->board)
        vitals_end(&worker->vitals, worker->board);
    scoreboard_free(worker->board);
    conf_free(&worker->conf);
    heritage_release(&worker->heritage);
    curl_global_cleanup();
    log_close(200);
}

int worker_run(int heritage_fd)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    struct err err = {.text = "out of memory"};
    int code;

    log_open("worker");
    if (!worker) {
        log_error("cannot start", LOG_STR("reason", err.text));
        log_close(200);
        return EX_OSERR;
    }
    if (start(worker, heritage_fd, &err) < 0 || loop_run(worker->loop, &err) < 0) {
        log_error("worker ends", LOG_STR("reason", err.text));
        worker->exit_code = EX_OSERR;
    }
    code = worker->exit_code;
    end(worker);
    free(worker);
    return code;
}
