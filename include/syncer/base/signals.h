/* SPDX-License-Identifier: MIT */
/*
 * Signals as events: blocked in the process and read from a signalfd in the loop. No handler of ours runs code.
 * SIGPIPE is ignored. The mask is inherited over fork and exec: a child calls signals_reset() or installs its own.
 */
#ifndef SYNCER_BASE_SIGNALS_H
#define SYNCER_BASE_SIGNALS_H

#include <signal.h>
#include <stddef.h>

#include <syncer/base/err.h>
#include <syncer/base/loop.h>

struct signals {
    struct loop_io io;
    void (*on_signal)(struct signals *signals, int signo);
};

/* Blocks `signos` and delivers each by `on_signal`, once a turn for several of one kind. 0 or -1 with the reason. */
int signals_init(struct signals *signals, struct loop *loop, const int *signos, size_t n,
                 void (*on_signal)(struct signals *signals, int signo), struct err *err);
void signals_release(struct signals *signals);

/* Unblocks everything and restores default actions (SIGPIPE too). Async-signal-safe: for use between fork and exec. */
void signals_reset(void);

#endif
