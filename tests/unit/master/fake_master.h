/* SPDX-License-Identifier: MIT */
/*
 * A master without processes: a real loop, table and scoreboard, one child that is only the other end of a
 * control socket, and a source that does nothing but count what it is asked for.
 */
#ifndef TESTS_UNIT_MASTER_FAKE_MASTER_H
#define TESTS_UNIT_MASTER_FAKE_MASTER_H

#include "../../../src/master/master_private.h"

struct fake_master {
    struct master master;
    struct setup setup;
    struct podtable_reader *reader;
    int child_fd;       /* the child's end */
    unsigned refreshes; /* that the source was asked for */
};

/* The one of the running test; the source finds it here. */
extern struct fake_master fake;

void fake_start(void);
void fake_stop(void);

/* One more setup, not in force. */
void fake_setup_init(struct setup *setup);

/* A pod that counts. */
struct source_pod fake_pod(const char *name, const char *uid, const char *address);

/* Turns of the loop until `*counter` is at least `target`. */
void fake_wait(const unsigned *counter, unsigned target);

/* What came to the child since the last call: how many messages of that kind, for that name (NULL = any). */
unsigned fake_messages(enum control_kind kind, const char *name);

/* The pod of that name in the published table, or NULL. Borrowed until the next call. */
const struct podtable_pod *fake_find(const char *name);
size_t fake_n_pods(void);
struct podtable_scrapes fake_scrapes(void);

#endif
