/* SPDX-License-Identifier: MIT */
/* The schedule under a simulated clock: who is asked when, and when nobody is any more. */
#include <config.h>

#include <criterion/criterion.h>

#include <syncer/base/clock.h>
#include <syncer/probe/schedule.h>

#define MS NS_PER_MS
#define START (1000 * MS)

static const struct schedule_settings defaults = {
    .mode = SCHEDULE_PARALLEL, .sync_timeout_ns = 150 * MS, .patience_ns = 1450 * MS};

static void begin(struct schedule *schedule, uint32_t peers)
{
    schedule_init(schedule, &defaults, START);
    cr_assert_eq(schedule_reserve(schedule, peers), 0);
    for (uint32_t i = 0; i < peers; i++)
        cr_assert_eq(schedule_add(schedule, START), i);
}

Test(schedule, asks_all_at_once_in_order, .timeout = 5)
{
    struct schedule s;

    begin(&s, 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_expect_eq(schedule_next(&s, START), i);
    cr_expect_eq(schedule_next(&s, START), SCHEDULE_NONE);
    cr_expect_eq(schedule_wake_ns(&s), SCHEDULE_NEVER, "everybody is being asked");
    cr_expect_eq(s.unfinished, 3);
    schedule_release(&s);
}

Test(schedule, an_absent_peer_is_asked_again_after_its_answer, .timeout = 5)
{
    struct schedule s;
    int64_t answered = START + 7 * MS;

    begin(&s, 1);
    schedule_next(&s, START);
    cr_expect_not(schedule_answer(&s, 0, SCHEDULE_NOT_YET, answered));
    cr_expect_eq(schedule_wake_ns(&s), answered + 150 * MS);
    cr_expect_eq(schedule_next(&s, answered + 150 * MS - 1), SCHEDULE_NONE);
    cr_expect_eq(schedule_next(&s, answered + 150 * MS), 0);
    cr_expect(schedule_answer(&s, 0, SCHEDULE_EXPECTED, answered + 151 * MS));
    cr_expect_eq(s.unfinished, 0);
    schedule_release(&s);
}

/* The times at which a peer that never gets the token is asked, with answers that take `took`. */
static size_t run_absent(struct schedule *s, int64_t took, int64_t times[32])
{
    int64_t now = START;
    size_t n = 0;

    for (;;) {
        uint32_t peer = schedule_next(s, now);

        if (peer == SCHEDULE_NONE) {
            now = schedule_wake_ns(s);
            continue;
        }
        cr_assert_lt(n, 32);
        times[n++] = now - START;
        now += took;
        if (schedule_answer(s, peer, SCHEDULE_NOT_YET, now))
            return n;
    }
}

Test(schedule, the_last_question_is_at_the_end_of_patience, .timeout = 5)
{
    struct schedule s;
    int64_t times[32];
    size_t n;

    begin(&s, 1);
    n = run_absent(&s, 3 * MS, times);
    for (size_t i = 0; i + 1 < n; i++)
        cr_expect_eq(times[i], (int64_t)i * 153 * MS);
    cr_expect_eq(times[n - 1], 1450 * MS);
    cr_expect_eq(n, 11);
    schedule_release(&s);
}

Test(schedule, an_answer_behind_patience_is_the_last, .timeout = 5)
{
    struct schedule s;
    int64_t late = START + 1500 * MS;

    begin(&s, 1);
    schedule_next(&s, START);
    cr_expect(schedule_answer(&s, 0, SCHEDULE_NOT_YET, late), "no re-probe starts after the end of patience");
    schedule_release(&s);
}

Test(schedule, a_broken_probe_gets_one_more_attempt, .timeout = 5)
{
    struct schedule s;

    begin(&s, 1);
    schedule_next(&s, START);
    cr_expect_not(schedule_answer(&s, 0, SCHEDULE_BROKEN, START + MS));
    cr_expect_eq(schedule_wake_ns(&s), START + 151 * MS);
    cr_expect_eq(schedule_next(&s, START + 151 * MS), 0);
    cr_expect(schedule_answer(&s, 0, SCHEDULE_BROKEN, START + 152 * MS));
    schedule_release(&s);
}

Test(schedule, a_broken_probe_gets_none_if_patience_does_not_allow_it, .timeout = 5)
{
    struct schedule s;

    begin(&s, 1);
    schedule_next(&s, START);
    cr_expect(schedule_answer(&s, 0, SCHEDULE_BROKEN, START + 1301 * MS));
    schedule_release(&s);
}

Test(schedule, another_status_is_final, .timeout = 5)
{
    struct schedule s;

    begin(&s, 1);
    schedule_next(&s, START);
    cr_expect(schedule_answer(&s, 0, SCHEDULE_FINAL, START + MS));
    cr_expect_eq(s.unfinished, 0);
    schedule_release(&s);
}

Test(schedule, a_peer_that_joins_is_asked_before_those_that_wait, .timeout = 5)
{
    struct schedule s;
    int64_t now = START + 20 * MS;

    begin(&s, 2);
    schedule_next(&s, START);
    schedule_next(&s, START);
    schedule_answer(&s, 0, SCHEDULE_NOT_YET, START + 5 * MS);
    schedule_answer(&s, 1, SCHEDULE_NOT_YET, START + 6 * MS);
    cr_assert_eq(schedule_reserve(&s, 3), 0);
    cr_assert_eq(schedule_add(&s, now), 2);
    cr_expect_eq(schedule_wake_ns(&s), now);
    cr_expect_eq(schedule_next(&s, now), 2);
    cr_expect_eq(schedule_next(&s, now), SCHEDULE_NONE);
    cr_expect_eq(schedule_next(&s, START + 155 * MS), 0);
    cr_expect_eq(schedule_next(&s, START + 156 * MS), 1);
    schedule_release(&s);
}

Test(schedule, a_dropped_peer_is_passed_over, .timeout = 5)
{
    struct schedule s;

    begin(&s, 3);
    schedule_drop(&s, 1);
    schedule_drop(&s, 1);
    cr_expect_eq(s.unfinished, 2);
    cr_expect_eq(schedule_next(&s, START), 0);
    cr_expect_eq(schedule_next(&s, START), 2);
    cr_expect_eq(schedule_next(&s, START), SCHEDULE_NONE);
    schedule_release(&s);
}

Test(schedule, without_patience_each_is_asked_once, .timeout = 5)
{
    const struct schedule_settings none = {.mode = SCHEDULE_PARALLEL, .sync_timeout_ns = 150 * MS, .patience_ns = 0};
    struct schedule s;

    schedule_init(&s, &none, START);
    cr_assert_eq(schedule_reserve(&s, 1), 0);
    schedule_add(&s, START);
    schedule_next(&s, START);
    cr_expect(schedule_answer(&s, 0, SCHEDULE_NOT_YET, START + MS));
    schedule_release(&s);
}

/* ---- scout ---- */

/* Leaves the order as it was. */
static uint32_t draw_last(uint32_t below)
{
    return below - 1;
}

static const struct schedule_settings scouting = {
    .mode = SCHEDULE_SCOUT,
    .sync_timeout_ns = 150 * MS,
    .patience_ns = 1450 * MS,
    .scout_interval_ns = 20 * MS,
    .waves = 10,
    .draw = draw_last,
};

static void begin_with(struct schedule *s, const struct schedule_settings *settings, uint32_t peers)
{
    schedule_init(s, settings, START);
    cr_assert_eq(schedule_reserve(s, peers), 0);
    for (uint32_t i = 0; i < peers; i++)
        schedule_add(s, START);
}

/* Exactly these are asked at `now`, in this order. */
static void expect_asked(struct schedule *s, int64_t now, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i <= to; i++)
        cr_expect_eq(schedule_next(s, now), i, "peer %u at %ld ms", i, (long)((now - START) / MS));
    cr_expect_eq(schedule_next(s, now), SCHEDULE_NONE, "nobody else at %ld ms", (long)((now - START) / MS));
}

