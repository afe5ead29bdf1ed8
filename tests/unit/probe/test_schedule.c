/* SPDX-License-Identifier: MIT */
/* The schedule under a simulated clock: who is asked when, and when nobody is any more. */
#include <config.h>

#include <criterion/criterion.h>

#include <syncer/base/clock.h>
#include <syncer/probe/schedule.h>

#define MS NS_PER_MS
#define START (1000 * MS)

static const struct schedule_settings defaults = {.sync_timeout_ns = 150 * MS, .patience_ns = 1450 * MS};

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
    const struct schedule_settings none = {.sync_timeout_ns = 150 * MS, .patience_ns = 0};
    struct schedule s;

    schedule_init(&s, &none, START);
    cr_assert_eq(schedule_reserve(&s, 1), 0);
    schedule_add(&s, START);
    schedule_next(&s, START);
    cr_expect(schedule_answer(&s, 0, SCHEDULE_NOT_YET, START + MS));
    schedule_release(&s);
}
