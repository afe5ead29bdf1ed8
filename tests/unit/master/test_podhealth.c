/* SPDX-License-Identifier: MIT */
/* When a pod's trouble is told, by a clock of the test's own: what lasts, each change once, a flapping pod
 * ever more rarely. */
#include <config.h>
#include <criterion/criterion.h>

#include "../../../src/master/master_private.h"

#define FAILS_404 HEALTH_OF(SCOREBOARD_STATUS, 404)

TestSuite(podhealth, .timeout = 10);

/* master.o wants what the pods layer has. */
struct source *source_new(const struct source_settings *settings, struct err *err)
{
    (void)settings;
    (void)err;
    return NULL;
}

void source_free(struct source *source)
{
    (void)source;
}

void source_refresh(struct source *source)
{
    (void)source;
}

const char *source_describe(const struct source *source)
{
    (void)source;
    return "";
}

static uint32_t judge(enum scoreboard_result result, uint16_t code, bool late, uint32_t before)
{
    struct scoreboard_pod last = {.result = result, .code = code, .late = late, .at_ns = 1};

    return podhealth_judge(&last, before);
}

Test(podhealth, what_a_result_comes_to)
{
    cr_expect_eq(judge(SCOREBOARD_PRESENT, 200, false, HEALTH_LAGS), HEALTH_WELL);
    cr_expect_eq(judge(SCOREBOARD_ABSENT, 401, false, HEALTH_WELL), HEALTH_WELL);
    cr_expect_eq(judge(SCOREBOARD_ABSENT, 401, false, FAILS_404), HEALTH_WELL, "it answers as it should");
    cr_expect_eq(judge(SCOREBOARD_ABSENT, 401, true, HEALTH_WELL), HEALTH_LAGS);
    cr_expect_eq(judge(SCOREBOARD_ABSENT, 401, false, HEALTH_LAGS), HEALTH_LAGS, "no proof of the contrary");
    cr_expect_eq(judge(SCOREBOARD_STATUS, 404, false, HEALTH_WELL), FAILS_404);
    cr_expect_neq(judge(SCOREBOARD_STATUS, 302, false, HEALTH_WELL), FAILS_404);
    cr_expect_eq(judge(SCOREBOARD_CONNECT, 0, false, 0), judge(SCOREBOARD_DOWN, 0, true, 0));
    cr_expect_eq(judge(SCOREBOARD_NO_RESULT, 0, false, HEALTH_LAGS), HEALTH_LAGS);
    cr_expect_eq(judge(SCOREBOARD_NO_RESULT, 0, false, FAILS_404), HEALTH_WELL, "it takes connections again");
    cr_expect_eq(podhealth_judge(&(struct scoreboard_pod){.at_ns = 0}, FAILS_404), FAILS_404, "nothing is known");
}

Test(podhealth, one_bad_look_is_none_and_two_are_told_once)
{
    struct pod_health health = {0};
    int64_t now = 1000 * NS_PER_S;

    cr_expect_not(podhealth_step(&health, FAILS_404, now));
    cr_expect_not(podhealth_step(&health, HEALTH_WELL, now += NS_PER_S));
    cr_expect_not(podhealth_step(&health, FAILS_404, now += NS_PER_S));
    cr_expect(podhealth_step(&health, FAILS_404, now += NS_PER_S));
    for (int i = 0; i < 1000; i++)
        cr_expect_not(podhealth_step(&health, FAILS_404, now += NS_PER_S));
    cr_expect_not(podhealth_step(&health, HEALTH_WELL, now += NS_PER_S));
    cr_expect(podhealth_step(&health, HEALTH_WELL, now += NS_PER_S),
              "after a long time without a word it is told at once");
}

Test(podhealth, another_way_of_failing_is_told)
{
    struct pod_health health = {0};
    int64_t now = 1000 * NS_PER_S;

    podhealth_step(&health, FAILS_404, now);
    cr_assert(podhealth_step(&health, FAILS_404, now += NS_PER_S));
    podhealth_step(&health, HEALTH_OF(SCOREBOARD_STATUS, 302), now += 100 * NS_PER_S);
    cr_expect(podhealth_step(&health, HEALTH_OF(SCOREBOARD_STATUS, 302), now += NS_PER_S));
}

Test(podhealth, a_flapping_pod_is_told_of_ever_more_rarely_and_then_forgiven)
{
    struct pod_health health = {0};
    int64_t now = 1000 * NS_PER_S;
    unsigned first = 0, last = 0;

    for (int i = 0; i < 7200; i++) {
        bool told = podhealth_step(&health, i / 3 % 2 ? FAILS_404 : HEALTH_WELL, now += NS_PER_S);

        first += told && i < 600;
        last += told && i >= 6600;
    }
    cr_expect(first >= 4 && first <= 8, "%u lines in the first ten minutes", first);
    cr_expect(last >= 1 && last <= 3, "%u lines in ten minutes of the second hour", last);
    for (int i = 0; i < 2000; i++)
        podhealth_step(&health, FAILS_404, now += NS_PER_S);
    cr_expect_eq(health.told, FAILS_404, "the last word is the truth");
    podhealth_step(&health, HEALTH_WELL, now += NS_PER_S);
    cr_expect(podhealth_step(&health, HEALTH_WELL, now += NS_PER_S));
}
