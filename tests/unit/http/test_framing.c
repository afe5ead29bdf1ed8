/* SPDX-License-Identifier: MIT */
/* Where a request ends: what must be refused, what must be taken, and that no byte of a body is read as a
 * request. Each row is sent whole and byte by byte. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "rig.h"

TestSuite(framing, .timeout = 10);

#define H "Host: a\r\n"
#define NEXT "GET /text HTTP/1.1\r\n" H "\r\n"
#define TRAP "GET /trap HTTP/1.1\r\n" H "\r\n" /* 404 if it is taken for a request */

struct row {
    const char *request;
    int status;
    bool close; /* the answer is the only one; else NEXT, which follows, is answered too */
};

static const struct row rows[] = {
    /* lengths and codings */
    {"POST /text HTTP/1.1\r\n" H "Content-Length: 4\r\n\r\nGET ", 405, false},
    {"GET /text HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 200, false},
    {"POST /text HTTP/1.1\r\n" H "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Content-Length: 4, 4\r\n\r\nabcd" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Content-Length: +4\r\n\r\nabcd" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Content-Length: 0x4\r\n\r\nabcd" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Content-Length:\r\n\r\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" TRAP, 400,
     true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n" TRAP, 501, true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" TRAP, 501, true},
    {"POST /text HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" TRAP, 400, true},
    /* chunks */
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n", 405, false},
    {"GET /text HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n1;a=b\r\nx\r\n0\r\nX-Auth-Token: t\r\n\r\n", 200,
     false},
    {"GET /token HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Auth-Token: t\r\n\r\n", 200, false},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n4\r\nabcdX" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nz\r\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n4\nabcd\n0\n\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" TRAP, 400, true},
    {"POST /text HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n" TRAP, 413, true},
    /* grammar */
    {"GET /text HTTP/1.1\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\n" H H "\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.0\r\n" H H "\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\nHost: a b\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\nHost : a\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\n" H ": a\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\n" H "X(: a\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\n" H "X\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\n" H "X: a\rb\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\r\n" H "X: a\001b\r\n\r\n" TRAP, 400, true},
    {"GET /text HTTP/1.1\n" H "\n" TRAP, 400, true},
    {"GET  /text HTTP/1.1\r\n" H "\r\n" TRAP, 400, true},
    {"GET /text\r\n" H "\r\n" TRAP, 400, true},
    {"GET /te%zzxt HTTP/1.1\r\n" H "\r\n" TRAP, 400, true},
    {"GET /text HTTP/2.0\r\n" H "\r\n" TRAP, 505, true},
    {"GET /text HTTP/1.9\r\n" H "\r\n", 200, false},
    {"GET /text HTTP/1.1\r\nHost: a_b\r\nX:\t a\200 \t\r\nEmpty:\r\n!#$%&'*+-.^_`|~: x\r\n\r\n", 200, false},
    {"\r\nGET /text HTTP/1.1\r\n" H "\r\n", 200, false},
    {"GET http://b/text HTTP/1.1\r\n" H "\r\n", 200, false},
    {"GET http://b HTTP/1.1\r\n" H "\r\n", 200, false},
    /* methods and paths */
    {"get /text HTTP/1.1\r\n" H "\r\n", 501, false},
    {"GETT /text HTTP/1.1\r\n" H "\r\n", 501, false},
    {"PATCH /text HTTP/1.1\r\n" H "\r\n", 405, false},
    {"PATCH /nothing HTTP/1.1\r\n" H "\r\n", 404, false},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 204, false},
    {"OPTIONS /text HTTP/1.1\r\n" H "\r\n", 405, false},
    {"CONNECT a:1 HTTP/1.1\r\n" H "\r\n" TRAP, 405, true},
    {"GET /%74ext?x=1 HTTP/1.1\r\n" H "\r\n", 200, false},
    {"GET /text%00 HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET /text%00x HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET /text/ HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET //text HTTP/1.1\r\n" H "\r\n", 404, false},
    {"GET /Text HTTP/1.1\r\n" H "\r\n", 404, false},
    /* keeping alive */
    {"GET /text HTTP/1.1\r\n" H "Connection: x, CLOSE\r\n\r\n" TRAP, 200, true},
    {"GET /text HTTP/1.1\r\n" H "Connection: x\r\nConnection: close\r\n\r\n" TRAP, 200, true},
    {"GET /text HTTP/1.0\r\n\r\n" TRAP, 200, true},
    {"GET /text HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, false},
    {"GET /text HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n", 200, false},
};

