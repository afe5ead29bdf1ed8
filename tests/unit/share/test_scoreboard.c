/* SPDX-License-Identifier: MIT */
/* The scoreboard: counting, blocks that change hands, and blocks that hold nonsense. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
        cr_expect(strncmp(line->family, "syncer_", 7) == 0 || strncmp(line->family, "process_", 8) == 0);
        cr_expect(line->help[0] && line->labels);
    }
    for (size_t i = 0; i < SCOREBOARD_METRICS; i++)
        cr_expect_eq(cells[i], 1);
    for (size_t i = 0; i < SCOREBOARD_HISTOGRAMS; i++)
        cr_expect_eq(histograms[i], 1);
}

static bool is_in(const char *text, const char *family, const char *type, const char *labels, const char *help)
{
    char row[512];

    snprintf(row, sizeof(row), "\n| `%s%s%.*s%s` | %s | %s |\n", family, *labels ? "{" : "", (int)strcspn(labels, "="),
             labels, *labels ? "}" : "", type, help);
    return strstr(text, row) != NULL;
}

Test(scoreboard, the_readme_has_every_family)
{
    static const char *const types[] = {"counter", "counter", "gauge", "gauge", "histogram"};
    const char *folder = getenv("SYNCER_SRCDIR");
    static char text[1 << 20];
    char path[4096];
    FILE *file;

    if (!folder)
        cr_skip_test("SYNCER_SRCDIR is not set");
    snprintf(path, sizeof(path), "%s/README.md", folder);
    file = fopen(path, "re");
    cr_assert(file && fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    for (size_t i = 0; i < SCOREBOARD_LINES; i++) {
        const struct scoreboard_line *line = &scoreboard_lines[i];

        cr_expect(is_in(text, line->family, types[line->kind], line->labels, line->help), "README.md, Metrics: %s",
                  line->family);
    }
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
    cr_expect_eq(scoreboard_value(master, 1, METRIC_CONNECTIONS_OPEN), 7);
    cr_expect_eq(scoreboard_value(master, 3, METRIC_CONNECTIONS_OPEN), 5);
    scoreboard_bury(master, 1);
    cr_expect_eq(scoreboard_sum(master, METRIC_CONNECTIONS_OPEN), 5);
    cr_expect_eq(scoreboard_sum(master, METRIC_CONNECTIONS_ACCEPTED), 9);
    scoreboard_take(workers[1], 500, 2);
    scoreboard_add(workers[1], METRIC_CONNECTIONS_ACCEPTED, 1);
    cr_expect_eq(scoreboard_sum(master, METRIC_CONNECTIONS_ACCEPTED), 10);
}

Test(scoreboard, bounds_grow)
{
    for (size_t i = 0; i < SCOREBOARD_HISTOGRAMS; i++) {
        const struct scoreboard_bounds *bounds = &scoreboard_bounds[i];

        cr_expect(bounds->n > 0 && bounds->us[0] > 0);
        for (uint32_t k = 1; k < bounds->n; k++)
            cr_expect_gt(bounds->us[k], bounds->us[k - 1]);
    }
}

Test(scoreboard, durations_fall_into_their_bucket)
{
    const struct scoreboard_bounds *bounds = &scoreboard_bounds[HISTOGRAM_PROBE_SECONDS];
    struct scoreboard_distribution d;

    cr_assert_neq(bounds->n, scoreboard_bounds[HISTOGRAM_LAG_SECONDS].n);
    scoreboard_observe(workers[1], HISTOGRAM_PROBE_SECONDS, -5);
    scoreboard_observe(workers[1], HISTOGRAM_PROBE_SECONDS, bounds->us[0] * NS_PER_US);
    scoreboard_observe(workers[2], HISTOGRAM_PROBE_SECONDS, (bounds->us[0] + 1) * NS_PER_US);
    scoreboard_observe(workers[2], HISTOGRAM_PROBE_SECONDS, bounds->us[bounds->n - 1] * NS_PER_US);
    scoreboard_observe(workers[3], HISTOGRAM_PROBE_SECONDS, (bounds->us[bounds->n - 1] + 1) * NS_PER_US);
    scoreboard_observe(workers[3], HISTOGRAM_PROBE_SECONDS, INT64_MAX);
    scoreboard_distribution(master, HISTOGRAM_PROBE_SECONDS, &d);
    cr_expect(d.buckets[0] == 2 && d.buckets[1] == 1 && d.buckets[bounds->n - 1] == 1);
    cr_expect(d.buckets[bounds->n] == 2 && d.count == 6);
    scoreboard_distribution(master, HISTOGRAM_LAG_SECONDS, &d);
    cr_expect_eq(d.count, 0);
}

Test(scoreboard, an_instant_ends_with_its_owner)
{
    scoreboard_set(workers[1], METRIC_RELOADED, 1700000000123);
    cr_expect_eq(scoreboard_sum(master, METRIC_RELOADED), 1700000000123);
    scoreboard_bury(master, 1);
    cr_expect_eq(scoreboard_sum(master, METRIC_RELOADED), 0);
}

/* ---- notes ---- */

