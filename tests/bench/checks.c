/* SPDX-License-Identifier: MIT */
/*
 * A worker's checks without the HTTP around them, in a loop of this process: same arguments, same input and same output as
 * raw_client.c, so that a tool that counts instructions or calls can be put on either. LANES checks are always under way.
 * CHECKS = 0 only connects. Of the turns in which all pods are connected to it prints how many there were, how many took
 * more than 1 ms of CPU, and the longest; the first connection aside, at which OpenSSL loads its algorithms.
 *
 *      checks LANES CHECKS HOST PATH TOKEN < lines of "ADDRESS PORT"
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/random.h>
#include <syncer/net/memory.h>
#include <syncer/probe/check.h>

#define PODS_MAX 1024

static struct podtable_pod pods[PODS_MAX];
static struct podtable *table;
static struct trust *trust;
static struct link_hub *hub;
static struct pool *pool;
static struct checker_settings settings;
static struct checker *checker;
static const char *token;
static uint64_t to_begin, done;
static double *times_us;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "checks: %s\n", what);
    exit(1);
}

static uint32_t read_pods(void)
{
    uint32_t n = 0;
    char ip[64];
    unsigned port;

    while (n < PODS_MAX && scanf("%63s %u", ip, &port) == 2) {
        struct podtable_pod *pod = &pods[n];

        *pod = (struct podtable_pod){.id = ++n, .port = (uint16_t)port, .state = PODTABLE_READY, .counts = true};
        snprintf(pod->name, sizeof(pod->name), "gw-%u", n);
        if (addr_parse(&pod->addr, ip, strlen(ip)) < 0)
            fail("not an address");
    }
    return n;
}

static int no_refresh(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return 0;
}

/* With the settings of a worker (worker/parts.c) at its defaults, but for certificates, which are not looked at. */
static void make_parts(const char *host, const char *path)
{
    static char head[8192];
    struct scoreboard *master = scoreboard_create(4, PODS_MAX, NULL);
    struct trust_settings no_trust = {.verify = false};
    struct link_hub_settings hub_settings = {
        .tls = true, .server_name = host, .max_opening = 8, .connect_timeout_ms = 10000};
    struct pool_settings pool_settings = {
        .connection_timeout_ns = 10 * NS_PER_S, .host_keepalives = 16, .request_head = head};
    static const struct pool_events events;

    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: syncer\r\nCookie: auth_token=", path,
             host);
    settings = (struct checker_settings){
        .loop = loop_new(NULL),
        .board = master ? scoreboard_attach(scoreboard_worker_fd(master), 1, NULL) : NULL,
        .schedule = {.mode = SCHEDULE_SCOUT,
                     .sync_timeout_ns = 150 * NS_PER_MS,
                     .patience_ns = 10 * NS_PER_S,
                     .waves = 10,
                     .draw = random_below},
        .request_deadline_ns = 20 * NS_PER_S,
        .max_checks = 1024,
        .ask_refresh = no_refresh,
    };
    table = podtable_create(PODS_MAX, NULL);
    settings.table = table ? podtable_attach(podtable_worker_fd(table), NULL) : NULL;
    hub_settings.trust = trust = trust_new(&no_trust, NULL);
    if (!settings.loop || !settings.board || !settings.table || !trust)
        fail("out of memory");
    scoreboard_take(settings.board, getpid(), 1);
    hub = link_hub_new(settings.loop, &hub_settings, NULL);
    pool_settings.hub = hub;
    pool_settings.loop = settings.loop;
    pool_settings.board = settings.board;
    settings.pool = pool = hub ? pool_new(&pool_settings, &events, NULL, NULL) : NULL;
    checker = pool ? checker_new(&settings, NULL) : NULL;
    if (!checker)
        fail("out of memory");
}

static void turn(void)
{
    if (loop_turn(settings.loop, -1, NULL) < 0)
        fail("loop");
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void appear(void)
{
    int64_t began = cpu_ns(), longest = 0, before;
    unsigned turns = 0, over = 0;

    checker_table_changed(checker);
    printf("appear_table_us %.1f\n", (double)(cpu_ns() - began) / 1e3);
    while (scoreboard_sum(settings.board, METRIC_LINKS_OPENED) == 0)
        turn();
    before = cpu_ns();
    while (!pool_is_warm(pool)) {
        int64_t now, took;

        turn();
        now = cpu_ns();
        took = now - before;
        before = now;
        turns++;
        over += took > NS_PER_MS;
        longest = took > longest ? took : longest;
    }
    printf("appear_turns %u\nappear_over_1ms %u\nappear_longest_us %.1f\nappear_connection_us %.1f\n", turns, over,
           (double)longest / 1e3, (double)(before - began) / 1e3 / (double)pool_size(pool));
}

static void begin(void);

static void on_done(struct check *check, void *arg)
{
    (void)arg;
    if (check_verdict(check) != VERDICT_SYNCED)
        fail("a check that is not Synced");
    times_us[done++] = (double)check_duration_ns(check) / 1e3;
    if (to_begin > 0)
        begin();
}

static void begin(void)
{
    struct check_request request = {.token = token,
                                    .token_len = strlen(token),
                                    .origin = "-",
                                    .fields = "X-Request-ID: 4f1c0e5d2b7a4c8e9f3a6b1d0c5e7f92\r\n",
                                    .began_ns = loop_now_ns(settings.loop),
                                    .on_done = on_done};
    enum check_refusal refusal;

    to_begin--;
    if (!check_start(checker, &request, &refusal))
        fail("a check was refused");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char *argv[])
{
    struct rlimit files;
    uint64_t checks, lanes;
    int64_t cpu, wall;
    uint32_t n;

    if (argc != 6)
        fail("LANES CHECKS HOST PATH TOKEN");
    lanes = strtoull(argv[1], NULL, 10);
    checks = to_begin = strtoull(argv[2], NULL, 10);
    token = argv[5];
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    n = read_pods();
    times_us = calloc(checks + 1, sizeof(double));
    if (memory_watch(NULL) < 0 || !times_us)
        fail("out of memory");
    make_parts(argv[3], argv[4]);
    if (podtable_publish(table, pods, n, clock_now_ns(), NULL) < 0)
        fail("table");
    appear();
    cpu = cpu_ns();
    wall = clock_now_ns();
    for (uint64_t i = 0; i < lanes && to_begin > 0; i++)
        begin();
    while (done < checks)
        turn();
    cpu = cpu_ns() - cpu;
    wall = clock_now_ns() - wall;
    qsort(times_us, done, sizeof(double), compare);
    if (done > 0)
        printf("checks_per_s %.1f\ncpu_us %.3f\np50_us %.1f\np99_us %.1f\n", (double)done * 1e9 / (double)wall,
               (double)cpu / 1e3 / (double)done, times_us[done / 2], times_us[done * 99 / 100]);
    printf("handshakes %ju\n", (uintmax_t)scoreboard_sum(settings.board, METRIC_LINKS_OPENED));
    return 0;
}
