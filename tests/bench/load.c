/* SPDX-License-Identifier: MIT */
/*
 * Load: LANES kept connections, each of which sends a request as soon as the answer to the one before is whole.
 *
 *      load LANES REQUESTS ADDRESS PORT PATH EXPECT [FIELD ...]
 *
 * "{lane}" in a FIELD becomes the connection's number, from 0: checks of one token share their probes, those of several don't.
 * An answer is right if its status is 200 and its head has the text EXPECT. A connection whose answer is 503 waits for 10 ms
 * before it asks again. Prints, a line each, "requests_per_s", "p50_us" and "p99_us" of the right ones, "wrong" and
 * "wrong_p99_us", and "first_wrong" (the head's status line and its verdict).
 */
#include <config.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX 65536
#define REQUEST_MAX 8192
#define BATCH 256
#define REFUSED_NS 10000000

struct lane {
    int fd;
    size_t len;
    int64_t began_ns;
    int64_t again_ns;   /* refused: when it asks again */
    struct lane *later; /* refused after this one */
    size_t request_len;
    char request[REQUEST_MAX];
    char answer[ANSWER_MAX];
};

static char first_wrong[128] = "-";
static const char *expect;
static uint64_t to_begin, right, wrong;
static double *right_us, *wrong_us;
static struct lane *refused_first, *refused_last;
static int epoll_fd;

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "load: ");
    perror(what);
    exit(1);
}

static void add(struct lane *lane, const char *text, size_t len)
{
    if (len > sizeof(lane->request) - lane->request_len)
        fail("the request is too long");
    memcpy(lane->request + lane->request_len, text, len);
    lane->request_len += len;
}

static void add_field(struct lane *lane, const char *field, uint64_t number)
{
    const char *at = strstr(field, "{lane}");
    char text[24];

    if (at) {
        add(lane, field, (size_t)(at - field));
        snprintf(text, sizeof(text), "%ju", (uintmax_t)number);
        add(lane, text, strlen(text));
        field = at + strlen("{lane}");
    }
    add(lane, field, strlen(field));
    add(lane, "\r\n", 2);
}

static void make_request(struct lane *lane, uint64_t number, const char *path, int n_fields, char *fields[])
{
    add(lane, "GET ", 4);
    add(lane, path, strlen(path));
    add_field(lane, " HTTP/1.1\r\nHost: syncer", number);
    for (int i = 0; i < n_fields; i++)
        add_field(lane, fields[i], number);
    add(lane, "\r\n", 2);
}

static void begin(struct lane *lane)
{
    to_begin--;
    lane->len = 0;
    lane->began_ns = now_ns();
    if (send(lane->fd, lane->request, lane->request_len, MSG_NOSIGNAL) != (ssize_t)lane->request_len)
        fail("send");
}

static void connect_to(struct lane *lane, const struct sockaddr_in *to)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = lane};

    lane->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (lane->fd < 0 || connect(lane->fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        fail("connect");
    setsockopt(lane->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (fcntl(lane->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, lane->fd, &event) < 0)
        fail("epoll");
}

/* Whether the answer is whole. */
static int is_whole(const struct lane *lane)
{
    const char *end = memmem(lane->answer, lane->len, "\r\n\r\n", 4);
    const char *length = end ? memmem(lane->answer, lane->len, "Content-Length: ", 16) : NULL;

    return length && lane->len >= (size_t)(end + 4 - lane->answer) + strtoul(length + 16, NULL, 10);
}

static void judge(const struct lane *lane)
{
    double us = (double)(now_ns() - lane->began_ns) / 1e3;
    const char *verdict = strstr(lane->answer, "X-Token-");

    if (strncmp(lane->answer, "HTTP/1.1 200", 12) == 0 && memmem(lane->answer, lane->len, expect, strlen(expect))) {
        right_us[right++] = us;
        return;
    }
    if (wrong == 0)
        snprintf(first_wrong, sizeof(first_wrong), "%.*s %.*s", (int)strcspn(lane->answer, "\r\n"), lane->answer,
                 verdict ? (int)strcspn(verdict, "\r\n") : 0, verdict ? verdict : "");
    wrong_us[wrong++] = us;
}

static void ask_later(struct lane *lane)
{
    lane->again_ns = now_ns() + REFUSED_NS;
    lane->later = NULL;
    if (refused_first)
        refused_last->later = lane;
    else
        refused_first = lane;
    refused_last = lane;
}

/* Those whose time has come ask again. How long until the next one's, in ms for epoll_wait(2). */
static int ask_again(void)
{
    int64_t now = now_ns();

    while (refused_first && refused_first->again_ns <= now) {
        struct lane *lane = refused_first;

        refused_first = lane->later;
        if (to_begin > 0)
            begin(lane);
    }
    return refused_first ? (int)((refused_first->again_ns - now) / 1000000 + 1) : -1;
}

static void on_event(struct lane *lane)
{
    ssize_t n = recv(lane->fd, lane->answer + lane->len, ANSWER_MAX - 1 - lane->len, 0);

    if (n <= 0)
        fail("a connection ended");
    lane->len += (size_t)n;
    lane->answer[lane->len] = '\0';
    if (!is_whole(lane))
        return;
    judge(lane);
    if (strncmp(lane->answer, "HTTP/1.1 503", 12) == 0)
        ask_later(lane);
    else if (to_begin > 0)
        begin(lane);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(uint64_t requests, int64_t wall_ns)
{
    qsort(right_us, right, sizeof(double), compare);
    qsort(wrong_us, wrong, sizeof(double), compare);
    printf("requests_per_s %.1f\np50_us %.1f\np99_us %.1f\nwrong %ju\nwrong_p99_us %.1f\nfirst_wrong %s\n",
           (double)requests * 1e9 / (double)wall_ns, right_us[right / 2], right_us[right * 99 / 100], (uintmax_t)wrong,
           wrong_us[wrong * 99 / 100], first_wrong);
}

int main(int argc, char *argv[])
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct epoll_event events[BATCH];
    struct lane *lanes;
    uint64_t requests, n_lanes;
    int64_t began;

    if (argc < 7 || inet_pton(AF_INET, argv[3], &to.sin_addr) != 1) {
        fprintf(stderr, "load LANES REQUESTS ADDRESS PORT PATH EXPECT [FIELD ...]\n");
        return 64;
    }
    n_lanes = strtoull(argv[1], NULL, 10);
    requests = to_begin = strtoull(argv[2], NULL, 10);
    to.sin_port = htons((uint16_t)atoi(argv[4]));
    expect = argv[6];
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    lanes = calloc(n_lanes, sizeof(*lanes));
    right_us = calloc(requests + 1, sizeof(double));
    wrong_us = calloc(requests + 1, sizeof(double));
    if (epoll_fd < 0 || !lanes || !right_us || !wrong_us || n_lanes == 0 || requests == 0)
        fail("start");
    for (uint64_t i = 0; i < n_lanes; i++) {
        make_request(&lanes[i], i, argv[5], argc - 7, argv + 7);
        connect_to(&lanes[i], &to);
    }
    began = now_ns();
    for (uint64_t i = 0; i < n_lanes && to_begin > 0; i++)
        begin(&lanes[i]);
    while (right + wrong < requests) {
        int n = epoll_wait(epoll_fd, events, BATCH, ask_again());

        for (int i = 0; i < n; i++)
            on_event(events[i].data.ptr);
    }
    print(requests, now_ns() - began);
    return 0;
}
