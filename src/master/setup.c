/* SPDX-License-Identifier: MIT */
/* A configuration with all that it needs to go into force: nothing of it can fail any more when that happens. */
#include <config.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <syncer/base/fd.h>
#include <syncer/net/listen.h>

#include "master_private.h"

#define WORKERS_MIN 2
#define WORKERS_MAX 4

/* Of an instance's memory, measured (PSS, TLS, after some checks): the master, a worker, a connection to a
 * pod. */
#define BASE_KB 3072u
#define WORKER_KB 3072u
#define LINK_KB 50u
#define LINK_FDS 2u /* a kept connection, and another one under load */
#define SPARE_FDS 64u

#define IN_USE_WAIT_NS (2 * NS_PER_S)
#define IN_USE_PAUSE_NS (20 * NS_PER_MS)
#define USER_AGENT "syncer/" PACKAGE_VERSION " (linux)"

/* ---- how many workers ---- */

/* CPUs that the cgroup's quota allows, rounded up; 0 = no quota. cgroup v2: "QUOTA PERIOD" or "max PERIOD" in
 * us (https://docs.kernel.org/admin-guide/cgroup-v2.html). */
static unsigned quota_cpus(void)
{
    struct buf text;
    unsigned long quota = 0, period = 0;

    buf_init(&text, 256);
    if (fd_read_file("/sys/fs/cgroup/cpu.max", &text, NULL) == 0)
        /* The kernel wrote it. NOLINTNEXTLINE(cert-err34-c) */
        (void)sscanf(buf_str(&text), "%lu %lu", &quota, &period);
    buf_release(&text);
    return period > 0 ? (unsigned)((quota + period - 1) / period) : 0;
}

static uint32_t auto_workers(void)
{
    cpu_set_t set;
    unsigned cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : WORKERS_MIN;
    unsigned quota = quota_cpus();

    if (quota > 0 && quota < cpus)
        cpus = quota;
    return cpus < WORKERS_MIN ? WORKERS_MIN : cpus > WORKERS_MAX ? WORKERS_MAX : cpus;
}

/* ---- sockets ---- */

static struct setup_listener *find(struct setup *setup, const char *address)
{
    for (size_t i = 0; setup && i < setup->n_listeners; i++)
        if (strcmp(setup->listeners[i].address, address) == 0)
            return &setup->listeners[i];
    return NULL;
}

/* At a start, workers of a master that has just died may still hold the address: they let go of it in an instant, unless the
 * machine is busy. A reload must not wait. */
static int open_new(const struct setup *setup, const char *address, bool *in_use, struct err *err)
{
    int64_t end = clock_now_ns() + IN_USE_WAIT_NS;
    struct timespec pause = {.tv_nsec = IN_USE_PAUSE_NS};
    int fd = listen_open(address, in_use, err);

    if (fd >= 0 || !*in_use || setup->master->current)
        return fd;
    log_warn("address in use: trying again", LOG_STR("address", address), LOG_INT("ms", IN_USE_WAIT_NS / NS_PER_MS));
    log_flush();
    while (fd < 0 && *in_use && clock_now_ns() < end) {
        nanosleep(&pause, NULL);
        fd = listen_open(address, in_use, err);
    }
    return fd;
}

/* A socket that the setup in force has is taken over, so that no connection in its queue is lost. */
static int open_listener(struct setup *setup, struct setup *current, const char *address, int *exit_code,
                         struct err *err)
{
    struct setup_listener *mine = &setup->listeners[setup->n_listeners], *old = find(current, address);
    bool in_use = false;

    if (strlen(address) >= sizeof(mine->address))
        return err_set(err, "an address should have at most %zu bytes", sizeof(mine->address) - 1);
    if (find(setup, address))
        return err_set(err, "%s is there twice", address);
    memcpy(mine->address, address, strlen(address) + 1);
    mine->borrowed = old != NULL;
    mine->fd = old ? old->fd : open_new(setup, address, &in_use, err);
    if (mine->fd < 0) {
        *exit_code = in_use ? EX_UNAVAILABLE : EX_OSERR;
        return -1;
    }
    setup->n_listeners++;
    return 0;
}

