/* SPDX-License-Identifier: MIT */
/*
 * What a process tells of itself in its block of the scoreboard: CPU time, memory, descriptors, dropped lines
 * of the log. Master and worker, each on its beat; what a worker that crashes has used since its last one is
 * not counted.
 */
#ifndef SYNCER_SHARE_VITALS_H
#define SYNCER_SHARE_VITALS_H

#include <stdint.h>

#include <syncer/base/process.h>
#include <syncer/share/scoreboard.h>

/* All zero at first: the block goes on counting where its last owner stopped, and this is what was added by
 * this one. */
struct vitals {
    int64_t cpu_us;
    uint64_t log_dropped;
    struct process_fd_count fds;
};

/* Some 20 us. */
void vitals_report(struct vitals *vitals, struct scoreboard *board);

/* At the end of the process: reports a last time. */
void vitals_end(struct vitals *vitals, struct scoreboard *board);

#endif
