/* SPDX-License-Identifier: MIT */
/* What answers look like: fields, HEAD, errors, large bodies, order. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/log.h>

#include "rig.h"

TestSuite(server, .timeout = 10);

#define H "Host: a\r\n"

static struct rig rig;

/* Sends `request` on a connection of its own and waits for an answer. */
static struct client *ask(const char *request, bool head)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, request);
    client_wait_answers(c, 1, head);
    return c;
}

static void done(struct client *c)
{
    client_close(c);
    rig_close(&rig);
}

Test(server, an_answer_has_its_fields)
{
    struct client *c = ask("GET /text HTTP/1.1\r\n" H "\r\n", false);
    char date[CLOCK_HTTP_DATE_BYTES];

    clock_http_date(clock_wall_ms(), date);
    cr_expect(strncmp(c->data, "HTTP/1.1 200 OK\r\nDate: ", 23) == 0);
    cr_expect_eq(strstr(strstr(c->data, "Date: "), "\r\n") - strstr(c->data, "Date: "), 6 + (long)strlen(date));
    cr_expect(client_has(c, 0, "X-Extra: 1"));
    cr_expect(client_has(c, 0, "Content-Type: text/plain"));
    cr_expect(client_has(c, 0, "Content-Length: 6"));
    cr_expect_not(strstr(c->data, "Connection:"));
    cr_expect(strstr(c->data, "\r\n\r\nhello\n"));
    done(c);
}

Test(server, an_empty_body_has_a_length)
{
    struct client *c = ask("GET / HTTP/1.1\r\n" H "\r\n", false);

    cr_expect(client_has(c, 0, "Content-Length: 0"));
    cr_expect_not(strstr(c->data, "Content-Type"));
    done(c);
}

Test(server, no_length_where_there_can_be_no_body)
{
    struct client *c = ask("OPTIONS * HTTP/1.1\r\n" H "\r\n", false);

    cr_expect_eq(client_status(c, 0, false), 204);
    cr_expect(client_has(c, 0, "Allow: GET, HEAD"));
    cr_expect_not(strstr(c->data, "Content-Length"));
    done(c);
}

Test(server, http_1_0_is_told_what_it_asked_for)
{
    struct client *c = ask("GET /text HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false);

    cr_expect(client_has(c, 0, "Connection: keep-alive"));
    done(c);
}

/* The head of the answer to `get`, without its Date, against that to `head`, which ends with it. */
static void compare_head(const char *get, const char *head)
{
    struct client *c = ask(get, true);
    char fields[1024] = "";

    memcpy(fields, c->data, (size_t)(strstr(c->data, "\r\n\r\n") + 4 - c->data));
    done(c);
    c = ask(head, true);
    for (unsigned i = 0; i < 16 && rig.answered == 0; i++)
        rig_turn(&rig);
    cr_expect_eq(c->len, strlen(fields), "%s\nnot the length of\n%s", c->data, fields);
    cr_expect_eq(strncmp(strstr(c->data, "GMT"), strstr(fields, "GMT"), sizeof(fields)), 0);
    done(c);
}

Test(server, head_gets_the_same_fields_and_no_bytes)
{
    compare_head("GET /text HTTP/1.1\r\n" H "\r\n", "HEAD /text HTTP/1.1\r\n" H "\r\n");
    compare_head("GET /nothing HTTP/1.1\r\n" H "\r\n", "HEAD /nothing HTTP/1.1\r\n" H "\r\n");
    compare_head("GET /big HTTP/1.1\r\n" H "\r\n", "HEAD /big HTTP/1.1\r\n" H "\r\n");
    compare_head("GET /text HTTP/1.1\r\n\r\n", "HEAD /text HTTP/1.1\r\n\r\n");
    compare_head("GET /te%xt HTTP/1.1\r\n" H "\r\n", "HEAD /te%xt HTTP/1.1\r\n" H "\r\n");
}

/* The method is known before the line is complete. */
Test(server, head_with_too_long_a_line_gets_no_bytes)
{
    static char request[9000] = "\r\nHEAD /";
    struct client *c;

    memset(request + strlen(request), 'a', sizeof(request) - strlen(request) - 1);
    c = ask(request, true);
    client_wait_end(c);
    cr_expect_eq(client_status(c, 0, true), 414);
    cr_expect(strlen(strstr(c->data, "\r\n\r\n")) == 4);
    done(c);
}

Test(server, errors_are_problem_documents)
{
    struct client *c = ask("GET /nothing HTTP/1.1\r\n" H "\r\n", false);

    cr_expect(client_has(c, 0, "Content-Type: application/problem+json"));
    cr_expect(client_has(c, 0, "X-Error: 404"));
    cr_expect_str_eq(strstr(c->data, "\r\n\r\n") + 4,
                     "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                     "\"detail\":\"there is nothing under this path\"}");
    done(c);
    c = ask("POST /text HTTP/1.1\r\n" H "\r\n", false);
    cr_expect(client_has(c, 0, "Allow: GET, HEAD"));
    cr_expect(client_has(c, 0, "X-Error: 405"));
    done(c);
    c = ask("nonsense\r\n", false);
    cr_expect(client_has(c, 0, "X-Error: 400"));
    done(c);
}

Test(server, a_large_body_comes_whole)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /big HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
    client_wait_end(c);
    cr_expect_eq(c->received, RIG_BIG_BYTES + (size_t)(strstr(c->data, "\r\n\r\n") + 4 - c->data));
    done(c);
}

