/* SPDX-License-Identifier: MIT */
/* Every verdict at its edges: one more or less on either side changes it. */
#include <config.h>

#include <criterion/criterion.h>

#include <syncer/base/macros.h>
#include <syncer/probe/verdict.h>

static const struct {
    size_t peers, expected, unfinished;
    enum verdict verdict;
} cases[] = {
    {0, 0, 0, VERDICT_SYNCED},     {1, 1, 0, VERDICT_SYNCED},     {3, 3, 0, VERDICT_SYNCED},
    {3, 2, 0, VERDICT_PARTIALY},   {4, 3, 0, VERDICT_PARTIALY},   {4, 2, 0, VERDICT_NOT_SYNCED},
    {5, 3, 0, VERDICT_PARTIALY},   {5, 2, 0, VERDICT_NOT_SYNCED}, {1, 0, 0, VERDICT_NOT_SYNCED},
    {2, 1, 0, VERDICT_NOT_SYNCED}, {3, 2, 1, VERDICT_TIMEOUT},    {1, 0, 1, VERDICT_TIMEOUT},
};

Test(verdict, at_its_edges, .timeout = 5)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(verdict_of(cases[i].peers, cases[i].expected, cases[i].unfinished), cases[i].verdict, "case %zu",
                     i);
}

Test(verdict, is_spelled_as_the_gateways_expect_it, .timeout = 5)
{
    cr_expect_str_eq(verdict_name(VERDICT_SYNCED), "Synced");
    cr_expect_str_eq(verdict_name(VERDICT_PARTIALY), "Partialy");
    cr_expect_str_eq(verdict_name(VERDICT_NOT_SYNCED), "NotSynced");
    cr_expect_str_eq(verdict_name(VERDICT_TIMEOUT), "Timeout");
}