static const char *note_of(uint32_t block, enum scoreboard_note note)
{
    static char text[SCOREBOARD_NOTE_BYTES];

    scoreboard_get_note(workers[3], block, note, text);
    return text;
}

Test(scoreboard, a_note_stays_until_the_block_is_taken_anew)
{
    char longest[2 * SCOREBOARD_NOTE_BYTES];

    cr_expect_str_eq(note_of(0, SCOREBOARD_NOTE_LIST), "");
    scoreboard_set_note(master, SCOREBOARD_NOTE_LIST, "status 403");
    scoreboard_set_note(workers[1], SCOREBOARD_NOTE_WATCH, "another");
    cr_expect_str_eq(note_of(0, SCOREBOARD_NOTE_LIST), "status 403");
    cr_expect_str_eq(note_of(0, SCOREBOARD_NOTE_WATCH), "");
    cr_expect_str_eq(note_of(1, SCOREBOARD_NOTE_WATCH), "another");
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    scoreboard_set_note(master, SCOREBOARD_NOTE_LIST, longest);
    cr_expect_eq(strlen(note_of(0, SCOREBOARD_NOTE_LIST)), SCOREBOARD_NOTE_BYTES - 1);
    scoreboard_set_note(master, SCOREBOARD_NOTE_LIST, "short");
    cr_expect_str_eq(note_of(0, SCOREBOARD_NOTE_LIST), "short");
    scoreboard_bury(master, 1);
    cr_expect_str_eq(note_of(1, SCOREBOARD_NOTE_WATCH), "another");
    scoreboard_take(workers[1], 201, 2);
    cr_expect_str_eq(note_of(1, SCOREBOARD_NOTE_WATCH), "");
    scoreboard_set_note(master, SCOREBOARD_NOTE_LIST, "");
    cr_expect_str_eq(note_of(0, SCOREBOARD_NOTE_LIST), "");
}

Test(scoreboard, a_note_that_is_being_written_is_none)
{
    scoreboard_set_note(master, SCOREBOARD_NOTE_LIST, "status 403");
    master->own->notes[SCOREBOARD_NOTE_LIST].sequence++;
    cr_expect_str_eq(note_of(0, SCOREBOARD_NOTE_LIST), "");
    scoreboard_set_note(master, SCOREBOARD_NOTE_LIST, "whole again");
    cr_expect_str_eq(note_of(0, SCOREBOARD_NOTE_LIST), "whole again");
}

/* ---- results of pods ---- */

Test(scoreboard, the_certificate_that_was_seen_last_counts)
{
    struct scoreboard_pod seen;

    scoreboard_pod(master, 42, &seen);
    cr_expect_eq(seen.expires_s, 0);
    scoreboard_note_expiry(workers[1], 42, INT64_C(253402300799), 5 * NS_PER_S);
    scoreboard_note_expiry(workers[2], 42, 1900000000, 9 * NS_PER_S);
    scoreboard_note_expiry(workers[3], 42, 1800000000, 7 * NS_PER_S);
    scoreboard_pod(master, 42, &seen);
    cr_expect_eq(seen.expires_s, 1900000000);
    scoreboard_note_expiry(workers[1], 42, INT64_C(253402300799), 11 * NS_PER_S);
    scoreboard_pod(master, 42, &seen);
    cr_expect_eq(seen.expires_s, (int64_t)EXPIRY_MASK, "9999 shows as the last second that has room");
    cr_expect_eq(seen.result, SCOREBOARD_NO_RESULT);
    scoreboard_note_expiry(workers[1], 42 + SCOREBOARD_PLACES_MIN, 1700000000, 12 * NS_PER_S);
    scoreboard_pod(master, 42, &seen);
    cr_expect_eq(seen.expires_s, 1900000000, "of worker 2; the place at worker 1 is another pod's");
}

