/* SPDX-License-Identifier: MIT */
/*
 * What the pod table costs: looking at an unchanged one (goal: <= 20 ns), publishing 5,000 and 8,192 pods, a
 * snapshot per pod, finding, and how long the longest call of a reader took while another process publishes
 * without a pause. Figures are medians of RUNS; the longest call includes what the scheduler takes, so its
 * own CPU time stands beside it.
 */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/share/podtable.h>

#include "figure.h"

#define PODS 8192
#define FEWER_PODS 5000
#define RUNS 15
#define LOOKS 2000000
#define WAIT_NS (2 * NS_PER_S)

static struct podtable_pod pods[PODS];
static size_t n_pods = PODS;
static struct podtable *table;
static struct podtable_reader *reader;

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Runs work() RUNS times; the figure is the median of ns / units. */
static void measure(const char *what, void (*prepare)(void), void (*work)(void), double units, const char *goal)
{
    double ns[RUNS];

    for (int i = 0; i < RUNS; i++) {
        int64_t begun;

        if (prepare)
            prepare();
        begun = clock_now_ns();
        work();
        ns[i] = (double)(clock_now_ns() - begun) / units;
    }
    qsort(ns, RUNS, sizeof(ns[0]), compare);
    figure(what, ns[RUNS / 2], "ns", goal);
}

static void publish(void)
{
    if (podtable_publish(table, pods, n_pods, 1, NULL) < 0)
        abort();
}

static void take_snapshot(void)
{
    const struct podtable_snapshot *s;

    if (podtable_reader_snapshot(reader, &s) != PODTABLE_READ_DONE || s->n != n_pods)
        abort();
}

static void look(void)
{
    for (int i = 0; i < LOOKS; i++)
        if (podtable_reader_changed(reader))
            abort();
}

static void look_and_take(void)
{
    for (int i = 0; i < LOOKS; i++)
        take_snapshot();
}

static void find_all(void)
{
    const struct podtable_snapshot *s;

    podtable_reader_snapshot(reader, &s);
    for (size_t i = 0; i < PODS; i++)
        if (!podtable_find_name(s, pods[i].name, strlen(pods[i].name)) || !podtable_find_addr(s, &pods[i].addr))
            abort();
}

/* Names and addresses as in a cluster, in no order. */
static void make_pods(void)
{
    for (uint32_t i = 0; i < PODS; i++) {
        uint32_t mixed = i * 2654435761u;

        pods[i] = (struct podtable_pod){.id = i + 1, .port = 8443, .state = PODTABLE_READY, .counts = true};
        snprintf(pods[i].name, sizeof(pods[i].name), "nginx-plus-gateway-%08x-%05x", mixed, i);
        pods[i].addr = (struct addr){.family = 4, .bytes = {10, mixed >> 16 & 0xff, mixed >> 8 & 0xff, i & 0xff}};
    }
}

static int64_t cpu_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void start_publishing(pid_t *pid)
{
    *pid = fork();
    if (*pid < 0)
        abort();
    if (*pid == 0)
        for (;;)
            publish();
}

#define SAMPLES 20000

/* The reader beside a writer that never rests: how long the calls took that found a new list. */
static void measure_waits(void)
{
    static double wall[SAMPLES], cpu[SAMPLES];
    int64_t end = clock_now_ns() + WAIT_NS;
    unsigned overtaken = 0, warm = 0;
    size_t n = 0;
    pid_t pid;

    start_publishing(&pid);
    while (clock_now_ns() < end && n < SAMPLES) {
        const struct podtable_snapshot *s;
        int64_t begun, cpu_begun;

        if (!podtable_reader_changed(reader))
            continue;
        if (warm < 2) { /* after the fork, the first touch of each page of the two lists copies it */
            podtable_reader_snapshot(reader, &s);
            warm++;
            continue;
        }
        begun = clock_now_ns();
        cpu_begun = cpu_now_ns();
        overtaken += podtable_reader_snapshot(reader, &s) == PODTABLE_READ_OVERTAKEN;
        cpu[n] = (double)(cpu_now_ns() - cpu_begun);
        wall[n++] = (double)(clock_now_ns() - begun);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (n == 0)
        abort();
    qsort(wall, n, sizeof(wall[0]), compare);
    qsort(cpu, n, sizeof(cpu[0]), compare);
    printf("beside a writer without pause of %zu pods, %zu new lists, %u times overtaken:\n", n_pods, n, overtaken);
    printf("  a call's time, ms: median %.3f, p99 %.3f, longest %.3f; of CPU: %.3f, %.3f, %.3f\n", wall[n / 2] / 1e6,
           wall[n * 99 / 100] / 1e6, wall[n - 1] / 1e6, cpu[n / 2] / 1e6, cpu[n * 99 / 100] / 1e6, cpu[n - 1] / 1e6);
}

/* The same for fewer; all are in force again afterwards. */
static void measure_fewer(void)
{
    n_pods = FEWER_PODS;
    measure("table_publish_5000", NULL, publish, 1, "");
    measure_waits();
    n_pods = PODS;
    publish();
}

int main(void)
{
    struct err err = {""};

    make_pods();
    table = podtable_create(PODS, &err);
    reader = table ? podtable_attach(podtable_worker_fd(table), &err) : NULL;
    if (!reader) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    publish();
    take_snapshot();
    measure("table_unchanged_look", NULL, look, LOOKS, "<=20");
    measure("table_unchanged_snapshot", NULL, look_and_take, LOOKS, "<=20");
    measure("table_publish_8192", NULL, publish, 1, "");
    measure("table_publish_a_pod", NULL, publish, PODS, "");
    measure_fewer();
    measure("table_snapshot_a_pod", publish, take_snapshot, PODS, "");
    measure("table_find_name_and_address", NULL, find_all, PODS, "");
    measure_waits();
    podtable_detach(reader);
    podtable_free(table);
    return 0;
}