/* The first three are out. */
static void send_scouts(struct schedule *s, const struct schedule_settings *settings, uint32_t peers)
{
    begin_with(s, settings, peers);
    expect_asked(s, START, 0, 2);
}

static void answer_all(struct schedule *s, uint32_t from, uint32_t to, enum schedule_answer answer, int64_t now)
{
    for (uint32_t i = from; i <= to; i++)
        schedule_answer(s, i, answer, now);
}

Test(scout, three_first_and_the_rest_when_all_of_them_have_it, .timeout = 5)
{
    struct schedule s;

    send_scouts(&s, &scouting, 8);
    answer_all(&s, 0, 1, SCHEDULE_EXPECTED, START + MS);
    cr_expect_eq(schedule_next(&s, START + MS), SCHEDULE_NONE, "the three speak together");
    answer_all(&s, 2, 2, SCHEDULE_EXPECTED, START + 2 * MS);
    cr_expect_leq(schedule_wake_ns(&s), START + 2 * MS);
    expect_asked(&s, START + 2 * MS, 3, 7);
    answer_all(&s, 3, 7, SCHEDULE_EXPECTED, START + 3 * MS);
    cr_expect_eq(s.unfinished, 0);
    cr_expect_eq(schedule_wake_ns(&s), SCHEDULE_NEVER);
    schedule_release(&s);
}