static void check(const struct client *c, const struct row *row)
{
    unsigned n = client_answers(c, false);

    cr_expect_eq(client_status(c, 0, false), row->status, "%s\ngot %s", row->request, c->data);
    cr_expect_eq(n, row->close ? 1 : 2, "%u answers to\n%s\ngot %s", n, row->request, c->data);
    cr_expect_eq(client_has(c, 0, "Connection: close"), row->close, "%s\ngot %s", row->request, c->data);
    cr_expect_not(c->reset, "%s", row->request);
    cr_expect(strstr(c->data, "\r\nDate: "));
    if (!row->close)
        cr_expect(client_status(c, 1, false) == 200 && strstr(c->data, "hello"), "%s\ngot %s", row->request, c->data);
}

static void run_row(const struct row *row, bool cut)
{
    struct rig rig;
    struct client *c;
    char text[1024];

    snprintf(text, sizeof(text), "%s%s", row->request, row->close ? "" : NEXT);
    rig_open(&rig, NULL);
    c = client_open(&rig);
    for (size_t i = 0, n = cut ? 1 : strlen(text); i < strlen(text); i += n) {
        client_send_bytes(c, text + i, n);
        if (cut)
            cr_assert_eq(loop_turn(rig.loop, 0, NULL), 0);
    }
    if (row->close)
        client_wait_end(c);
    else
        client_wait_answers(c, 2, false);
    check(c, row);
    client_close(c);
    rig_close(&rig);
}

Test(framing, rows_sent_whole)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        run_row(&rows[i], false);
}

/* The same, but for bodies with a length, of which not all has come when the answer is made: that one closes. */
Test(framing, rows_sent_byte_by_byte)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct row row = rows[i];

        if (strstr(row.request, "Content-Length: 4\r\n\r\nGET "))
            row.close = true;
        run_row(&row, true);
    }
}

Test(framing, nul_in_a_head_is_refused)
{
    static const char request[] = "GET /text HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    struct rig rig;
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send_bytes(c, request, sizeof(request) - 1);
    client_wait_end(c);
    cr_expect_eq(client_status(c, 0, false), 400);
    client_close(c);
    rig_close(&rig);
}

/* The answer does not wait for the body, and what comes where the body should is no request. */
Test(framing, a_body_that_never_comes_is_not_waited_for)
{
    struct rig rig;
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /text HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n");
    client_wait_answers(c, 1, false);
    cr_expect_eq(client_status(c, 0, false), 200);
    cr_expect(client_has(c, 0, "Connection: close"));
    client_send(c, TRAP);
    client_wait_end(c);
    cr_expect_eq(client_answers(c, false), 1);
    cr_expect_eq(rig.answered, 1);
    client_close(c);
    rig_close(&rig);
}

/* RFC 9110 section 10.1.1: the final answer instead of a 100, and the body may come or not. */
Test(framing, who_waits_for_a_100_gets_the_final_answer)
{
    static const char *const bodies[] = {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"};

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct rig rig;
        struct client *c;
        char text[256];

        rig_open(&rig, NULL);
        c = client_open(&rig);
        snprintf(text, sizeof(text), "POST /text HTTP/1.1\r\n" H "Expect: 100-continue\r\n%s\r\n", bodies[i]);
        client_send(c, text);
        client_wait_end(c);
        cr_expect_eq(client_status(c, 0, false), 405);
        cr_expect(client_has(c, 0, "Connection: close"));
        client_close(c);
        rig_close(&rig);
    }
}

/* A large body is thrown away, and the answer is not lost by a reset while the client still sends. */
Test(framing, an_answer_survives_a_body_in_flight)
{
    static char body[1024 * 1024];
    struct rig rig;
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "POST /text HTTP/1.1\r\n" H "Content-Length: 1048576\r\n\r\n");
    client_send_bytes(c, body, sizeof(body));
    client_wait_end(c);
    cr_expect(c->eof && !c->reset);
    cr_expect_eq(client_status(c, 0, false), 405);
    client_close(c);
    rig_close(&rig);
}

Test(framing, nothing_is_carried_over_to_the_next_request)
{
    struct rig rig;
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /token HTTP/1.1\r\n" H "X-Auth-Token: one\r\n\r\nGET /token HTTP/1.1\r\n" H "\r\n"
                   "GET /token HTTP/1.1\r\n" H "X-Auth-Token: a\r\nx-auth-token: a\r\n\r\n");
    client_wait_answers(c, 3, false);
    cr_expect(strstr(client_answer(c, 0, false), "\r\n\r\n1 one\n"));
    cr_expect(strstr(client_answer(c, 1, false), "\r\n\r\n0 \n"));
    cr_expect(strstr(client_answer(c, 2, false), "\r\n\r\n2 a\n"));
    client_close(c);
    rig_close(&rig);
}
