/* SPDX-License-Identifier: MIT */
/*
 * A worker: the process that serves. It has what heritage.h lists and nothing else of the master, runs one event loop and
 * leaves when it is told to, or when the master is gone and what it served is finished.
 */
#ifndef SYNCER_WORKER_WORKER_H
#define SYNCER_WORKER_WORKER_H

/* Runs to the end. `heritage_fd`: descriptor of the memfd. The exit code of the process (see sysexits.h): 0 after it was
 * told to leave. */
int worker_run(int heritage_fd);

#endif