Test(server, pipelined_requests_are_answered_in_order)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /later HTTP/1.1\r\n" H "\r\nGET /text HTTP/1.1\r\n" H "\r\nPOST /text HTTP/1.1\r\n" H
                   "Content-Length: 2\r\n\r\nab"
                   "GET / HTTP/1.1\r\n" H "\r\n");
    rig_until(&rig, rig.n_later == 1);
    cr_expect_eq(http_server_busy(rig.server), 1);
    http_answer_begin(rig.later[0], 202);
    http_answer_end(rig.later[0], NULL, NULL, 0);
    client_wait_answers(c, 4, false);
    cr_expect_eq(client_status(c, 0, false), 202);
    cr_expect_eq(client_status(c, 1, false), 200);
    cr_expect_eq(client_status(c, 2, false), 405);
    cr_expect_eq(client_status(c, 3, false), 200);
    cr_expect_eq(rig.answered, 4);
    cr_expect_eq(http_server_busy(rig.server), 0);
    done(c);
}

/* A pipelining client must not keep others waiting: a turn is bounded for each connection. */
Test(server, a_pipelining_client_shares_the_loop)
{
    struct client *c, *other;
    struct buf many;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    buf_init(&many, SIZE_MAX);
    for (unsigned i = 0; i < 1000; i++)
        buf_add_str(&many, "GET / HTTP/1.1\r\n" H "\r\n");
    client_send(c, buf_str(&many));
    buf_release(&many);
    other = client_open(&rig);
    client_send(other, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_answers(other, 1, false);
    cr_expect_lt(rig.answered, 500, "%u answers before the other's", rig.answered);
    rig_until(&rig, rig.answered == 1001);
    client_close(other);
    done(c);
}

/* Nothing that the client wrote gets into the log but what is known before: methods, routes. */
Test(server, the_access_log_shows_no_secret)
{
    struct http_settings settings = {.access_log = true};
    static const struct {
        const char *request, *line;
    } cases[] = {
        {"GET /text?secret HTTP/1.1\r\n" H "X-Auth-Token: secret\r\n\r\n",
         " client=127.0.0.1 method=GET path=/text query=* status=200 bytes="},
        {"GET /text HTTP/1.1\r\n" H "\r\n", " path=/text status=200 "},
        {"GET /t%65xt HTTP/1.1\r\n" H "\r\n", " path=/text status=200 "},
        {"GET /text/secret HTTP/1.1\r\n" H "\r\n", " path=/text/* status=404 "},
        {"GET /textsecret HTTP/1.1\r\n" H "\r\n", " path=/* status=404 "},
        {"GET http://secret/secret?secret=secret HTTP/1.1\r\n" H "\r\n", " path=/* query=* status=404 "},
        {"OPTIONS * HTTP/1.1\r\n" H "\r\n", " method=OPTIONS path=* status=204 "},
        {"POST /text HTTP/1.1\r\n" H "\r\n", " method=POST path=/text status=405 "},
        {"secret /secret HTTP/1.1\r\n" H "\r\n", " method=* path=/* status=501 "},
        {"GET secret HTTP/1.1\r\n" H "\r\n", " method=GET path=* status=400 "},
        {"GET / HTTP/1.1\r\nsecret secret\r\n\r\n", " path=/ status=400 "},
        {"GET /text/secret HTTP/1.1\r\nsecret secret\r\n\r\n", " path=/text/* status=400 "},
        {"GET /text?%secret HTTP/1.1\r\n" H "\r\n", " path=/text query=* status=400 "},
    };
    struct client *c = NULL;
    int ends[2], saved = dup(2);

    cr_assert(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0 && dup2(ends[1], 2) == 2);
    rig_open(&rig, &settings);
    log_open("worker");
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        char text[1024] = "";

        if (c)
            client_close(c);
        c = client_open(&rig);
        client_send(c, cases[i].request);
        client_wait_answers(c, 1, false);
        rig_until(&rig, rig.answered == i + 1);
        log_flush();
        cr_assert_gt(read(ends[0], text, sizeof(text) - 1), 0);
        cr_expect(strstr(text, cases[i].line), "%s in %s", cases[i].line, text);
        cr_expect(strstr(text, " ms=") && !strstr(text, "secret"), "%s", text);
    }
    log_close(1000);
    dup2(saved, 2);
    done(c);
}
