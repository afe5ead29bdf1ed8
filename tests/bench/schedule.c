/* SPDX-License-Identifier: MIT */
/*
 * What the schedules cost and how late they are, by simulation: probes a check, and the detection lag (the
 * last pod has the token -> the verdict), over models of the replication. No network and no clock: the
 * schedule itself decides, answers take 0.5 to 1.5 ms. Beside them the fixed 5 x 150 ms that syncer replaces.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/probe/schedule.h>

#include "figure.h"

#define CHECKS 2000
#define PEERS_MAX 200
#define TICK_NS (1000 * NS_PER_MS)
#define DEAD_NS (500 * NS_PER_MS) /* connection_timeout */
#define NEVER INT64_MAX

enum model { COMMON_TICK, SPREAD_TICK, INDEPENDENT, ONE_SLOW, ONE_DEAD, EVERYWHERE, MODELS };
static const char *const model_names[MODELS] = {
    "common tick", "tick + 0..30 ms", "independent", "one 300 ms late", "one dead", "everywhere already",
};

struct contender {
    const char *name;
    struct schedule_settings settings;
    bool figures; /* the defaults: in the table of make bench */
};

static uint64_t state;

/* xorshift64*, so that every run is the same. */
static uint32_t draw(uint32_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 32) % below;
}

static int64_t between(int64_t low_ns, int64_t high_ns)
{
    return low_ns + (int64_t)(draw(1000001) / 1e6 * (double)(high_ns - low_ns));
}

/* When each pod has the token, from the check's start; NEVER = it does not answer. */
static void replicate(enum model model, int64_t has[], uint32_t n)
{
    int64_t tick = between(0, TICK_NS);

    for (uint32_t i = 0; i < n; i++)
        has[i] = model == EVERYWHERE    ? 0
                 : model == INDEPENDENT ? between(0, TICK_NS)
                 : model == SPREAD_TICK ? tick + between(0, 30 * NS_PER_MS)
                                        : tick + between(0, NS_PER_MS);
    if (model == ONE_SLOW)
        has[draw(n)] = tick + 300 * NS_PER_MS;
    if (model == ONE_DEAD)
        has[draw(n)] = NEVER;
}

struct question {
    uint32_t peer;
    int64_t at_ns;
    enum schedule_answer answer;
};

static struct question question(uint32_t peer, int64_t has, int64_t now)
{
    int64_t there = between(250000, 750000), back = between(250000, 750000);

    if (has == NEVER)
        return (struct question){peer, now + DEAD_NS, SCHEDULE_BROKEN};
    return (struct question){peer, now + there + back, now + there >= has ? SCHEDULE_EXPECTED : SCHEDULE_NOT_YET};
}

struct outcome {
    uint32_t probes;
    int64_t lag_ns; /* -1: not all were found */
};

static struct outcome run(const struct schedule_settings *settings, const int64_t has[], uint32_t n)
{
    struct question out[PEERS_MAX];
    struct outcome result = {0, -1};
    struct schedule s;
    int64_t now = 0, last = 0;
    uint32_t n_out = 0, found = 0, alive = 0;

    schedule_init(&s, settings, 0);
    if (schedule_reserve(&s, n) < 0)
        abort();
    for (uint32_t i = 0; i < n; i++) {
        schedule_add(&s, 0);
        alive += has[i] != NEVER;
        last = has[i] != NEVER && has[i] > last ? has[i] : last;
    }
    for (;;) {
        uint32_t peer, next = 0;

        while ((peer = schedule_next(&s, now)) != SCHEDULE_NONE) {
            out[n_out++] = question(peer, has[peer], now);
            result.probes++;
        }
        for (uint32_t i = 1; i < n_out; i++)
            next = out[i].at_ns < out[next].at_ns ? i : next;
        if (n_out > 0 && out[next].at_ns <= schedule_wake_ns(&s)) {
            now = out[next].at_ns;
            schedule_answer(&s, out[next].peer, out[next].answer, now);
            if (out[next].answer == SCHEDULE_EXPECTED && ++found == alive)
                result.lag_ns = now - last;
            out[next] = out[--n_out];
        } else if (schedule_wake_ns(&s) != SCHEDULE_NEVER) {
            now = schedule_wake_ns(&s) > now ? schedule_wake_ns(&s) : now;
        } else {
            break;
        }
    }
    schedule_release(&s);
    return result;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void measure(const struct contender *contender, enum model model, uint32_t n)
{
    static int64_t lags[CHECKS];
    int64_t has[PEERS_MAX];
    uint64_t probes = 0;
    size_t found = 0;

    state = 0x9E3779B97F4A7C15;
    for (int i = 0; i < CHECKS; i++) {
        struct outcome outcome;

        replicate(model, has, n);
        outcome = run(&contender->settings, has, n);
        probes += outcome.probes;
        if (outcome.lag_ns >= 0)
            lags[found++] = outcome.lag_ns;
    }
    qsort(lags, found, sizeof(lags[0]), compare);
    if (model == COMMON_TICK && contender->figures && found > 0) {
        char name[64];

        snprintf(name, sizeof(name), "simulated_lag_p50_%u_peers", n);
        figure(name, (double)lags[found / 2] / 1e6, "ms", n == 7 ? "<=20" : n == 31 ? "<=10" : "");
        snprintf(name, sizeof(name), "simulated_probes_%u_peers", n);
        figure(name, (double)probes / CHECKS, "probes", "");
    }
    printf("%-20s %5u  %-16s %8.1f %8.1f %8.1f %7.1f %%\n", model_names[model], n, contender->name,
           (double)probes / CHECKS, found ? (double)lags[found / 2] / 1e6 : 0,
           found ? (double)lags[found * 95 / 100] / 1e6 : 0, 100.0 * (double)found / CHECKS);
}

int main(void)
{
    static const uint32_t sizes[] = {2, 7, 31, 127, 200};
    const struct schedule_settings base = {SCHEDULE_SCOUT, 150 * NS_PER_MS, 1450 * NS_PER_MS, 0, 10, draw};
    struct contender contenders[] = {{"scout, auto", base, true},
                                     {"scout, 20 ms", base, false},
                                     {"scout, 10 ms", base, false},
                                     {"parallel", base, false},
                                     {"fixed 5 x 150", base, false}};

    contenders[1].settings.scout_interval_ns = 20 * NS_PER_MS;
    contenders[2].settings.scout_interval_ns = 10 * NS_PER_MS;
    contenders[3].settings.mode = contenders[4].settings.mode = SCHEDULE_PARALLEL;
    contenders[4].settings.patience_ns = 600 * NS_PER_MS;
    printf("%-20s %5s  %-16s %8s %8s %8s %9s\n", "replication", "peers", "schedule", "probes", "lag p50", "p95 ms",
           "found");
    for (int model = 0; model < MODELS; model++)
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
            for (size_t k = 0; k < ARRAY_LEN(contenders); k++)
                measure(&contenders[k], (enum model)model, sizes[i]);
    return 0;
}
