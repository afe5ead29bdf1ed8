/* SPDX-License-Identifier: MIT */
/* What processes tell of themselves: in sums that never go back, whoever owns the block. */
#include <config.h>

#include <criterion/criterion.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/log.h>
#include <syncer/share/vitals.h>

TestSuite(vitals, .timeout = 10);

static void work_ms(int64_t ms)
{
    int64_t end = process_cpu_ns() + ms * NS_PER_MS;

    while (process_cpu_ns() < end)
        continue;
}

Test(vitals, cpu_time_is_added_to_what_the_block_has)
{
    struct scoreboard *board = scoreboard_create(2, 1, NULL);
    struct vitals first = {0}, second = {0};
    uint64_t before, own = (uint64_t)(process_cpu_ns() / NS_PER_US);

    cr_assert(board);
    scoreboard_take(board, getpid(), 1);
    vitals_report(&first, board);
    before = scoreboard_sum(board, METRIC_CPU);
    cr_expect_geq(before, own);
    work_ms(3);
    vitals_report(&first, board);
    cr_expect_geq(scoreboard_sum(board, METRIC_CPU), before + 3000);
    before = scoreboard_sum(board, METRIC_CPU);
    scoreboard_bury(board, 0);
    cr_expect_eq(scoreboard_sum(board, METRIC_RESIDENT_BYTES), 0);
    cr_expect_eq(scoreboard_sum(board, METRIC_CPU), before);
    /* The next owner: its own time comes on top. */
    scoreboard_take(board, getpid(), 2);
    vitals_report(&second, board);
    cr_expect_geq(scoreboard_sum(board, METRIC_CPU), before + own + 3000);
    vitals_end(&second, board);
    scoreboard_free(board);
}

/* Of a log whose reader has stalled. */
Test(vitals, lines_that_were_dropped_are_counted_once)
{
    struct scoreboard *board = scoreboard_create(2, 1, NULL);
    struct vitals vitals = {0};
    int ends[2], old = dup(STDERR_FILENO);
    uint64_t dropped;

    cr_assert(board && pipe(ends) == 0 && old >= 0);
    dup2(ends[1], STDERR_FILENO);
    log_open("worker");
    for (int i = 0; i < 5000; i++) {
        log_info("filling", LOG_INT("line", i), LOG_STR("pad", "0123456789012345678901234567890123456789"));
        log_flush();
    }
    dup2(old, STDERR_FILENO);
    dropped = log_dropped();
    scoreboard_take(board, getpid(), 1);
    vitals_report(&vitals, board);
    vitals_report(&vitals, board);
    cr_expect_gt(dropped, 0);
    cr_expect_eq(scoreboard_sum(board, METRIC_LOG_DROPPED), dropped);
    vitals_end(&vitals, board);
    scoreboard_free(board);
}

Test(vitals, gauges_are_set)
{
    struct scoreboard *board = scoreboard_create(2, 1, NULL);
    struct vitals vitals = {0};

    cr_assert(board);
    scoreboard_take(board, getpid(), 1);
    vitals_report(&vitals, board);
    cr_expect_gt(scoreboard_sum(board, METRIC_RESIDENT_BYTES), 100000);
    cr_expect_geq(scoreboard_sum(board, METRIC_OPEN_FDS), 3);
    cr_expect_eq(scoreboard_sum(board, METRIC_MAX_FDS), process_max_fds());
    vitals_end(&vitals, board);
    scoreboard_free(board);
}
