/* SPDX-License-Identifier: MIT */
/*
 * The yardstick: the exchanges of syncer's checks by hand, with epoll and OpenSSL and nothing else. A lane is a check at a
 * time with a kept TLS connection to each pod; a check asks WAVE pods drawn at random and then the others, as a check of
 * a token that is everywhere does. It reads each answer whole, must see 200, and keeps no account of anything.
 *
 *      raw_client LANES CHECKS HOST PATH TOKEN < lines of "ADDRESS PORT"
 *
 * Prints "checks_per_s", "cpu_us" (of a check), "p50_us", "p99_us" and "handshakes", a line each. CHECKS = 0 only
 * connects, so that a tool that counts calls or instructions can tell the exchanges from the rest.
 */
#include <config.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define PODS_MAX 1024
#define WAVE 3
#define BATCH 256
#define ANSWER_MAX 4096

struct lane;

struct conn {
    struct lane *lane;
    SSL *ssl;
    int fd;
    int len;
    char answer[ANSWER_MAX];
};

struct lane {
    struct conn *conns; /* n_pods, in the order in which the present check asks them */
    uint32_t *order;
    uint32_t asked, open; /* questions sent, and those without an answer */
    int64_t began_ns;
};

static uint32_t n_pods, n_lanes;
static struct sockaddr_in pods[PODS_MAX];
static char question[8192];
static int question_len, epoll_fd;
static uint64_t to_begin, done, handshakes;
static double *times_us;

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "raw_client: %s\n", what);
    exit(1);
}

/* ---- connections ---- */

static void read_pods(void)
{
    char ip[64];
    unsigned port;

    while (n_pods < PODS_MAX && scanf("%63s %u", ip, &port) == 2) {
        pods[n_pods] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        if (inet_pton(AF_INET, ip, &pods[n_pods++].sin_addr) != 1)
            fail("not an address");
    }
}

/* Blocking: only the exchanges are measured. The certificate is not looked at. */
static void connect_to(SSL_CTX *ctx, struct conn *conn, const struct sockaddr_in *pod, const char *host)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = conn};

    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    conn->ssl = SSL_new(ctx);
    if (conn->fd < 0 || !conn->ssl || connect(conn->fd, (const struct sockaddr *)pod, sizeof(*pod)) < 0)
        fail("connect");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    SSL_set_fd(conn->ssl, conn->fd);
    SSL_set_tlsext_host_name(conn->ssl, host);
    if (SSL_connect(conn->ssl) != 1)
        fail("handshake");
    handshakes++;
    if (fcntl(conn->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0)
        fail("epoll_ctl");
}

/* ---- checks ---- */

static void ask(struct conn *conn)
{
    conn->len = 0;
    if (SSL_write(conn->ssl, question, question_len) != question_len)
        fail("write");
    conn->lane->asked++;
    conn->lane->open++;
}

static void begin(struct lane *lane)
{
    uint32_t first = n_pods < WAVE ? n_pods : WAVE;

    to_begin--;
    lane->began_ns = clock_ns(CLOCK_MONOTONIC);
    lane->asked = lane->open = 0;
    for (uint32_t i = 0; i < first; i++) {
        uint32_t k = i + (uint32_t)random() % (n_pods - i), other = lane->order[i];

        lane->order[i] = lane->order[k];
        lane->order[k] = other;
        ask(&lane->conns[lane->order[i]]);
    }
}

static void answered(struct lane *lane)
{
    if (--lane->open > 0)
        return;
    while (lane->asked < n_pods)
        ask(&lane->conns[lane->order[lane->asked]]);
    if (lane->open > 0)
        return;
    times_us[done++] = (double)(clock_ns(CLOCK_MONOTONIC) - lane->began_ns) / 1e3;
    if (to_begin > 0)
        begin(lane);
}

/* The answer's length once its head is whole, else 0. */
static int answer_len(const struct conn *conn)
{
    const char *end = memmem(conn->answer, (size_t)conn->len, "\r\n\r\n", 4);
    const char *length = end ? memmem(conn->answer, (size_t)(end - conn->answer), "\r\nContent-Length: ", 18) : NULL;

    if (end && (strncmp(conn->answer, "HTTP/1.1 200 ", 13) != 0 || !length))
        fail("an answer that is not 200 with its length");
    return length ? (int)(end + 4 - conn->answer) + atoi(length + 18) : 0;
}

/* Bytes, which may be the session tickets of TLS 1.3 only. */
static void on_event(struct conn *conn)
{
    int n = SSL_read(conn->ssl, conn->answer + conn->len, ANSWER_MAX - conn->len), whole;

    if (n <= 0) {
        if (SSL_get_error(conn->ssl, n) != SSL_ERROR_WANT_READ)
            fail("a connection ended");
        return;
    }
    conn->len += n;
    whole = answer_len(conn);
    if (whole > conn->len || whole == 0)
        on_event(conn);
    else if (whole < conn->len)
        fail("more than an answer");
    else
        answered(conn->lane);
}

static void run(uint64_t checks)
{
    struct epoll_event events[BATCH];

    while (done < checks) {
        int n = epoll_wait(epoll_fd, events, BATCH, -1);

        for (int i = 0; i < n; i++)
            on_event(events[i].data.ptr);
    }
}

/* ---- the whole ---- */

static struct lane *make_lanes(const char *host)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct lane *lanes = calloc(n_lanes, sizeof(*lanes));

    if (!ctx || !lanes)
        fail("out of memory");
    SSL_CTX_set_read_ahead(ctx, 1); /* one recv() an answer instead of two */
    for (uint32_t i = 0; i < n_lanes; i++) {
        lanes[i].conns = calloc(n_pods, sizeof(struct conn));
        lanes[i].order = calloc(n_pods, sizeof(uint32_t));
        if (!lanes[i].conns || !lanes[i].order)
            fail("out of memory");
        for (uint32_t k = 0; k < n_pods; k++) {
            lanes[i].order[k] = k;
            lanes[i].conns[k].lane = &lanes[i];
            connect_to(ctx, &lanes[i].conns[k], &pods[k], host);
        }
    }
    SSL_CTX_free(ctx);
    return lanes;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char *argv[])
{
    struct rlimit files;
    struct lane *lanes;
    uint64_t checks;
    int64_t cpu, wall;

    if (argc != 6)
        fail("LANES CHECKS HOST PATH TOKEN");
    n_lanes = (uint32_t)atoi(argv[1]);
    checks = to_begin = strtoull(argv[2], NULL, 10);
    question_len = snprintf(question, sizeof(question),
                            "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: syncer\r\nCookie: auth_token=%s\r\n"
                            "X-Request-ID: 4f1c0e5d2b7a4c8e9f3a6b1d0c5e7f92\r\n\r\n",
                            argv[4], argv[3], argv[5]);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    read_pods();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    times_us = calloc(checks + 1, sizeof(double));
    if (n_pods == 0 || n_lanes == 0 || epoll_fd < 0 || !times_us)
        fail("nothing to do");
    lanes = make_lanes(argv[3]);
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    wall = clock_ns(CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < n_lanes && to_begin > 0; i++)
        begin(&lanes[i]);
    run(checks);
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    qsort(times_us, done, sizeof(double), compare);
    if (done > 0)
        printf("checks_per_s %.1f\ncpu_us %.3f\np50_us %.1f\np99_us %.1f\n", (double)done * 1e9 / (double)wall,
               (double)cpu / 1e3 / (double)done, times_us[done / 2], times_us[done * 99 / 100]);
    printf("handshakes %ju\n", (uintmax_t)handshakes);
    return 0;
}