Test(scoreboard, the_newest_result_of_a_pod_wins)
{
    struct scoreboard_pod seen;

    scoreboard_note_result(workers[1], 42, SCOREBOARD_PRESENT, 200, 1000);
    scoreboard_note_lag(workers[1], 42, 17, 5 * NS_PER_MS);
    scoreboard_note_guard(workers[1], 42, SCOREBOARD_UNPROTECTED, 900);
    scoreboard_note_result(workers[2], 42, SCOREBOARD_STATUS, 503, 2000);
    scoreboard_note_result(workers[3], 42, SCOREBOARD_ABSENT, 401, 1500);
    scoreboard_pod(workers[3], 42, &seen);
    cr_expect(seen.result == SCOREBOARD_STATUS && seen.code == 503 && seen.at_ns == 2000);
    cr_expect(seen.lag_ms == 17 && seen.guard == SCOREBOARD_UNPROTECTED && seen.guard_at_ns == 900);
    cr_expect_eq(seen.guard_generation, 1);
    cr_expect_str_eq(scoreboard_result_name(seen.result), "status");
    scoreboard_take(workers[2], 102, 7);
    scoreboard_note_guard(workers[2], 42, SCOREBOARD_PROTECTED, 3000);
    scoreboard_pod(master, 42, &seen);
    cr_expect(seen.guard == SCOREBOARD_PROTECTED && seen.guard_generation == 7 && seen.result == SCOREBOARD_STATUS);
}

