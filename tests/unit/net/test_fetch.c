/* SPDX-License-Identifier: MIT */
/* Whole transfers: what is told, when, and how each end is named. */
#include <config.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fetch_rig.h"

TestSuite(fetch, .timeout = 20);

/* ---- the head ---- */

/* Answers as a watch does: the head, and nothing more until the test says so. */
static void quiet_watch(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    fake_await_go(conn);
    fake_write(conn, "5\r\nhello\r\n0\r\n\r\n");
    fake_await_end(conn);
}

Fetch(the_head_is_told_before_any_body)
{
    serve(quiet_watch);
    start();
    until(f.got.heads);
    cr_expect_eq(f.got.status, 200);
    cr_expect_str_eq(f.got.type, "application/json");
    cr_expect_eq(f.got.dones, 0);
    fake_server_go(&f.server);
    until(f.got.dones);
    cr_expect_eq(f.got.heads, 1);
    cr_expect_str_eq(f.got.body, "hello");
    cr_expect_eq(f.got.result.end, FETCH_COMPLETE);
}

static void interim_and_trailers(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n");
    fake_write(conn, "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "2\r\nno\r\n0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n");
    fake_await_end(conn);
}

Fetch(interim_heads_and_trailers_are_not_told)
{
    serve(interim_and_trailers);
    run();
    cr_expect_eq(f.got.heads, 1);
    cr_expect_eq(f.got.status, 404);
    cr_expect_str_eq(f.got.type, "text/plain");
    cr_expect_str_eq(f.got.body, "no");
    cr_expect_eq(f.got.result.end, FETCH_COMPLETE);
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
    cr_expect_eq(f.got.heads, 1);
    cr_expect_eq(f.got.status, 204);
    cr_expect_str_eq(f.got.type, "");
    cr_expect_eq(f.got.result.end, FETCH_COMPLETE);
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
    cr_expect_eq(f.got.heads, 0);
    cr_expect_eq(f.got.result.end, FETCH_BROKEN);
    cr_expect_str_eq(f.got.result.reason, "the connection ended within the answer's head");
}

Fetch(fields_go_and_come)
{
    static const char *const fields[] = {"X-One: 1", "X-Token: " TOKEN, NULL};

    serve(interim_and_trailers);
    f.request.fields = fields;
    run();
    cr_expect(strstr(f.server.seen->head, "\r\nX-One: 1\r\nX-Token: " TOKEN "\r\n"), "%s", f.server.seen->head);
    cr_expect_str_eq(f.got.fields, "HTTP/1.1 404 Not Found\nContent-Type: text/plain\nTransfer-Encoding: chunked\n");
}

/* ---- the body and its end ---- */

Fetch(content_length_and_what_is_asked)
{
    serve(hello);
    run();
    expect_answer("hello");
    cr_expect_eq(strncmp(f.server.seen->head, "GET /x HTTP/1.1\r\n", 17), 0);
    cr_expect(strstr(f.server.seen->head, "\r\nAuthorization: Bearer " TOKEN "\r\n"));
    cr_expect(strstr(f.server.seen->head, "\r\nUser-Agent: syncer/test\r\n"));
    cr_expect(strstr(f.server.seen->head, "\r\nAccept: application/json\r\n"));
    cr_expect_eq(f.got.result.retry_after_ms, -1);
}

Fetch(chunks_come_as_they_are_sent)
{
    serve(in_pieces);
    start();
    until(f.got.body_len == 3);
    fake_server_go(&f.server);
    until(f.got.dones);
    expect_answer("hello");
}

static void until_close(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HEAD "\r\nhello");
}

Fetch(a_body_of_unknown_length_ends_with_the_connection)
{
    serve(until_close);
    run();
    expect_answer("hello");
}

static void cut_length(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HEAD "Content-Length: 6\r\n\r\nhello");
}

static void cut_chunk(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n6\r\nhello");
}

