/* SPDX-License-Identifier: MIT */
/* The latch's arithmetic; that its order holds between processors is for tests/stress/seqlock.c. */
#include <config.h>

#include <criterion/criterion.h>

#include <syncer/share/latch.h>

TestSuite(latch, .timeout = 10);

Test(latch, zero_is_never_published)
{
    struct latch latch = {0};

    cr_expect_eq(latch_read_begin(&latch), 0);
    cr_expect_eq(latch_copy(0), 0);
    cr_expect(latch_read_valid(&latch, 0));
}

Test(latch, the_writer_never_fills_the_copy_that_readers_read)
{
    struct latch latch = {0};

    for (uint64_t i = 1; i < 100; i++) {
        unsigned which = latch_begin_write(&latch);

        cr_expect_neq(which, latch_copy(latch_read_begin(&latch)));
        cr_expect_eq(latch_publish(&latch), i);
        cr_expect_eq(which, latch_copy(latch_read_begin(&latch)));
    }
}

Test(latch, a_filling_begun_anew_is_the_same_copy)
{
    struct latch latch = {0};
    unsigned which = latch_begin_write(&latch);

    cr_expect_eq(latch_begin_write(&latch), which);
    cr_expect_eq(latch_publish(&latch), 1);
}

Test(latch, a_writer_that_stops_in_a_filling_disturbs_no_reader)
{
    struct latch latch = {0};
    uint64_t seen;

    latch_begin_write(&latch);
    latch_publish(&latch);
    seen = latch_read_begin(&latch);
    latch_begin_write(&latch);
    cr_expect(latch_read_valid(&latch, seen));
    cr_expect_eq(latch_read_begin(&latch), seen);
}

Test(latch, a_turn_tells_the_reader)
{
    struct latch latch = {0};
    uint64_t seen = latch_read_begin(&latch);

    latch_begin_write(&latch);
    latch_publish(&latch);
    cr_expect_not(latch_read_valid(&latch, seen));
}
