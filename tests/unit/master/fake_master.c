/* SPDX-License-Identifier: MIT */
#include <config.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_master.h"

struct fake_master fake;

/* ---- the source, in place of the pods layer ---- */

struct source *source_new(const struct source_settings *settings, struct err *err)
{
    (void)settings;
    err_set(err, "no source in this test");
    return NULL;
}

void source_free(struct source *source)
{
    (void)source;
}

void source_refresh(struct source *source)
{
    (void)source;
    fake.refreshes++;
}

const char *source_describe(const struct source *source)
{
    (void)source;
    return "fake";
}

const char *source_warning(const struct source *source)
{
    (void)source;
    return "";
}

/* ---- the master ---- */

void fake_setup_init(struct setup *setup)
{
    *setup = (struct setup){.master = &fake.master, .generation = ++fake.master.generations, .workers = 1};
    setup->conf.scrape_interval_ms = 10000;
}

void fake_start(void)
{
    struct master *master = &fake.master;
    struct err err = {""};
    int fds[2];

    fake = (struct fake_master){.child_fd = -1};
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    master->loop = loop_new(&err);
    master->table = podtable_create(64, &err);
    master->board = scoreboard_create(SLOTS + 1, 64, &err);
    cr_assert(master->loop && master->table && master->board, "%s", err.text);
    fake.reader = podtable_attach(podtable_worker_fd(master->table), &err);
    cr_assert(fake.reader && control_pair(fds, &err) == 0, "%s", err.text);
    slots_init(master);
    refresh_init(master);
    reload_init(master);
    master->slots[0].control_fd = fds[0];
    master->slots[0].pid = getpid(); /* never signalled here */
    master->slots[0].state = SLOT_READY;
    fake.child_fd = fds[1];
    fake_setup_init(&fake.setup);
    master->current = &fake.setup;
}

void fake_stop(void)
{
    struct master *master = &fake.master;

    loop_timer_cancel(&master->refresh);
    loop_task_cancel(master->loop, &master->reload_task);
    loop_free(master->loop);
    podlist_release(master);
    podtable_detach(fake.reader);
    podtable_free(master->table);
    scoreboard_free(master->board);
    close(master->slots[0].control_fd);
    close(fake.child_fd);
}

struct source_pod fake_pod(const char *name, const char *uid, const char *address)
{
    struct source_pod pod = {.port = 8443, .state = SOURCE_READY, .counts = true};

    snprintf(pod.name, sizeof(pod.name), "%s", name);
    snprintf(pod.uid, sizeof(pod.uid), "%s", uid);
    cr_assert_eq(addr_parse(&pod.addr, address, strlen(address)), 0);
    return pod;
}

void fake_wait(const unsigned *counter, unsigned target)
{
    struct err err;

    while (*counter < target)
        cr_assert_eq(loop_turn(fake.master.loop, -1, &err), 0, "%s", err.text);
}

unsigned fake_messages(enum control_kind kind, const char *name)
{
    struct control_message message;
    unsigned n = 0;

    while (control_receive(fake.child_fd, &message) == CONTROL_GOT)
        n += message.kind == kind && (!name || strcmp(message.name, name) == 0);
    return n;
}

const struct podtable_pod *fake_find(const char *name)
{
    const struct podtable_snapshot *snapshot;

    cr_assert_eq(podtable_reader_snapshot(fake.reader, &snapshot), PODTABLE_READ_DONE);
    return podtable_find_name(snapshot, name, strlen(name));
}

size_t fake_n_pods(void)
{
    const struct podtable_snapshot *snapshot;

    cr_assert_eq(podtable_reader_snapshot(fake.reader, &snapshot), PODTABLE_READ_DONE);
    return snapshot->n;
}

struct podtable_scrapes fake_scrapes(void)
{
    return podtable_scrapes(fake.reader);
}
