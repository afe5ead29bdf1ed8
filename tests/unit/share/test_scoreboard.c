/* SPDX-License-Identifier: MIT */
/* The scoreboard: counting, blocks that change hands, and blocks that hold nonsense. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <syncer/base/clock.h>

#include "src/share/scoreboard_layout.h"

#include "child.h"

#define BLOCKS 4

static struct scoreboard *master, *workers[BLOCKS]; /* workers[0] is not used: block 0 is the master's */

static void open_boards(void)
{
    struct err err = {""};

    master = scoreboard_create(BLOCKS, 100, &err);
    cr_assert(master, "%s", err.text);
    for (uint32_t i = 1; i < BLOCKS; i++) {
        workers[i] = scoreboard_attach(scoreboard_worker_fd(master), i, &err);
        cr_assert(workers[i], "%s", err.text);
        scoreboard_take(workers[i], (pid_t)(100 + i), 1);
    }
}

static void close_boards(void)
{
    for (uint32_t i = 1; i < BLOCKS; i++)
        scoreboard_free(workers[i]);
    scoreboard_free(master);
}

TestSuite(scoreboard, .init = open_boards, .fini = close_boards, .timeout = 10);

Test(scoreboard, has_no_name_and_all_its_space)
{
    struct stat st;

    cr_assert_eq(fstat(scoreboard_worker_fd(master), &st), 0);
    cr_expect_eq(st.st_nlink, 0);
    cr_expect_eq(st.st_mode & 07777, 0600);
    cr_expect_geq(st.st_blocks * 512, st.st_size);
    cr_expect(fcntl(scoreboard_worker_fd(master), F_GETFD) & FD_CLOEXEC);
    cr_expect_eq(scoreboard_blocks(master), BLOCKS);
}

Test(scoreboard, every_cell_has_one_line)
{
    unsigned cells[SCOREBOARD_METRICS] = {0}, histograms[SCOREBOARD_HISTOGRAMS] = {0};

    for (size_t i = 0; i < SCOREBOARD_LINES; i++) {
        const struct scoreboard_line *line = &scoreboard_lines[i];

        (line->kind == SCOREBOARD_HISTOGRAM ? histograms : cells)[line->id]++;
        cr_expect(strncmp(line->family, "syncer_", 7) == 0 && line->help[0] && line->labels);
    }
    for (size_t i = 0; i < SCOREBOARD_METRICS; i++)
        cr_expect_eq(cells[i], 1);
    for (size_t i = 0; i < SCOREBOARD_HISTOGRAMS; i++)
        cr_expect_eq(histograms[i], 1);
}

Test(scoreboard, sums_are_over_all_blocks_whoever_reads)
{
    scoreboard_add(master, METRIC_HTTP_2XX, 1);
    for (uint32_t i = 1; i < BLOCKS; i++)
        scoreboard_add(workers[i], METRIC_HTTP_2XX, 10 * i);
    cr_expect_eq(scoreboard_sum(master, METRIC_HTTP_2XX), 61);
    cr_expect_eq(scoreboard_sum(workers[2], METRIC_HTTP_2XX), 61);
    cr_expect_eq(scoreboard_sum(master, METRIC_HTTP_4XX), 0);
}

Test(scoreboard, an_owner_shows_as_it_says)
{
    struct scoreboard_owner owner;

    scoreboard_owner(master, 2, &owner);
    cr_expect(owner.pid == 102 && owner.state == SCOREBOARD_STARTING && owner.generation == 1);
    scoreboard_set_state(workers[2], SCOREBOARD_READY);
    for (int i = 0; i < 3; i++)
        scoreboard_beat(workers[2]);
    scoreboard_owner(master, 2, &owner);
    cr_expect(owner.state == SCOREBOARD_READY && owner.beats == 3);
    cr_expect_str_eq(scoreboard_state_name(owner.state), "ready");
    scoreboard_bury(master, 2);
    scoreboard_owner(master, 2, &owner);
    cr_expect(owner.pid == 0 && owner.state == SCOREBOARD_EMPTY);
}

Test(scoreboard, gauges_end_with_their_owner_and_counters_do_not)
{
    scoreboard_set(workers[1], METRIC_CONNECTIONS_OPEN, 7);
    scoreboard_set(workers[3], METRIC_CONNECTIONS_OPEN, 5);
    scoreboard_add(workers[1], METRIC_CONNECTIONS_ACCEPTED, 9);
    cr_expect_eq(scoreboard_sum(master, METRIC_CONNECTIONS_OPEN), 12);
    scoreboard_bury(master, 1);
    cr_expect_eq(scoreboard_sum(master, METRIC_CONNECTIONS_OPEN), 5);
    cr_expect_eq(scoreboard_sum(master, METRIC_CONNECTIONS_ACCEPTED), 9);
    scoreboard_take(workers[1], 500, 2);
    scoreboard_add(workers[1], METRIC_CONNECTIONS_ACCEPTED, 1);
    cr_expect_eq(scoreboard_sum(master, METRIC_CONNECTIONS_ACCEPTED), 10);
}