Test(scout, one_every_interval_in_turn, .timeout = 5)
{
    struct schedule s;

    send_scouts(&s, &scouting, 5);
    answer_all(&s, 0, 2, SCHEDULE_NOT_YET, START + MS);
    for (uint32_t turn = 1; turn <= 10; turn++) {
        uint32_t peer = (turn + 2) % 5;
        int64_t now = START + turn * 20 * MS;

        cr_expect_eq(schedule_wake_ns(&s), now);
        cr_expect_eq(schedule_next(&s, now - 1), SCHEDULE_NONE);
        expect_asked(&s, now, peer, peer);
        schedule_answer(&s, peer, SCHEDULE_NOT_YET, now + MS);
    }
    schedule_release(&s);
}

Test(scout, one_that_turns_present_calls_all_others, .timeout = 5)
{
    struct schedule s;

    send_scouts(&s, &scouting, 6);
    answer_all(&s, 0, 2, SCHEDULE_NOT_YET, START + MS);
    expect_asked(&s, START + 20 * MS, 3, 3);
    schedule_answer(&s, 3, SCHEDULE_EXPECTED, START + 21 * MS);
    cr_expect_leq(schedule_wake_ns(&s), START + 21 * MS);
    cr_expect_eq(schedule_next(&s, START + 21 * MS), 4, "those that were never asked come first");
    cr_expect_eq(schedule_next(&s, START + 21 * MS), 5);
    expect_asked(&s, START + 21 * MS, 0, 2);
    schedule_release(&s);
}

Test(scout, the_wave_takes_those_that_have_been_asked_before, .timeout = 5)
{
    struct schedule s;

    send_scouts(&s, &scouting, 4);
    answer_all(&s, 0, 2, SCHEDULE_NOT_YET, START + MS);
    expect_asked(&s, START + 20 * MS, 3, 3);
    schedule_answer(&s, 3, SCHEDULE_EXPECTED, START + 21 * MS);
    expect_asked(&s, START + 21 * MS, 0, 2);
    schedule_release(&s);
}

Test(scout, a_silent_one_of_the_three_keeps_nobody_waiting_for_long, .timeout = 5)
{
    struct schedule s;

    send_scouts(&s, &scouting, 6);
    answer_all(&s, 0, 1, SCHEDULE_EXPECTED, START + MS);
    cr_expect_eq(schedule_next(&s, START + 19 * MS), SCHEDULE_NONE);
    cr_expect_eq(schedule_wake_ns(&s), START + 20 * MS);
    expect_asked(&s, START + 20 * MS, 3, 5);
    cr_expect_not(schedule_answer(&s, 2, SCHEDULE_BROKEN, START + 500 * MS));
    cr_expect_eq(schedule_wake_ns(&s), START + 650 * MS, "and has its second attempt");
    schedule_release(&s);
}

Test(scout, a_silent_one_that_leaves_is_not_waited_for, .timeout = 5)
{
    struct schedule s;

    send_scouts(&s, &scouting, 6);
    schedule_drop(&s, 2);
    answer_all(&s, 0, 1, SCHEDULE_EXPECTED, START + MS);
    expect_asked(&s, START + MS, 3, 5);
    schedule_release(&s);
}

