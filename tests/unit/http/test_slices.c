/* SPDX-License-Identifier: MIT */
/* Bodies that are made while they go out: their framing, their end, and what they may hold up. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

TestSuite(slices, .timeout = 10);

#define GET "GET /slices HTTP/1.1\r\nHost: a\r\n\r\n"

static struct rig rig;

static struct client *ask(unsigned n, size_t bytes, const char *request)
{
    struct client *c = client_open(&rig);

    rig.slices.n = n;
    rig.slices.bytes = bytes;
    client_send(c, request);
    return c;
}

/* Takes the chunks from `at` apart; the body's length, or -1. *end is behind the last one. */
static long unchunk(const char *at, char *body, const char **end)
{
    long len = 0, chunk;
    char *rest;

    while ((chunk = strtol(at, &rest, 16)) > 0) {
        if (rest == at || strncmp(rest, "\r\n", 2) != 0 || strncmp(rest + 2 + chunk, "\r\n", 2) != 0)
            return -1;
        memcpy(body + len, rest + 2, (size_t)chunk);
        len += chunk;
        at = rest + 2 + chunk + 2;
    }
    *end = rest + 4;
    return strncmp(rest, "\r\n\r\n", 4) == 0 ? len : -1;
}

static const char *body_of(const struct client *c)
{
    const char *end = strstr(c->data, "\r\n\r\n");

    cr_assert(end, "%s", c->data);
    return end + 4;
}

Test(slices, go_out_in_chunks_and_the_connection_goes_on)
{
    static char body[65536];
    struct client *c;
    const char *end = NULL;

    rig_open(&rig, NULL);
    c = ask(5, 1000, GET "GET /text HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_until(&rig, strstr(c->data, "hello\n"));
    cr_expect(client_has(c, 0, "Transfer-Encoding: chunked"));
    cr_expect_null(strstr(c->data, "Connection: close"));
    cr_expect_eq(unchunk(body_of(c), body, &end), 5000);
    for (int i = 0; i < 5; i++)
        cr_expect_eq(body[(ptrdiff_t)1000 * i], '0' + i);
    cr_expect_eq(strncmp(end, "HTTP/1.1 200 ", 13), 0, "%.40s", end);
    cr_expect(rig.slices.made == 5 && rig.slices.released == 1);
    client_close(c);
    rig_close(&rig);
}

Test(slices, one_goes_out_with_its_length)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = ask(1, 700, GET);
    client_wait_answers(c, 1, false);
    cr_expect(client_has(c, 0, "Content-Length: 700"));
    cr_expect_null(strstr(c->data, "chunked"));
    cr_expect_eq(rig.slices.released, 1);
    client_close(c);
    rig_close(&rig);
}

Test(slices, to_http_1_0_the_body_ends_with_the_connection)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = ask(4, 1000, "GET /slices HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    client_wait_end(c);
    cr_expect(client_has(c, 0, "Connection: close"));
    cr_expect_null(strstr(c->data, "chunked"));
    cr_expect_eq(strlen(body_of(c)), 4000);
    cr_expect(c->eof && rig.slices.released == 1);
    client_close(c);
    rig_close(&rig);
}

Test(slices, to_head_only_the_head_goes_out)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = ask(4, 1000, "HEAD /slices HTTP/1.1\r\nHost: a\r\n\r\nHEAD /slices HTTP/1.1\r\nHost: a\r\n\r\n");
    client_wait_answers(c, 2, true);
    cr_expect(client_has(c, 0, "Transfer-Encoding: chunked"));
    cr_expect(rig.slices.made == 2 && rig.slices.released == 2, "%u made", rig.slices.made);
    cr_expect_eq(client_answers(c, true), 2);
    cr_expect_null(strstr(c->data, "sss"));
    client_close(c);
    c = ask(1, 700, "HEAD /slices HTTP/1.1\r\nHost: a\r\n\r\n");
    client_wait_answers(c, 1, true);
    cr_expect(client_has(c, 0, "Content-Length: 700"));
    client_close(c);
    rig_close(&rig);
}

Test(slices, empty_ones_are_no_end)
{
    static char body[65536];
    struct client *c;
    const char *end = NULL;

    rig_open(&rig, NULL);
    c = ask(50, 0, GET);
    rig_until(&rig, strstr(c->data, "0\r\n\r\n"));
    cr_expect(rig.slices.made == 50 && rig.slices.released == 1);
    cr_expect_eq(unchunk(body_of(c), body, &end), 0);
    client_close(c);
    rig_close(&rig);
}

Test(slices, one_that_fails_leaves_the_body_without_an_end)
{
    struct client *c;

    rig_open(&rig, NULL);
    rig.slices.fail = true;
    c = ask(3, 1000, GET);
    client_wait_end(c);
    cr_expect_null(strstr(c->data, "0\r\n\r\n"));
    cr_expect_eq(rig.slices.released, 1);
    client_close(c);
    rig_close(&rig);
}

/* 100 MB that nobody reads: as many slices are made as the socket takes, and then, at the deadline, none. */
Test(slices, a_client_that_does_not_read_holds_a_slice_until_the_deadline)
{
    const struct http_settings settings = {.client_timeout_ms = 300};
    struct client *c;
    unsigned made;

    rig_open(&rig, &settings);
    c = ask(6400, HTTP_SLICE_BYTES, GET);
    loop_io_delete(&c->io);
    rig_until(&rig, rig.closed == 1);
    made = rig.slices.made;
    cr_expect(made > 1 && made < 3200, "%u made", made);
    cr_expect_eq(rig.slices.released, 1);
    close(c->fd);
    free(c);
    rig_close(&rig);
}

Test(slices, a_client_that_goes_frees_them)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = ask(6400, HTTP_SLICE_BYTES, GET);
    rig_until(&rig, rig.slices.made > 10);
    client_close(c);
    rig_until(&rig, rig.closed == 1);
    cr_expect(rig.slices.released == 1 && rig.slices.made < 6400);
    rig_close(&rig);
}

Test(slices, the_server_may_end_between_them)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = ask(6400, HTTP_SLICE_BYTES, GET);
    rig_until(&rig, rig.slices.made > 10);
    rig_close(&rig);
    cr_expect_eq(rig.slices.released, 1);
    close(c->fd);
    free(c);
}

Test(slices, others_are_served_between_them)
{
    struct client *long_one, *other;

    rig_open(&rig, NULL);
    long_one = ask(6400, HTTP_SLICE_BYTES, GET);
    rig_until(&rig, rig.slices.made > 10);
    other = client_open(&rig);
    client_send(other, "GET /text HTTP/1.1\r\nHost: a\r\n\r\n");
    client_wait_answers(other, 1, false);
    cr_expect_lt(rig.slices.made, 100);
    client_close(other);
    client_close(long_one);
    rig_until(&rig, rig.closed == 2);
    rig_close(&rig);
}