static int open_listeners(struct setup *setup, struct setup *current, int *exit_code, struct err *err)
{
    const struct conf *conf = &setup->conf;

    _Static_assert(2 * CONF_LIST_MAX <= HERITAGE_LISTENERS_MAX, "room for both lists");
    *exit_code = EX_CONFIG;
    for (size_t i = 0; i < conf->listen.n; i++)
        if (open_listener(setup, current, conf->listen.items[i], exit_code, err) < 0)
            return err_context(err, "listen");
    for (size_t i = 0; i < conf->admin_listen.n; i++) {
        if (open_listener(setup, current, conf->admin_listen.items[i], exit_code, err) < 0)
            return err_context(err, "admin_listen");
        setup->listeners[setup->n_listeners - 1].admin = true;
    }
    return 0;
}

static int begin_source(struct setup *setup, int *exit_code, struct err *err)
{
    struct source_settings settings = {
        .conf = &setup->conf,
        .user_agent = USER_AGENT,
        .loop = setup->master->loop,
        .events = &scrape_events,
        .arg = setup,
    };

    *exit_code = EX_CONFIG;
    setup->source = source_new(&settings, err);
    if (!setup->source)
        return -1;
    if (source_warning(setup->source)[0])
        log_warn("the source of pods", LOG_STR("note", source_warning(setup->source)));
    /* The same settings may lead elsewhere: a kubeconfig can have another context by now. */
    if (setup->master->current &&
        strcmp(source_describe(setup->source), source_describe(setup->master->current->source)) != 0)
        setup->other_pods = true;
    return 0;
}

struct setup *setup_new(struct master *master, struct conf *conf, int *exit_code, struct err *err)
{
    struct setup *setup = calloc(1, sizeof(*setup));

    *exit_code = EX_OSERR;
    if (!setup) {
        conf_free(conf);
        err_set(err, "out of memory");
        return NULL;
    }
    setup->master = master;
    setup->conf = *conf;
    *conf = (struct conf){0};
    setup->generation = ++master->generations;
    setup->other_pods = master->current && !conf_same_pods(&master->current->conf, &setup->conf);
    setup->workers = setup->conf.workers ? (uint32_t)setup->conf.workers : auto_workers();
    buf_init(&setup->text, HERITAGE_CONFIG_MAX);
    conf_print(&setup->conf, &setup->text);
    if (setup->text.failed)
        err_set(err, "out of memory");
    if (setup->text.failed || open_listeners(setup, master->current, exit_code, err) < 0 ||
        begin_source(setup, exit_code, err) < 0) {
        setup_free(setup);
        return NULL;
    }
    return setup;
}

void setup_close_listeners(struct setup *setup)
{
    for (size_t i = 0; i < setup->n_listeners; i++)
        if (!setup->listeners[i].borrowed)
            listen_close(setup->listeners[i].address, &setup->listeners[i].fd);
}

void setup_free(struct setup *setup)
{
    if (!setup)
        return;
    source_free(setup->source);
    free(setup->list);
    setup_close_listeners(setup);
    buf_release(&setup->text);
    conf_free(&setup->conf);
    free(setup);
}

void setup_tell_size(struct setup *setup)
{
    const struct master *master = setup->master;
    uint64_t pods = 0, kept, most, needed, limit = fd_limit();

    if (setup->sized || master->read_ns == 0)
        return;
    setup->sized = true;
    for (size_t i = 0; i < master->n_pods; i++)
        pods += master->pods[i].pod.counts;
    kept = setup->workers * pods;
    most = kept * (uint64_t)setup->conf.host_keepalives;
    log_info("connections to pods: one each is kept, more are opened under load", LOG_INT("workers", setup->workers),
             LOG_INT("pods", pods), LOG_INT("kept", kept), LOG_INT("most", most),
             LOG_INT("memory_mb", (BASE_KB + setup->workers * WORKER_KB + kept * LINK_KB) >> 10),
             LOG_INT("memory_mb_most", (BASE_KB + setup->workers * WORKER_KB + most * LINK_KB) >> 10));
    needed = (uint64_t)setup->conf.max_connections + pods * LINK_FDS + SPARE_FDS;
    if (limit < needed)
        log_warn(
            "too few descriptors for max_connections and the pods: raise the hard limit (ulimit -Hn, LimitNOFILE) or "
            "lower max_connections",
            LOG_INT("limit", limit), LOG_INT("needed", needed), LOG_INT("max_connections", setup->conf.max_connections),
            LOG_INT("pods", pods));
}

void setup_commit(struct setup *old, struct setup *next)
{
    for (size_t i = 0; i < next->n_listeners; i++) {
        struct setup_listener *before = find(old, next->listeners[i].address);

        if (before && next->listeners[i].borrowed)
            before->borrowed = true;
        next->listeners[i].borrowed = false;
    }
    setup_close_listeners(old);
}