Test(scout, the_distance_of_waves_doubles_up_to_sync_timeout, .timeout = 5)
{
    int64_t now = START + MS, distance = 20 * MS;
    struct schedule s;

    send_scouts(&s, &scouting, 30);
    answer_all(&s, 0, 2, SCHEDULE_EXPECTED, now);
    expect_asked(&s, now, 3, 29);
    for (uint32_t first = 3; first < 9; first++) {
        schedule_answer(&s, first, SCHEDULE_EXPECTED, now);
        answer_all(&s, first + 1, 29, SCHEDULE_NOT_YET, now);
        s.scout_due_ns = SCHEDULE_NEVER; /* waves alone */
        cr_expect_eq(schedule_wake_ns(&s), now + distance, "wave %u", first);
        now += distance;
        distance = distance * 2 < 150 * MS ? distance * 2 : 150 * MS;
        expect_asked(&s, now, first + 1, 29);
    }
    schedule_release(&s);
}

Test(scout, when_the_waves_are_spent_the_rest_goes_on_as_parallel, .timeout = 5)
{
    struct schedule_settings settings = scouting;
    struct schedule s;

    settings.waves = 1;
    send_scouts(&s, &settings, 5);
    answer_all(&s, 0, 2, SCHEDULE_EXPECTED, START + MS);
    expect_asked(&s, START + MS, 3, 4);
    answer_all(&s, 3, 4, SCHEDULE_NOT_YET, START + 2 * MS);
    cr_expect_eq(schedule_wake_ns(&s), START + 152 * MS);
    expect_asked(&s, START + 152 * MS, 3, 4);
    schedule_release(&s);
}

Test(scout, all_are_asked_a_last_time_at_the_end_of_patience, .timeout = 5)
{
    struct schedule_settings settings = scouting;
    struct schedule s;

    settings.scout_interval_ns = 5000 * MS;
    send_scouts(&s, &settings, 6);
    answer_all(&s, 0, 2, SCHEDULE_NOT_YET, START + MS);
    cr_expect_eq(schedule_wake_ns(&s), START + 1450 * MS);
    cr_expect_eq(schedule_next(&s, START + 1450 * MS - 1), SCHEDULE_NONE);
    for (int i = 0; i < 6; i++)
        cr_expect_neq(schedule_next(&s, START + 1450 * MS), SCHEDULE_NONE);
    cr_expect_eq(schedule_next(&s, START + 1450 * MS), SCHEDULE_NONE);
    for (uint32_t i = 0; i < 6; i++)
        cr_expect(schedule_answer(&s, i, SCHEDULE_NOT_YET, START + 1451 * MS));
    cr_expect_eq(s.unfinished, 0);
    schedule_release(&s);
}

Test(scout, without_patience_all_are_asked_once, .timeout = 5)
{
    struct schedule_settings settings = scouting;
    struct schedule s;

    settings.waves = 0;
    settings.patience_ns = 0;
    begin_with(&s, &settings, 6);
    expect_asked(&s, START, 0, 5);
    schedule_release(&s);
}

Test(scout, the_interval_follows_the_number_of_peers, .timeout = 5)
{
    static const struct {
        uint32_t peers;
        int64_t ns;
    } cases[] = {{1, 20 * MS}, {7, 20 * MS}, {10, 15 * MS}, {30, 5 * MS}, {200, 5 * MS}};
    struct schedule_settings settings = scouting;

    settings.scout_interval_ns = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct schedule s;
        uint32_t peer;

        begin_with(&s, &settings, cases[i].peers);
        while ((peer = schedule_next(&s, START)) != SCHEDULE_NONE)
            schedule_answer(&s, peer, SCHEDULE_NOT_YET, START);
        cr_expect_eq(schedule_wake_ns(&s), START + cases[i].ns, "%u peers", cases[i].peers);
        schedule_release(&s);
    }
}

/* A pod that leaves and one that joins while scouts are out. */
Test(scout, follows_the_table, .timeout = 5)
{
    struct schedule s;

    send_scouts(&s, &scouting, 5);
    answer_all(&s, 0, 2, SCHEDULE_NOT_YET, START + MS);
    schedule_drop(&s, 3);
    cr_assert_eq(schedule_reserve(&s, 6), 0);
    cr_assert_eq(schedule_add(&s, START + 2 * MS), 5);
    expect_asked(&s, START + 2 * MS, 5, 5);
    expect_asked(&s, START + 20 * MS, 4, 4);
    schedule_release(&s);
}

