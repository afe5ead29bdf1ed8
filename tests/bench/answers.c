/* SPDX-License-Identifier: MIT */
/*
 * What the long answers cost with 8,192 pods: CPU of a whole one in the worker's loop, and of the longest
 * turn that it took part in (goal: <= 1 ms). The server and its handlers are the real ones, in a loop of this
 * process; pods have results and lags in the blocks of four workers. A child is the client. CPU and not time
 * is measured, since the scheduler's pauses are nobody's fault here.
 */
#include <config.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <syncer/api/api.h>
#include <syncer/base/clock.h>
#include <syncer/http/server.h>
#include <syncer/net/listen.h>

#include "figure.h"

#define PODS 8192
#define WORKERS 4
#define BLOCKS 49 /* as the master makes them */
#define ANSWERS 10
#define RUNS 5

static struct podtable_pod pods[PODS];
static struct scoreboard *master;
static struct api api;
static unsigned answered;

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void fill_table(void)
{
    struct podtable *table = podtable_create(PODS, NULL);
    const struct podtable_snapshot *snapshot;

    for (uint32_t i = 0; i < PODS; i++) {
        pods[i] = (struct podtable_pod){.id = i + 1, .port = 8443, .state = PODTABLE_READY, .counts = true};
        snprintf(pods[i].name, sizeof(pods[i].name), "gateway-deployment-5d8c7b6f9-%05u", i);
        pods[i].addr.family = 4;
        memcpy(pods[i].addr.bytes, (unsigned char[]){10, 1, (unsigned char)(i >> 8), (unsigned char)i}, 4);
    }
    if (!table || podtable_publish(table, pods, PODS, clock_now_ns(), NULL) < 0)
        abort();
    api.table = podtable_attach(podtable_worker_fd(table), NULL);
    /* The copy that a worker makes when the table changes is tests/bench/podtable.c's. */
    if (!api.table || podtable_reader_snapshot(api.table, &snapshot) != PODTABLE_READ_DONE)
        abort();
}

static void fill_board(void)
{
    int64_t now = clock_now_ns();

    master = scoreboard_create(BLOCKS, PODS, NULL);
    for (uint32_t block = 1; block <= WORKERS; block++) {
        struct scoreboard *board = scoreboard_attach(scoreboard_worker_fd(master), block, NULL);

        if (!board)
            abort();
        scoreboard_take(board, (pid_t)block, 1);
        for (uint64_t id = 1; id <= PODS; id++) {
            scoreboard_note_result(board, id, SCOREBOARD_PRESENT, 200, now);
            scoreboard_note_guard(board, id, SCOREBOARD_PROTECTED, now);
            scoreboard_note_lag(board, id, (uint32_t)(id % 1000), now);
        }
        if (block == 1)
            api.board = board;
    }
}

/* Reads ANSWERS + 1 whole answers, each on a connection of its own: as HTTP/1.0, they end with it. */
static void read_answers(const struct sockaddr_in *to, const char *path)
{
    static char trash[65536];
    char request[64];

    snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
    for (int i = 0; i <= ANSWERS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 || write(fd, request, strlen(request)) < 0)
            _exit(1);
        while (read(fd, trash, sizeof(trash)) > 0)
            continue;
        close(fd);
    }
    _exit(0);
}

static void on_answered(void *arg, int status)
{
    (void)arg;
    if (status != 200)
        abort();
    answered++;
}

struct figures {
    int64_t each, longest; /* ns */
};

static struct figures run(const struct sockaddr_in *to, const char *path)
{
    int64_t begun = 0, before = 0, longest = 0;
    pid_t pid = fork();

    if (pid == 0)
        read_answers(to, path);
    for (answered = 0; answered <= ANSWERS;) {
        bool measured = answered > 0; /* the first one pays for the fork, with copies of pages */
        int64_t now;

        if (loop_turn(api.loop, -1, NULL) < 0)
            abort();
        now = cpu_ns();
        if (!measured)
            begun = now;
        else if (now - before > longest)
            longest = now - before;
        before = now;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return (struct figures){.each = (before - begun) / ANSWERS, .longest = longest};
}

/* Each run does the same, so what a quiet one does not show is the machine's. */
static void measure(const struct sockaddr_in *to, const char *path)
{
    struct figures best = run(to, path);
    char name[64];

    for (int i = 1; i < RUNS; i++) {
        struct figures f = run(to, path);

        best.each = f.each < best.each ? f.each : best.each;
        best.longest = f.longest < best.longest ? f.longest : best.longest;
    }
    snprintf(name, sizeof(name), "%s_cpu", path + 1);
    figure(name, (double)best.each / (double)NS_PER_MS, "ms", "");
    snprintf(name, sizeof(name), "%s_longest_turn", path + 1);
    figure(name, (double)best.longest / (double)NS_PER_US, "us", "<=1000");
}

int main(void)
{
    static const struct http_settings settings = {.client_timeout_ms = 60000, .keepalive_timeout_ms = 60000};
    static const struct http_events events = {.on_answered = on_answered};
    struct http_router router = api_router(&api, API_ALL);
    struct http_door door = {.router = &router, .max_connections = 64};
    struct http_server *server;
    struct sockaddr_in to;
    socklen_t len = sizeof(to);
    bool in_use;
    int fd = listen_open("127.0.0.1:0", &in_use, NULL);

    fill_table();
    fill_board();
    api.loop = loop_new(NULL);
    api.version = PACKAGE_VERSION;
    api.source = "a list";
    server = api.loop ? http_server_new(api.loop, &settings, &events, NULL, NULL) : NULL;
    if (fd < 0 || !server || http_server_listen(server, fd, &door, NULL) < 0 ||
        getsockname(fd, (struct sockaddr *)&to, &len) < 0)
        abort();
    measure(&to, "/v1/pods");
    measure(&to, "/metrics");
    return 0;
}
