/* SPDX-License-Identifier: MIT */
/* Connections that serve more than one transfer, and those that must not. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "fetch_rig.h"

TestSuite(fetch, .timeout = 20);

/* ---- kept connections ---- */

static void keeps(int tls_version)
{
    if (tls_version)
        serve_tls(tls_version, false, hello);
    else
        serve(hello);
    for (int i = 0; i < 3; i++) {
        run();
        expect_answer("hello");
    }
    cr_expect_eq(f.server.seen->connections, 1);
}

Fetch(a_connection_is_kept)
{
    keeps(0);
}

Fetch(a_connection_is_kept_tls)
{
    keeps(TLS1_3_VERSION);
}

Fetch(a_connection_is_kept_tls_1_2)
{
    keeps(TLS1_2_VERSION);
}

Fetch(connections_are_forgotten_at_once)
{
    serve(hello);
    for (unsigned i = 1; i <= 3; i++) {
        run();
        expect_answer("hello");
        cr_expect_eq(f.server.seen->connections, i);
        fetcher_forget_connections(f.fetcher);
    }
}

Fetch(a_connection_in_use_is_forgotten_after_it)
{
    serve(in_pieces);
    start();
    until(f.got.body_len == 3);
    fetcher_forget_connections(f.fetcher);
    fake_server_go(&f.server);
    until(f.got.dones);
    expect_answer("hello");
    fake_server_go(&f.server);
    run();
    expect_answer("hello");
    cr_expect_eq(f.server.seen->connections, 2);
}

/* Behind the first answer, on the test's word, comes one that nobody asked for. */
static void speaks_unasked(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HELLO);
    if (conn->number == 1) {
        fake_await_go(conn);
        fake_write(conn, OK_HEAD "Content-Length: 6\r\n\r\nforged");
    }
    fake_await_end(conn);
}

static void await_byte(int fd)
{
    char byte;

    cr_assert_eq(fcntl(fd, F_SETFL, 0), 0);
    cr_assert_eq(recv(fd, &byte, 1, MSG_PEEK), 1);
    cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static void unasked(void)
{
    run();
    expect_answer("hello");
    fake_server_go(&f.server);
    await_byte(fd_of_connection());
    run();
    expect_answer("hello");
    cr_expect_eq(f.server.seen->connections, 2);
}

Fetch(what_comes_unasked_is_no_answer)
{
    serve(speaks_unasked);
    unasked();
}

Fetch(what_comes_unasked_is_no_answer_tls)
{
    serve_tls(0, false, speaks_unasked);
    unasked();
}

/* The head apart, so that libcurl knows how much to read; the rest of the record stays within OpenSSL. */
static void surplus_in_a_record(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HEAD "Content-Length: 5\r\n\r\n");
    fake_await_go(conn);
    fake_write(conn, "hello" OK_HEAD "Content-Length: 6\r\n\r\nforged");
    fake_await_end(conn);
}

Fetch(surplus_is_no_answer_tls)
{
    serve_tls(0, false, surplus_in_a_record);
    for (unsigned i = 1; i <= 2; i++) {
        start();
        until(f.got.heads);
        fake_server_go(&f.server);
        until(f.got.dones);
        expect_answer("hello");
        cr_expect_eq(f.server.seen->connections, i);
    }
}

static void one_answer(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HELLO);
}

Fetch(a_connection_that_has_ended_is_not_used)
{
    serve(one_answer);
    for (unsigned i = 1; i <= 8; i++) {
        run();
        expect_answer("hello");
        cr_expect_eq(f.server.seen->connections, i);
    }
}
