/* SPDX-License-Identifier: MIT */
/* How long the next child waits: never for a first crash, ever longer for those that keep dying. */
#include <config.h>
#include <criterion/criterion.h>

#include <syncer/base/macros.h>

#include "../../../src/master/master_private.h"

TestSuite(backoff, .timeout = 10);

#define EARLY false, 0
#define QUICK true, (5 * NS_PER_S)
#define LONG true, (60 * NS_PER_S)

/* Within the jitter, which only adds: up to an eighth. */
static void expect_wait(int64_t wait, int64_t ms)
{
    cr_expect(wait >= ms * NS_PER_MS && wait <= ms * NS_PER_MS * 9 / 8, "%lld ns for %lld ms", (long long)wait,
              (long long)ms);
}

Test(backoff, doubles_from_100_ms_to_30_s_for_children_that_do_not_become_ready)
{
    static const int64_t waits[] = {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
    struct backoff backoff = {0};

    for (size_t i = 0; i < ARRAY_LEN(waits); i++)
        expect_wait(backoff_next(&backoff, EARLY), waits[i]);
}

Test(backoff, a_ready_child_is_replaced_at_once_three_times)
{
    struct backoff backoff = {0};

    for (int i = 0; i < 3; i++)
        cr_expect_eq(backoff_next(&backoff, QUICK), 0);
    expect_wait(backoff_next(&backoff, QUICK), 100);
    expect_wait(backoff_next(&backoff, QUICK), 200);
}

/* A worker that crashes on the first request is ready each time in between. */
Test(backoff, being_ready_alone_does_not_forget)
{
    struct backoff backoff = {0};

    for (int i = 0; i < 4; i++)
        backoff_next(&backoff, EARLY);
    for (int i = 0; i < 3; i++)
        backoff_next(&backoff, QUICK);
    expect_wait(backoff_next(&backoff, QUICK), 1600);
}

Test(backoff, a_long_life_forgets)
{
    struct backoff backoff = {0};

    for (int i = 0; i < 8; i++)
        backoff_next(&backoff, QUICK);
    cr_expect_eq(backoff_next(&backoff, LONG), 0);
    cr_expect_eq(backoff_next(&backoff, QUICK), 0);
    expect_wait(backoff_next(&backoff, EARLY), 100);
}

/* However late: to have tried for long is not to have lived. */
Test(backoff, a_child_that_took_long_to_die_before_it_was_ready_is_no_long_life)
{
    struct backoff backoff = {0};

    backoff_next(&backoff, false, 60 * NS_PER_S);
    expect_wait(backoff_next(&backoff, false, 60 * NS_PER_S), 200);
}