static uint32_t drawn;

/* A different number each time, whatever `below` is. */
static uint32_t draw_varied(uint32_t below)
{
    drawn = drawn * 1664525 + 1013904223;
    return (drawn >> 8) % below;
}

Test(scout, every_peer_is_asked_whatever_is_drawn, .timeout = 5)
{
    struct schedule_settings settings = scouting;
    unsigned first[12] = {0};

    settings.draw = draw_varied;
    for (int run = 0; run < 400; run++) {
        struct schedule s;
        uint32_t peer;

        begin_with(&s, &settings, 12);
        peer = schedule_next(&s, START);
        cr_assert_lt(peer, 12);
        first[peer]++;
        schedule_answer(&s, peer, SCHEDULE_FINAL, START);
        for (int64_t now = START; s.unfinished > 0 && now < START + 400 * MS; now += 20 * MS)
            while ((peer = schedule_next(&s, now)) != SCHEDULE_NONE)
                schedule_answer(&s, peer, SCHEDULE_FINAL, now);
        cr_expect_eq(s.unfinished, 0, "each has been asked once");
        schedule_release(&s);
    }
    for (size_t i = 0; i < 12; i++)
        cr_expect_gt(first[i], 0, "peer %zu is never the first", i);
}

/* ---- shared ---- */

Test(schedule, who_comes_later_extends_patience, .timeout = 5)
{
    struct schedule s;

    begin(&s, 1);
    schedule_next(&s, START);
    schedule_answer(&s, 0, SCHEDULE_BROKEN, START + MS);
    schedule_next(&s, START + 151 * MS);
    schedule_extend(&s, START + 1000 * MS);
    cr_expect_not(schedule_answer(&s, 0, SCHEDULE_BROKEN, START + 1000 * MS), "for the later one it is the first");
    schedule_next(&s, START + 1150 * MS);
    cr_expect_not(schedule_answer(&s, 0, SCHEDULE_NOT_YET, START + 1500 * MS));
    schedule_next(&s, START + 1650 * MS);
    schedule_extend(&s, START); /* patience never ends earlier */
    cr_expect_not(schedule_answer(&s, 0, SCHEDULE_NOT_YET, START + 2449 * MS));
    cr_expect_eq(schedule_wake_ns(&s), START + 2450 * MS);
    schedule_release(&s);
}

Test(schedule, what_is_reopened_is_due_at_once, .timeout = 5)
{
    struct schedule s;

    begin(&s, 2);
    schedule_next(&s, START);
    schedule_next(&s, START);
    schedule_answer(&s, 0, SCHEDULE_FINAL, START + MS);
    schedule_answer(&s, 1, SCHEDULE_NOT_YET, START + MS);
    cr_expect(schedule_is_finished(&s, 0) && !schedule_is_finished(&s, 1));
    schedule_reopen(&s, 0, START + 2 * MS);
    cr_expect_eq(s.unfinished, 2);
    cr_expect_eq(schedule_next(&s, START + 2 * MS), 0);
    cr_expect_eq(schedule_next(&s, START + 2 * MS), SCHEDULE_NONE);
    schedule_answer(&s, 0, SCHEDULE_EXPECTED, START + 3 * MS);
    cr_expect_eq(schedule_next(&s, START + 151 * MS), 1);
    schedule_release(&s);
}

Test(schedule, at_the_end_of_an_earlier_patience_all_are_due, .timeout = 5)
{
    struct schedule s;

    begin(&s, 3);
    for (int i = 0; i < 3; i++)
        schedule_next(&s, START);
    schedule_answer(&s, 0, SCHEDULE_NOT_YET, START + MS);
    schedule_answer(&s, 1, SCHEDULE_BROKEN, START + 2 * MS);
    schedule_hurry(&s, START + 3 * MS);
    cr_expect_eq(schedule_next(&s, START + 3 * MS), 0);
    cr_expect_eq(schedule_next(&s, START + 3 * MS), 1);
    cr_expect_eq(schedule_next(&s, START + 3 * MS), SCHEDULE_NONE, "one is being asked");
    schedule_release(&s);
}
