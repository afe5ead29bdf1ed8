/* SPDX-License-Identifier: MIT */
/*
 * The master: configuration, listening sockets, shared memory, the pod source, workers, signals. It serves nobody and
 * knows a worker only as a class of children: a name, and the arguments by which its own binary becomes one.
 */
#ifndef SYNCER_MASTER_MASTER_H
#define SYNCER_MASTER_MASTER_H

#include <syncer/base/err.h>
#include <syncer/conf/conf.h>

struct child_class {
    const char *name;     /* for the log: "worker" */
    const char *argument; /* argv[1] of the child; argv[2] is the number of the heritage's descriptor */
};

/* Reads the configuration anew, complete and checked, notes logged: at start and at each SIGHUP. 0, or -1 with the reason;
 * then `conf` is what could be read until there: to be asked for its files, and freed. */
struct master_settings {
    struct child_class child;
    int (*load)(void *arg, struct conf *conf, struct err *err);
    void *arg;
};

/* Runs to the end; takes over `conf`, which load() made. The exit code of the process (sysexits.h): 0 after SIGTERM, 69
 * address in use, 71 system, 78 what the configuration names cannot be used (a CA, credentials). */
int master_run(const struct master_settings *settings, struct conf *conf);

#endif
