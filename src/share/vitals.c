/* SPDX-License-Identifier: MIT */
/* Numbers of the kernel and the log, put into cells. Counters get what has been added since the report
 * before. */
#include <config.h>

#include <syncer/base/clock.h>
#include <syncer/base/log.h>
#include <syncer/share/vitals.h>

void vitals_report(struct vitals *vitals, struct scoreboard *board)
{
    int64_t cpu_us = process_cpu_ns() / NS_PER_US;
    uint64_t dropped = log_dropped(), fds;

    scoreboard_add(board, METRIC_CPU, (uint64_t)(cpu_us - vitals->cpu_us));
    scoreboard_add(board, METRIC_LOG_DROPPED, dropped - vitals->log_dropped);
    vitals->cpu_us = cpu_us;
    vitals->log_dropped = dropped;
    scoreboard_set(board, METRIC_RESIDENT_BYTES, process_resident_bytes());
    scoreboard_set(board, METRIC_MAX_FDS, process_max_fds());
    if (process_count_fds(&vitals->fds, &fds))
        scoreboard_set(board, METRIC_OPEN_FDS, fds);
}

void vitals_end(struct vitals *vitals, struct scoreboard *board)
{
    vitals_report(vitals, board);
    process_count_end(&vitals->fds);
}