Test(scoreboard, a_late_pod_is_late_until_any_worker_finds_it_present)
{
    struct scoreboard_pod pod;

    scoreboard_note_result(workers[1], 7, SCOREBOARD_ABSENT, 401, 10);
    scoreboard_pod(master, 7, &pod);
    cr_expect_not(pod.late);
    scoreboard_note_late(workers[1], 7);
    scoreboard_note_result(workers[2], 7, SCOREBOARD_ABSENT, 401, 20);
    scoreboard_pod(master, 7, &pod);
    cr_expect(pod.late && pod.result == SCOREBOARD_ABSENT && pod.at_ns == 20);
    scoreboard_note_result(workers[1], 7, SCOREBOARD_STATUS, 503, 30);
    scoreboard_pod(master, 7, &pod);
    cr_expect(pod.late && pod.result == SCOREBOARD_STATUS && pod.code == 503);
    scoreboard_note_result(workers[2], 7, SCOREBOARD_PRESENT, 200, 40);
    scoreboard_pod(master, 7, &pod);
    cr_expect_not(pod.late);
    scoreboard_note_result(workers[1], 7, SCOREBOARD_PRESENT, 200, 50);
    scoreboard_note_result(workers[1], 7, SCOREBOARD_ABSENT, 401, 60);
    scoreboard_pod(master, 7, &pod);
    cr_expect_not(pod.late, "it was present since");
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

Test(scoreboard, the_newest_lag_wins_whatever_the_results_say)
{
    struct scoreboard_pod seen;

    scoreboard_note_lag(workers[1], 42, 900, 2000 * NS_PER_MS);
    scoreboard_note_lag(workers[2], 42, 17, 2001 * NS_PER_MS);
    scoreboard_note_result(workers[1], 42, SCOREBOARD_PRESENT, 200, 3000 * NS_PER_MS);
    scoreboard_pod(master, 42, &seen);
    cr_expect(seen.lag_ms == 17 && seen.lag_at_ns == 2001 * NS_PER_MS);
    scoreboard_note_lag(workers[3], 42, UINT32_MAX, 2002 * NS_PER_MS);
    scoreboard_pod(master, 42, &seen);
    cr_expect_eq(seen.lag_ms, LAG_MS_MAX);
}

Test(scoreboard, what_a_pod_has_proven_stays_with_its_result)
{
    struct scoreboard_pod seen;

    scoreboard_note_proven(workers[1], 42);
    scoreboard_note_result(workers[1], 42, SCOREBOARD_STATUS, 503, 1000);
    scoreboard_note_guard(workers[1], 42, SCOREBOARD_PROTECTED, 900);
    scoreboard_pod(master, 42, &seen);
    cr_expect(seen.proven_generation == 1 && seen.code == 503 && seen.guard == SCOREBOARD_PROTECTED);
}

/* ---- the longest lag ---- */

#define MINUTE (60 * NS_PER_S)

/* Whatever the clock's phase in its window: at least 5 minutes, at most 7.5. */
Test(scoreboard, the_longest_lag_is_kept_for_five_minutes)
{
    for (int64_t start = 10000 * NS_PER_S; start < 10150 * NS_PER_S; start += 7 * NS_PER_S) {
        uint64_t id = 1 + (uint64_t)(start / NS_PER_S) % 512;
        int64_t now = start;

        scoreboard_note_lag(workers[1], id, 801, start);
        for (; now <= start + 5 * MINUTE; now += NS_PER_S)
            cr_assert_eq(scoreboard_pod_lag_max_ms(master, id, now), 802);
        cr_assert_eq(scoreboard_pod_lag_max_ms(master, id, start + 450 * NS_PER_S + 1), 0);
    }
}

/* With new lags each second the same times hold, in whichever block the long one was. */
Test(scoreboard, a_long_lag_gives_way_to_shorter_ones)
{
    int64_t start = 777 * NS_PER_S, now = start;

    scoreboard_note_lag(workers[2], 42, 1500, start);
    for (; now < start + 460 * NS_PER_S; now += NS_PER_S) {
        uint32_t max;

        scoreboard_note_lag(workers[1 + (now / NS_PER_S) % 3], 42, 40, now);
        max = scoreboard_pod_lag_max_ms(master, 42, now);
        cr_assert(now > start + 5 * MINUTE ? max == 1500 || max == 40 : max == 1500, "%u after %jd s", max,
                  (intmax_t)((now - start) / NS_PER_S));
    }
    cr_expect_eq(scoreboard_pod_lag_max_ms(master, 42, now), 40);
    scoreboard_note_lag(workers[1], 42, 200000, now);
    cr_expect_eq(scoreboard_pod_lag_max_ms(master, 42, now), UINT16_MAX * LAG_UNIT_MS);
}

Test(scoreboard, the_longest_lag_survives_clocks_that_differ_and_numbers_that_come_round)
{
    int64_t edge = 1000 * LAG_WINDOW_NS, round = 65536 * LAG_WINDOW_NS;

    scoreboard_note_lag(workers[1], 42, 600, edge);
    cr_expect_eq(scoreboard_pod_lag_max_ms(master, 42, edge - 5 * NS_PER_MS), 600);
    cr_expect_eq(scoreboard_pod_lag_max_ms(master, 42, edge + round), 0);
    scoreboard_note_lag(workers[1], 42, 10, edge + round - LAG_WINDOW_NS);
    cr_expect_eq(scoreboard_pod_lag_max_ms(master, 42, edge + round), 10);
    cr_expect_eq(scoreboard_pod_lag_max_ms(master, 43, edge), 0);
    cr_expect_eq(scoreboard_pod_lag_max_ms(master, 0, edge), 0);
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
    cr_expect(seen.result == SCOREBOARD_NO_RESULT && seen.guard == SCOREBOARD_GUARD_UNKNOWN && seen.at_ns == 0);
    /* In every block: nothing comes round. */
    fill(workers[1], 0xff);
    fill(workers[3], 0xff);
    fill(master, 0xff);
    scoreboard_distribution(master, HISTOGRAM_PROBE_SECONDS, &d);
    cr_expect_eq(d.count, (scoreboard_bounds[HISTOGRAM_PROBE_SECONDS].n + 1) * SCOREBOARD_CLAMP);
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
        cr_expect(seen.expires_s >= 0);
        cr_expect_lt(strlen(note_of(1, SCOREBOARD_NOTE_LIST)), SCOREBOARD_NOTE_BYTES);
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