Test(scoreboard, durations_fall_into_their_bucket)
{
    struct scoreboard_distribution d;

    scoreboard_observe(workers[1], HISTOGRAM_CHECK_SECONDS, -5);
    scoreboard_observe(workers[1], HISTOGRAM_CHECK_SECONDS, 500 * NS_PER_US);
    scoreboard_observe(workers[2], HISTOGRAM_CHECK_SECONDS, 501 * NS_PER_US);
    scoreboard_observe(workers[2], HISTOGRAM_CHECK_SECONDS, 5 * NS_PER_S);
    scoreboard_observe(workers[3], HISTOGRAM_CHECK_SECONDS, 6 * NS_PER_S);
    scoreboard_observe(workers[3], HISTOGRAM_CHECK_SECONDS, INT64_MAX);
    scoreboard_distribution(master, HISTOGRAM_CHECK_SECONDS, &d);
    cr_expect(d.buckets[0] == 2 && d.buckets[1] == 1 && d.buckets[SCOREBOARD_BUCKETS - 2] == 1);
    cr_expect(d.buckets[SCOREBOARD_BUCKETS - 1] == 2 && d.count == 6);
}

/* ---- results of pods ---- */

Test(scoreboard, the_newest_result_of_a_pod_wins)
{
    struct scoreboard_pod seen;

    scoreboard_note_result(workers[1], 42, SCOREBOARD_PRESENT, 200, 1000);
    scoreboard_note_lag(workers[1], 42, 17);
    scoreboard_note_guard(workers[1], 42, SCOREBOARD_UNPROTECTED, 900);
    scoreboard_note_result(workers[2], 42, SCOREBOARD_STATUS, 503, 2000);
    scoreboard_note_result(workers[3], 42, SCOREBOARD_ABSENT, 401, 1500);
    scoreboard_pod(workers[3], 42, &seen);
    cr_expect(seen.result == SCOREBOARD_STATUS && seen.code == 503 && seen.at_ns == 2000);
    cr_expect(seen.lag_ms == 17 && seen.guard == SCOREBOARD_UNPROTECTED && seen.guard_at_ns == 900);
    cr_expect_str_eq(scoreboard_result_name(seen.result), "status");
    scoreboard_note_guard(workers[2], 42, SCOREBOARD_PROTECTED, 3000);
    scoreboard_pod(master, 42, &seen);
    cr_expect(seen.guard == SCOREBOARD_PROTECTED && seen.result == SCOREBOARD_STATUS);
}

Test(scoreboard, a_pod_never_shows_another_ones_result)
{
    uint64_t other = 42 + SCOREBOARD_PLACES_MIN; /* the same place */
    struct scoreboard_pod seen;

    scoreboard_note_result(workers[1], 42, SCOREBOARD_PRESENT, 200, 1000);
    scoreboard_pod(master, other, &seen);
    cr_expect(seen.at_ns == 0 && seen.result == SCOREBOARD_NO_RESULT && seen.code == 0);
    scoreboard_note_guard(workers[1], other, SCOREBOARD_PROTECTED, 1100);
    scoreboard_pod(master, 42, &seen);
    cr_expect_eq(seen.at_ns, 0);
    scoreboard_pod(master, other, &seen);
    cr_expect(seen.result == SCOREBOARD_NO_RESULT && seen.guard == SCOREBOARD_PROTECTED);
    scoreboard_pod(master, 0, &seen);
    cr_expect_eq(seen.at_ns, 0);
}

/* ---- who may write where ---- */

static int write_own(void *arg)
{
    (void)arg;
    scoreboard_beat(workers[2]);
    return 0;
}

static int write_others(void *arg)
{
    *(volatile char *)scoreboard_block(workers[2], (uint32_t)(uintptr_t)arg) = 1;
    return 0;
}

static int write_header(void *arg)
{
    (void)arg;
    *(volatile char *)workers[2]->object.map = 1;
    return 0;
}

Test(scoreboard, a_worker_writes_its_own_block_only)
{
    void *before = (void *)(uintptr_t)1, *after = (void *)(uintptr_t)3;

    cr_expect_eq(in_child(write_own, NULL), 0);
    cr_expect_eq(in_child(write_others, before), -SIGSEGV);
    cr_expect_eq(in_child(write_others, after), -SIGSEGV);
    cr_expect_eq(in_child(write_header, NULL), -SIGSEGV);
}

static void expect_refused(const struct scoreboard_header *header, size_t size, const char *reason)
{
    struct err err = {""};
    int fd = memfd_create("s", MFD_CLOEXEC);

    cr_assert(fd >= 0 && pwrite(fd, header, sizeof(*header), 0) > 0 && ftruncate(fd, (off_t)size) == 0);
    cr_expect_null(scoreboard_attach(fd, 1, &err));
    cr_expect(strstr(err.text, reason), "%s", err.text);
    close(fd);
}