static void no_last_chunk(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
}

static void no_http(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "220 mail.test ESMTP\r\n");
}

static void nothing(struct fake_conn *conn)
{
    fake_read_head(conn);
}

static void switching(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
}

static void is_broken(fake_script *script, unsigned heads)
{
    serve(script);
    run();
    cr_expect_eq(f.got.result.end, FETCH_BROKEN);
    cr_expect_eq(f.got.heads, heads);
}

Fetch(cut_within_the_length)
{
    is_broken(cut_length, 1);
}

Fetch(cut_within_a_chunk)
{
    is_broken(cut_chunk, 1);
}

Fetch(cut_before_the_last_chunk)
{
    is_broken(no_last_chunk, 1);
}

Fetch(no_http_at_all)
{
    is_broken(no_http, 0);
}

Fetch(no_answer_at_all)
{
    is_broken(nothing, 0);
}

Fetch(another_protocol)
{
    is_broken(switching, 0);
}

static void retry_after(struct fake_conn *conn)
{
    static const char *const values[] = {"7", "86400", "0", "soon"};

    for (size_t i = 0; i < 4 && fake_read_head(conn); i++) {
        fake_write(conn, "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nRetry-After: ");
        fake_write(conn, values[i]);
        fake_write(conn, "\r\n\r\n");
    }
    fake_await_end(conn);
}

Fetch(retry_after)
{
    static const int64_t expected[] = {7000, 3600000, -1, -1};

    serve(retry_after);
    for (size_t i = 0; i < 4; i++) {
        run();
        cr_expect_eq(f.got.result.end, FETCH_COMPLETE);
        cr_expect_eq(f.got.result.status, 429);
        cr_expect_eq(f.got.result.retry_after_ms, expected[i], "%zu: %ld", i, (long)f.got.result.retry_after_ms);
    }
}

/* ---- time ---- */

static void silent(struct fake_conn *conn)
{
    fake_await_end(conn);
}

static void stops_in_the_body(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HEAD "Content-Length: 6\r\n\r\nhello");
    fake_await_end(conn);
}

Fetch(the_whole_time_is_over)
{
    serve(stops_in_the_body);
    f.request.timeout_ms = 600;
    run();
    cr_expect_eq(f.got.result.end, FETCH_TIMEOUT);
    cr_expect_str_eq(f.got.body, "hello");
}

Fetch(silence)
{
    serve(stops_in_the_body);
    f.request.idle_timeout_ms = 600;
    run();
    cr_expect_eq(f.got.result.end, FETCH_TIMEOUT);
    cr_expect_eq(f.got.result.status, 200);
    cr_expect_str_eq(f.got.result.reason, "the server has been silent for too long");
}

Fetch(no_answer_in_time)
{
    serve(silent);
    f.request.timeout_ms = 600;
    run();
    cr_expect_eq(f.got.result.end, FETCH_TIMEOUT);
    cr_expect_eq(f.got.result.status, 0);
}

/* Plain, so that the handshake is never answered. */
Fetch(no_handshake_in_time)
{
    serve(silent);
    f.trust = trust_new(&(struct trust_settings){.verify = false}, NULL);
    snprintf(f.url, sizeof(f.url), "https://127.0.0.1:%u/x", (unsigned)f.server.port);
    f.request.trust = f.trust;
    f.request.connect_timeout_ms = 50;
    run();
    cr_expect_eq(f.got.result.end, FETCH_NO_CONNECT);
}

/* A listener whose queue is full drops the first packet. */
Fetch(no_connection_in_time)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(full, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(listen(full, 0), 0);
    cr_assert_eq(getsockname(full, (struct sockaddr *)&addr, &len), 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&addr, len), 0);
    snprintf(f.url, sizeof(f.url), "http://127.0.0.1:%u/x", (unsigned)ntohs(addr.sin_port));
    f.request.connect_timeout_ms = 50;
    run();
    cr_expect_eq(f.got.result.end, FETCH_NO_CONNECT);
    close(client);
    close(full);
}

