/* SPDX-License-Identifier: MIT */
/* Bounds in bytes, in number and in time, and that who passes them is told. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <syncer/base/buf.h>
#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/net/listen.h>

#include "rig.h"

TestSuite(limits, .timeout = 60);

#define H "Host: a\r\n"
#define SHORT_MS INT64_C(100)

static struct rig rig;

static void open_with(int64_t client_ms, int64_t idle_ms, uint32_t connections)
{
    const struct http_settings settings = {
        .client_timeout_ms = client_ms,
        .keepalive_timeout_ms = idle_ms,
    };

    rig_open(&rig, &settings);
    if (connections > 0)
        rig.door.max_connections = connections;
}

/* A request line of `line` bytes and a field that brings the head to `head` bytes (0 = none). */
static char *make(int line, int head)
{
    const int around = (int)strlen("GET / HTTP/1.1");
    struct buf text;

    buf_init(&text, SIZE_MAX);
    buf_addf(&text, "GET /%0*d HTTP/1.1\r\n" H, line - around, 0);
    if (head > 0)
        buf_addf(&text, "X: %0*d\r\n", head - (int)text.len - (int)strlen("X: \r\n\r\n"), 0);
    buf_add_str(&text, "\r\n");
    buf_str(&text);
    cr_assert_not(text.failed);
    return text.data;
}

static void expect(const char *request, int status, bool close)
{
    struct client *c;

    open_with(0, 0, 0);
    c = client_open(&rig);
    client_send(c, request);
    client_wait_answers(c, 1, false);
    cr_expect_eq(client_status(c, 0, false), status, "%s", c->data);
    cr_expect_eq(client_has(c, 0, "Connection: close"), close);
    client_close(c);
    rig_close(&rig);
}

Test(limits, lines_and_heads)
{
    static const struct {
        int line, head, status;
    } rows[] = {{8192, 0, 404},    {8193, 0, 414},    {65536, 0, 414},
                {100, 24576, 404}, {100, 24577, 431}, {100, 1 << 20, 431}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *request = make(rows[i].line, rows[i].head);

        expect(request, rows[i].status, rows[i].status != 404);
        free(request);
    }
}

Test(limits, fields)
{
    for (unsigned n = 99; n <= 100; n++) {
        struct buf request;

        buf_init(&request, SIZE_MAX);
        buf_add_str(&request, "GET /text HTTP/1.1\r\n" H);
        for (unsigned i = 0; i < n; i++)
            buf_add_str(&request, "a: b\r\n");
        buf_add_str(&request, "\r\n");
        expect(buf_str(&request), n == 99 ? 200 : 431, n != 99);
        buf_release(&request);
    }
}

/* Refused when it is certain, not when the line is complete. */
Test(limits, an_endless_line_is_refused_early)
{
    struct client *c;
    char *request = make(9000, 0);

    open_with(0, 0, 0);
    c = client_open(&rig);
    client_send_bytes(c, request, 8193);
    client_wait_end(c);
    cr_expect_eq(client_status(c, 0, false), 414);
    free(request);
    client_close(c);
    rig_close(&rig);
}

static int64_t since_ms(int64_t began)
{
    return (clock_now_ns() - began) / NS_PER_MS;
}

/* One deadline for the whole head: bytes that trickle in do not move it. */
static void trickle(struct client *c)
{
    int64_t began = clock_now_ns();
    bool again = true;

    client_send(c, "GET /text HTTP/1.1\r\n" H "X: ");
    while (!c->eof && !c->reset) {
        cr_assert_eq(loop_turn(rig.loop, 10 * NS_PER_MS, NULL), 0);
        if (again && since_ms(began) > SHORT_MS / 2) {
            client_send(c, "x");
            again = false;
        }
    }
    cr_expect_geq(since_ms(began), SHORT_MS);
    cr_expect_lt(since_ms(began), 20 * SHORT_MS);
}

Test(limits, time_of_a_first_head)
{
    struct client *c;

    open_with(SHORT_MS, 0, 0);
    c = client_open(&rig);
    trickle(c);
    cr_expect_eq(client_status(c, 0, false), 408);
    cr_expect(client_has(c, 0, "Connection: close"));
    client_close(c);
    rig_close(&rig);
}

