/* SPDX-License-Identifier: MIT */
/* A figure of `make bench`, as run.py reads it: goal is "<=LIMIT", ">=LIMIT" or "" for none. */
#ifndef SYNCER_TESTS_BENCH_FIGURE_H
#define SYNCER_TESTS_BENCH_FIGURE_H

#include <stdio.h>

static inline void figure(const char *name, double value, const char *unit, const char *goal)
{
    printf("= %s %.4g %s %s\n", name, value, unit, goal);
}

#endif