Fetch(refused)
{
    serve(hello);
    fake_server_stop(&f.server);
    f.server.pid = 0;
    run();
    cr_expect_eq(f.got.result.end, FETCH_NO_CONNECT);
}

/* ---- given up ---- */

Fetch(cancelled_before_anything)
{
    serve(hello);
    start();
    fetch_cancel(&f.handle);
    cr_expect_null(f.handle);
    fetch_cancel(&f.handle);
    run();
    expect_answer("hello");
}

Fetch(cancelled_under_way)
{
    serve(quiet_watch);
    start();
    until(f.got.heads);
    fetch_cancel(&f.handle);
    cr_expect_null(f.handle);
    turn();
    cr_expect_eq(f.got.dones, 0);
}

static void then_again(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, conn->number == 1 ? OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
                                       : OK_HELLO);
    fake_await_end(conn);
}

/* What was under way to us then is nobody's: who asked may be gone. */
Fetch(bytes_that_come_after_it_was_cancelled)
{
    struct pollfd look = {.events = POLLIN};

    serve(in_pieces);
    start();
    until(f.got.pieces);
    look.fd = fd_of_connection();
    fake_server_go(&f.server);
    cr_assert_eq(poll(&look, 1, 5000), 1);
    fetch_cancel(&f.handle);
    turn();
    cr_expect_eq(f.got.pieces, 1);
    cr_expect_eq(f.got.dones, 0);
}

Fetch(cancelled_from_on_head)
{
    serve(then_again);
    start();
    f.got.at_head = ACT_CANCEL;
    until(!f.handle);
    cr_expect_eq(f.got.heads, 1);
    cr_expect_eq(f.got.pieces, 0);
    cr_expect_eq(f.got.dones, 0);
    run();
    expect_answer("hello");
}

Fetch(cancelled_from_on_data)
{
    serve(then_again);
    start();
    f.got.at_data = ACT_CANCEL;
    until(!f.handle);
    cr_expect_eq(f.got.pieces, 1);
    cr_expect_eq(f.got.dones, 0);
    run();
    expect_answer("hello");
}

Fetch(cancelled_from_on_done)
{
    serve(hello);
    start();
    f.got.at_done = ACT_CANCEL;
    until(f.got.dones);
    expect_answer("hello");
}

Fetch(refused_by_on_data)
{
    serve(then_again);
    start();
    f.got.at_data = ACT_REFUSE;
    until(f.got.dones);
    cr_expect_eq(f.got.result.end, FETCH_REFUSED);
    cr_expect_eq(f.got.pieces, 1);
    run();
    expect_answer("hello");
}

Fetch(started_again_from_on_done)
{
    serve(hello);
    start();
    f.got.at_done = ACT_AGAIN;
    until(f.server.seen->requests == 2 && f.got.dones);
    expect_answer("hello");
    cr_expect_eq(f.server.seen->connections, 1);
}

/* With another one under way, which goes too. */
Fetch(the_fetcher_is_freed_from_on_done)
{
    struct fetch_request other = {.url = f.url};
    struct fetch *other_handle;
    struct got unused;

    memset(&unused, 0, sizeof(unused));
    serve(hello);
    start();
    f.got.at_done = ACT_FREE;
    cr_assert_eq(fetch_start(f.fetcher, &other, &events, &unused, &other_handle, NULL), 0);
    until(!f.fetcher);
    cr_expect_null(other_handle);
    cr_expect_eq(unused.dones, 0);
    cr_expect_eq(f.got.dones, 1);
}

Fetch(the_fetcher_is_freed_under_way)
{
    serve(quiet_watch);
    start();
    until(f.got.heads);
    fetcher_free(f.fetcher);
    f.fetcher = NULL;
    cr_expect_null(f.handle);
    cr_expect_eq(f.got.dones, 0);
}