Test(limits, time_of_a_second_head)
{
    struct client *c;

    open_with(SHORT_MS, 0, 0);
    c = client_open(&rig);
    client_send(c, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_answers(c, 1, false);
    trickle(c);
    cr_expect_eq(client_status(c, 1, false), 408);
    client_close(c);
    rig_close(&rig);
}

Test(limits, time_of_a_body)
{
    struct client *c;

    open_with(SHORT_MS, 0, 0);
    c = client_open(&rig);
    client_send(c, "POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nab");
    client_wait_end(c);
    cr_expect_eq(client_status(c, 0, false), 408);
    client_close(c);
    rig_close(&rig);
}

/* Old clients send one behind a body: nobody waits for an answer to it. */
Test(limits, an_empty_line_is_no_request)
{
    struct client *c;

    open_with(SHORT_MS, 0, 0);
    for (int half_closed = 0; half_closed < 2; half_closed++) {
        c = client_open(&rig);
        client_send(c, "POST /text HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\na\r\n");
        if (half_closed)
            shutdown(c->fd, SHUT_WR);
        client_wait_end(c);
        cr_expect_eq(client_answers(c, false), 1);
        client_close(c);
    }
    rig_close(&rig);
}

/* Without a word: nothing has been asked. */
Test(limits, time_without_a_request)
{
    struct client *fresh, *kept;

    open_with(0, SHORT_MS, 0);
    fresh = client_open(&rig);
    kept = client_open(&rig);
    client_send(kept, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_end(fresh);
    client_wait_end(kept);
    cr_expect(fresh->eof && fresh->len == 0);
    cr_expect(kept->eof && client_answers(kept, false) == 1);
    rig_until(&rig, http_server_connections(rig.server) == 0);
    client_close(fresh);
    client_close(kept);
    rig_close(&rig);
}

Test(limits, no_keeping_alive_at_all)
{
    const struct http_settings settings = {.client_timeout_ms = 5000};
    static const struct http_router router;
    static const struct http_events events;
    struct http_door door = {.router = &router, .max_connections = 10};
    struct loop *loop = loop_new(NULL);
    struct http_server *server = http_server_new(loop, &settings, &events, NULL, NULL);
    struct client *c;

    open_with(0, 0, 0);
    http_server_free(rig.server);
    rig.server = server; /* of another loop: only its listener is put in there */
    cr_assert_eq(http_server_listen(server, rig.listen_fd, &door, NULL), 0);
    c = client_open(&rig);
    client_send(c, "GET / HTTP/1.1\r\n" H "\r\n");
    while (!c->eof && !c->reset) {
        cr_assert_eq(loop_turn(loop, NS_PER_MS, NULL), 0);
        cr_assert_eq(loop_turn(rig.loop, NS_PER_MS, NULL), 0);
    }
    cr_expect(client_has(c, 0, "Connection: close"));
    client_close(c);
    rig_close(&rig);
    loop_free(loop);
}

Test(limits, time_of_a_client_that_never_reads)
{
    struct client *c;

    open_with(SHORT_MS, 0, 0);
    c = client_open(&rig);
    loop_io_delete(&c->io);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    client_send(c, "GET /big HTTP/1.1\r\n" H "\r\n");
    rig_until(&rig, rig.closed == 1);
    cr_expect_eq(rig.answered, 0);
    client_close(c);
    rig_close(&rig);
}

/* After the answer a client may send on for a bounded time only. */
Test(limits, time_of_lingering)
{
    struct client *c;

    open_with(SHORT_MS, 0, 0);
    c = client_open(&rig);
    client_send(c, "nonsense\r\n");
    client_wait_end(c);
    cr_expect(c->eof);
    rig_until(&rig, rig.closed == 1);
    client_close(c);
    rig_close(&rig);
}

Test(limits, bytes_of_lingering)
{
    static char junk[9 * 1024 * 1024];
    struct client *c;

    open_with(0, 0, 0);
    c = client_open(&rig);
    client_send(c, "nonsense\r\n");
    client_send_bytes(c, junk, sizeof(junk));
    rig_until(&rig, rig.closed == 1);
    cr_expect_eq(client_status(c, 0, false), 400);
    client_close(c);
    rig_close(&rig);
}

/* Idle clients, and clients that never read, do not delay a new one. */
Test(limits, idle_clients_delay_nobody)
{
    struct client *many[500], *c;

    open_with(0, 0, 0);
    for (size_t i = 0; i < 500; i++) {
        many[i] = client_open(&rig);
        if (i % 50 == 0) {
            loop_io_delete(&many[i]->io);
            client_send(many[i], "GET /big HTTP/1.1\r\n" H "\r\n");
        } else if (i % 2 == 0) {
            client_send(many[i], "GET ");
        }
    }
    rig_until(&rig, rig.accepted == 500);
    c = client_open(&rig);
    client_send(c, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_answers(c, 1, false);
    cr_expect_eq(client_status(c, 0, false), 200);
    client_close(c);
    for (size_t i = 0; i < 500; i++)
        client_close(many[i]);
    rig_close(&rig);
}

Test(limits, who_is_one_too_many_is_told)
{
    struct client *kept, *more;

    open_with(0, 0, 1);
    kept = client_open(&rig);
    rig_until(&rig, rig.accepted == 1);
    more = client_open(&rig);
    client_send(more, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_end(more);
    cr_expect(more->eof && !more->reset);
    cr_expect_eq(client_status(more, 0, false), 503);
    cr_expect(client_has(more, 0, "Connection: close"));
    cr_expect(client_has(more, 0, "X-Error: 503"));
    client_close(more);
    rig_until(&rig, http_server_connections(rig.server) == 1);
    cr_expect(rig.refused == 1 && rig.accepted == 1 && rig.answered == 0 && rig.closed == 0);
    client_send(kept, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_answers(kept, 1, false);
    client_close(kept);
    rig_close(&rig);
}

/* More than are waited for afterwards: they stay, so that these would be used up. */
Test(limits, however_many_are_too_many_they_are_told)
{
    struct client *more[300], *kept;

    open_with(0, 0, 1);
    kept = client_open(&rig);
    rig_until(&rig, rig.accepted == 1);
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        more[i] = client_open(&rig);
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        client_wait_end(more[i]);
        cr_expect(more[i]->eof && !more[i]->reset && client_status(more[i], 0, false) == 503, "%zu", i);
    }
    cr_expect_eq(rig.refused, ARRAY_LEN(more));
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        client_close(more[i]);
    client_close(kept);
    rig_close(&rig);
}

/* Clients that nobody else takes wait for a moment, and then for the next one: not for ever, and not each of them. */
Test(limits, who_has_enough_takes_what_is_left)
{
    struct client *many[64];
    int64_t began;

    open_with(0, 0, 0);
    rig.has_enough = true;
    many[0] = client_open(&rig);
    rig_turn(&rig);
    cr_expect_eq(rig.accepted, 0);
    rig_until(&rig, rig.accepted == 1);
    began = clock_now_ns();
    for (size_t i = 1; i < ARRAY_LEN(many); i++)
        many[i] = client_open(&rig);
    rig_until(&rig, rig.accepted == ARRAY_LEN(many));
    cr_expect_geq(clock_now_ns() - began, 5 * NS_PER_MS); /* before the 2nd, 4th, 8th ... 64th */
    rig.has_enough = false;
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        client_send(many[i], "GET /text HTTP/1.1\r\n" H "\r\n");
        client_wait_answers(many[i], 1, false);
        client_close(many[i]);
    }
    rig_close(&rig);
}

/* Out of descriptors: the connection waits in the queue and is served when there is one again. */
Test(limits, no_descriptor_left)
{
    struct rlimit limit;
    struct client *c;
    int full[64], n = 0;

    open_with(0, 0, 0);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    c = client_open(&rig);
    limit.rlim_cur = (rlim_t)c->fd + 4;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (n < 64 && (full[n] = dup(0)) >= 0)
        n++;
    cr_assert(n < 64 && errno == EMFILE);
    client_send(c, "GET /text HTTP/1.1\r\n" H "\r\n");
    rig_turn(&rig); /* accept() fails */
    cr_expect_eq(loop_turn(rig.loop, 10 * NS_PER_MS, NULL), 0);
    cr_expect_eq(rig.accepted, 0);
    while (n > 0)
        close(full[--n]);
    client_wait_answers(c, 1, false);
    cr_expect_eq(client_status(c, 0, false), 200);
    client_close(c);
    rig_close(&rig);
}

Test(limits, a_flood_at_one_door_leaves_the_other_open)
{
    struct client *flood[3], *c;
    int admin_fd;
    bool in_use;

    open_with(0, 0, 2);
    struct http_door admin = {.router = rig.door.router, .max_connections = 1};
    admin_fd = listen_open("127.0.0.1:0", &in_use, NULL);
    cr_assert_eq(http_server_listen(rig.server, admin_fd, &admin, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(flood); i++)
        flood[i] = client_open(&rig);
    rig_until(&rig, rig.accepted == 2 && rig.refused == 1);
    cr_expect_eq(rig.door.n_conns, 2);
    c = client_open_at(&rig, admin_fd);
    client_send(c, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_answers(c, 1, false);
    cr_expect_eq(client_status(c, 0, false), 200);
    cr_expect_eq(admin.n_conns, 1);
    client_close(c);
    for (size_t i = 0; i < ARRAY_LEN(flood); i++)
        client_close(flood[i]);
    rig_until(&rig, http_server_connections(rig.server) == 0);
    cr_expect(rig.door.n_conns == 0 && admin.n_conns == 0);
    rig_close(&rig);
    listen_close("127.0.0.1:0", &admin_fd);
}