Test(scoreboard, attach_refuses_what_is_no_scoreboard)
{
    struct scoreboard_header good = master->shape, bad = good;
    struct err err = {""};

    cr_expect_null(scoreboard_attach(scoreboard_worker_fd(master), BLOCKS, &err));
    cr_expect(strstr(err.text, "block 4 of 4"), "%s", err.text);
    expect_refused(&good, 8, "at least");
    expect_refused(&good, good.bytes - 1, "should be");
    expect_refused(&good, good.bytes + 4096, "should be");
    bad.magic++;
    expect_refused(&bad, good.bytes, "no scoreboard");
    bad = good;
    bad.fixed_bytes += 8; /* another table of metrics */
    expect_refused(&bad, good.bytes, "layout");
    bad = good;
    bad.places--;
    expect_refused(&bad, good.bytes, "places");
    bad = good;
    bad.blocks = UINT32_MAX;
    expect_refused(&bad, good.bytes, "blocks");
    bad = good;
    bad.stride *= 2;
    expect_refused(&bad, good.bytes, "should be");
    cr_expect_null(scoreboard_attach(-1, 1, &err));
}

Test(scoreboard, sizes_have_bounds)
{
    struct err err = {""};

    cr_expect_null(scoreboard_create(0, 1, &err));
    cr_expect_null(scoreboard_create(SCOREBOARD_BLOCKS_LIMIT + 1, 1, &err));
    cr_expect(strstr(err.text, "should be 1 to 256"), "%s", err.text);
    scoreboard_free(NULL);
}

/* ---- blocks that nobody may trust ---- */

static void fill(struct scoreboard *board, int byte)
{
    memset(board->own, byte, board->shape.stride);
}

Test(scoreboard, nonsense_is_clamped)
{
    struct scoreboard_distribution d;
    struct scoreboard_owner owner;
    struct scoreboard_pod seen;

    fill(workers[2], 0xff);
    for (unsigned i = 0; i < SCOREBOARD_METRICS; i++)
        cr_expect_eq(scoreboard_sum(master, i), SCOREBOARD_CLAMP);
    scoreboard_owner(master, 2, &owner);
    cr_expect(owner.pid == 0 && owner.state == SCOREBOARD_EMPTY && owner.generation == SCOREBOARD_CLAMP);
    scoreboard_pod(master, UINT64_MAX, &seen);
    cr_expect(seen.result == SCOREBOARD_NO_RESULT && seen.guard == SCOREBOARD_GUARD_UNKNOWN &&
              seen.at_ns == 0);
    /* In every block: nothing comes round. */
    fill(workers[1], 0xff);
    fill(workers[3], 0xff);
    fill(master, 0xff);
    scoreboard_distribution(master, HISTOGRAM_PROBE_SECONDS, &d);
    cr_expect_eq(d.count, SCOREBOARD_BUCKETS * SCOREBOARD_CLAMP);
    cr_expect_eq(d.sum_us, SCOREBOARD_CLAMP);
    cr_expect_eq(scoreboard_sum(master, METRIC_HTTP_2XX), SCOREBOARD_CLAMP);
}

Test(scoreboard, any_bytes_give_legal_values)
{
    struct scoreboard_owner owner;
    struct scoreboard_pod seen;

    for (int byte = 0; byte < 256; byte++) {
        uint64_t id;

        fill(workers[1], byte);
        memset(&id, byte, sizeof(id));
        scoreboard_owner(master, 1, &owner);
        cr_expect(owner.pid >= 0 && owner.state < SCOREBOARD_STATES);
        /* The pod whose place it would be finds no illegal number there. */
        workers[1]->own->places[id & (SCOREBOARD_PLACES_MIN - 1)].pod_id = id;
        scoreboard_pod(master, id, &seen);
        cr_expect(seen.result < SCOREBOARD_RESULTS && seen.guard < SCOREBOARD_GUARDS && seen.at_ns >= 0);
    }
}

/* ---- owners that die ---- */

static int count_until_killed(void *arg)
{
    int started = *(int *)arg;

    scoreboard_take(workers[1], getpid(), 1);
    if (write(started, "x", 1) < 0)
        return 1;
    for (uint64_t i = 1;; i++) {
        scoreboard_add(workers[1], METRIC_HTTP_2XX, 1);
        scoreboard_observe(workers[1], HISTOGRAM_PROBE_SECONDS, (int64_t)i);
        scoreboard_note_result(workers[1], i, SCOREBOARD_PRESENT, 200, (int64_t)i);
    }
}

static void count_and_kill(void)
{
    int ends[2];
    char byte;
    pid_t pid;

    cr_assert_eq(pipe(ends), 0);
    pid = fork();
    if (pid == 0)
        _exit(count_until_killed(&ends[1]));
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
}

Test(scoreboard, sums_never_go_back_over_lives_and_deaths)
{
    uint64_t before = 0, count_before = 0;

    for (int i = 0; i < 30; i++) {
        struct scoreboard_distribution d;
        uint64_t sum;

        count_and_kill();
        sum = scoreboard_sum(master, METRIC_HTTP_2XX);
        scoreboard_distribution(master, HISTOGRAM_PROBE_SECONDS, &d);
        cr_expect(sum >= before && d.count >= count_before);
        scoreboard_bury(master, 1);
        cr_expect_eq(scoreboard_sum(master, METRIC_HTTP_2XX), sum);
        before = sum;
        count_before = d.count;
    }
}
