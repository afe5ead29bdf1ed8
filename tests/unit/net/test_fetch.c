/* SPDX-License-Identifier: MIT */
/* Whole transfers against a server that says every byte itself: what is told, when, and how each end is
 * named. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <syncer/net/fetch.h>

#include "fake_server.h"

TestSuite(fetch, .timeout = 20);

/* ---- the rig ---- */

struct got {
    unsigned heads, dones;
    int status;
    char type[64], body[4096];
    size_t body_len;
    struct fetch_result result;
};

static struct loop *loop;
static struct fetcher *fetcher;
static struct fake_server server;
static struct fetch *handle;
static struct got got;
static char url[128];

static void on_head(void *arg, int status, const char *content_type)
{
    struct got *g = arg;

    g->heads++;
    g->status = status;
    snprintf(g->type, sizeof(g->type), "%s", content_type);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct got *g = arg;

    cr_assert_eq(g->heads, 1);
    cr_assert_lt(g->body_len + len, sizeof(g->body));
    memcpy(g->body + g->body_len, data, len);
    g->body_len += len;
    return 0;
}

static void on_done(void *arg, const struct fetch_result *result)
{
    struct got *g = arg;

    g->dones++;
    g->result = *result;
}

static const struct fetch_events events = {on_head, on_data, on_done};

static void open_rig(void)
{
    loop = loop_new(NULL);
    cr_assert(loop);
    fetcher = fetcher_new(loop, "syncer/test", NULL);
    cr_assert(fetcher);
}

static void close_rig(void)
{
    fetcher_free(fetcher);
    loop_free(loop);
    if (server.pid > 0)
        fake_server_stop(&server);
}

static void serve(fake_script *script)
{
    fake_server_start(&server, "127.0.0.1", script);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", (unsigned)server.port);
}

static void start(void)
{
    struct fetch_request request = {.url = url};
    struct err err = {""};

    memset(&got, 0, sizeof(got));
    cr_assert_eq(fetch_start(fetcher, &request, &events, &got, &handle, &err), 0, "%s", err.text);
}

#define until(condition) \
    while (!(condition)) \
    cr_assert_eq(loop_turn(loop, -1, NULL), 0)

/* One request to its end. */
static void run(void)
{
    start();
    until(got.dones);
    cr_expect_null(handle);
}

#define Fetch(name) Test(fetch, name, .init = open_rig, .fini = close_rig)

/* ---- the head ---- */

/* Answers as a watch does: the head, and nothing more until the test says so. */
static void quiet_watch(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn,
               "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    fake_await_go(conn);
    fake_write(conn, "5\r\nhello\r\n0\r\n\r\n");
    fake_await_end(conn);
}

Fetch(the_head_is_told_before_any_body)
{
    serve(quiet_watch);
    start();
    until(got.heads);
    cr_expect_eq(got.status, 200);
    cr_expect_str_eq(got.type, "application/json");
    cr_expect_eq(got.dones, 0);
    fake_server_go(&server);
    until(got.dones);
    cr_expect_eq(got.heads, 1);
    cr_expect_str_eq(got.body, "hello");
    cr_expect_eq(got.result.end, FETCH_COMPLETE);
}

static void interim_and_trailers(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n");
    fake_write(conn,
               "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
               "2\r\nno\r\n0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n");
    fake_await_end(conn);
}

Fetch(interim_heads_and_trailers_are_not_told)
{
    serve(interim_and_trailers);
    run();
    cr_expect_eq(got.heads, 1);
    cr_expect_eq(got.status, 404);
    cr_expect_str_eq(got.type, "text/plain");
    cr_expect_str_eq(got.body, "no");
    cr_expect_eq(got.result.end, FETCH_COMPLETE);
}

static void no_body(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "HTTP/1.1 204 No Content\r\n\r\n");
    fake_await_end(conn);
}

Fetch(an_answer_without_a_body_has_a_head)
{
    serve(no_body);
    run();
    cr_expect_eq(got.heads, 1);
    cr_expect_eq(got.status, 204);
    cr_expect_str_eq(got.type, "");
    cr_expect_eq(got.result.end, FETCH_COMPLETE);
}

static void cut_head(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "HTTP/1.1 200 OK\r\nContent-Type: appl");
}

Fetch(a_cut_head_is_broken)
{
    serve(cut_head);
    run();
    cr_expect_eq(got.heads, 0);
    cr_expect_eq(got.result.end, FETCH_BROKEN);
    cr_expect_str_eq(got.result.reason, "the connection ended within the answer's head");
}
