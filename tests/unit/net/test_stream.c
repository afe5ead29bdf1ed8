/* SPDX-License-Identifier: MIT */
/* What comes of reads, writes and accepts: bytes, the end, "wait", and "gone" without a signal. */
#include <config.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <syncer/net/identity.h>
#include <syncer/net/listen.h>
#include <syncer/net/stream.h>

#include "certs.h"

TestSuite(stream, .timeout = 10);

static void await(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    cr_assert_eq(poll(&p, 1, -1), 1);
}

/* A listening socket, a client of it, and what was accepted. */
static int listen_fd = -1, client = -1;
static struct stream stream;
static struct identity *identity; /* NULL: no TLS */

static void open_pair(void)
{
    struct sockaddr_in to;
    socklen_t len = sizeof(to);
    bool in_use;

    listen_fd = listen_open("127.0.0.1:0", &in_use, NULL);
    cr_assert_geq(listen_fd, 0);
    cr_assert_eq(stream_accept(&stream, listen_fd, NULL), STREAM_AGAIN);
    cr_assert_eq(stream.fd, -1);
    cr_assert_eq(getsockname(listen_fd, (struct sockaddr *)&to, &len), 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&to, len), 0);
    await(listen_fd, POLLIN);
    cr_assert_eq(stream_accept(&stream, listen_fd, identity), 0);
}

static void close_pair(void)
{
    stream_close(&stream);
    stream_close(&stream);
    cr_expect_eq(stream.fd, -1);
    close(client);
    close(listen_fd);
}

Test(stream, accepted, .init = open_pair, .fini = close_pair)
{
    char peer[ADDR_TEXT_BYTES];
    int on = 0;
    socklen_t len = sizeof(on);

    cr_expect_str_eq(addr_format(&stream.peer, peer), "127.0.0.1");
    cr_expect(fcntl(stream.fd, F_GETFD) & FD_CLOEXEC);
    cr_expect(fcntl(stream.fd, F_GETFL) & O_NONBLOCK);
    cr_expect_eq(getsockopt(stream.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    cr_expect_neq(on, 0);
}

Test(stream, reading, .init = open_pair, .fini = close_pair)
{
    char buf[8];

    cr_expect_eq(stream_read(&stream, buf, sizeof(buf)), STREAM_AGAIN);
    cr_assert_eq(send(client, "hello", 5, 0), 5);
    await(stream.fd, POLLIN);
    cr_expect_eq(stream_read(&stream, buf, sizeof(buf)), 5);
    cr_assert_eq(shutdown(client, SHUT_WR), 0);
    await(stream.fd, POLLIN);
    cr_expect_eq(stream_read(&stream, buf, sizeof(buf)), 0);
}

Test(stream, writing, .init = open_pair, .fini = close_pair)
{
    char he[] = "he", llo[] = "llo", buf[8];
    struct iovec iov[2] = {{he, 2}, {llo, 3}};

    cr_expect_eq(stream_writev(&stream, iov, 2), 5);
    cr_expect_eq(recv(client, buf, sizeof(buf), 0), 5);
    cr_expect_eq(memcmp(buf, "hello", 5), 0);
    stream_shutdown(&stream);
    cr_expect_eq(recv(client, buf, sizeof(buf), 0), 0);
    cr_expect_eq(stream_writev(&stream, iov, 2), STREAM_ERROR); /* and no SIGPIPE */
}

Test(stream, writing_to_one_who_does_not_read, .init = open_pair, .fini = close_pair)
{
    static char data[1 << 20];
    struct iovec iov = {data, sizeof(data)};
    ssize_t n;

    do
        n = stream_writev(&stream, &iov, 1);
    while (n > 0);
    cr_expect_eq(n, STREAM_AGAIN);
}

Test(stream, a_reset, .init = open_pair, .fini = close_pair)
{
    char buf[8];

    setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(client);
    client = -1;
    await(stream.fd, POLLIN);
    cr_expect_eq(stream_read(&stream, buf, sizeof(buf)), STREAM_ERROR);
}

Test(stream, no_descriptor_left, .init = open_pair, .fini = close_pair)
{
    struct rlimit limit, none;
    struct sockaddr_in to;
    socklen_t len = sizeof(to);
    struct stream second;
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(getsockname(listen_fd, (struct sockaddr *)&to, &len), 0);
    cr_assert_eq(connect(other, (struct sockaddr *)&to, len), 0);
    await(listen_fd, POLLIN);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_expect_eq(stream_accept(&second, listen_fd, NULL), STREAM_ERROR);
    cr_expect_eq(errno, EMFILE);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(stream_accept(&second, listen_fd, NULL), 0);
    stream_close(&second);
    close(other);
}

/* ---- TLS ---- */

static struct certs certs;
static SSL_CTX *client_ctx;
static SSL *client_tls;

static void open_tls_pair(void)
{
    char byte;

    certs_make(&certs);
    identity = identity_new(certs.server, certs.server_key, NULL, NULL);
    client_ctx = SSL_CTX_new(TLS_client_method());
    cr_assert(identity && client_ctx);
    open_pair();
    client_tls = SSL_new(client_ctx);
    cr_assert_eq(SSL_set_fd(client_tls, client), 1);
    cr_assert_eq(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    while (SSL_connect(client_tls) != 1)
        cr_assert_eq(stream_read(&stream, &byte, 1), STREAM_AGAIN);
}

static void close_tls_pair(void)
{
    SSL_free(client_tls);
    SSL_CTX_free(client_ctx);
    close_pair();
    identity_free(identity);
    certs_remove(&certs);
}

/* Each read takes one and returns, so that no client can keep the loop in it by sending ever more. */
Test(stream, key_updates_one_a_read, .init = open_tls_pair, .fini = close_tls_pair)
{
    enum { UPDATES = 200 };
    unsigned reads = 0;
    ssize_t n;
    char buf[8];

    for (int i = 0; i < UPDATES; i++)
        cr_assert(SSL_key_update(client_tls, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(client_tls) == 1);
    cr_assert_eq(SSL_write(client_tls, "hello", 5), 5);
    do {
        await(stream.fd, POLLIN); /* what is left is in the socket: an event tells */
        n = stream_read(&stream, buf, sizeof(buf));
        reads++;
    } while (n == STREAM_AGAIN);
    cr_expect_eq(n, 5);
    cr_expect_gt(reads, UPDATES);
}

Test(stream, an_identity_from_a_fifo_is_refused, .init = open_tls_pair, .fini = close_tls_pair)
{
    char fifo[96];
    struct err err;

    snprintf(fifo, sizeof(fifo), "%.80s/fifo", certs.dir);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_expect_null(identity_new(fifo, certs.server_key, NULL, &err));
    cr_expect(strncmp(err.text, "listen_tls_cert: ", 17) == 0 && strstr(err.text, "not a regular file"), "%s",
              err.text);
    cr_expect_null(identity_new(certs.server, fifo, NULL, &err));
    cr_expect_null(identity_new(certs.server, certs.server_key, fifo, &err));
    unlink(fifo);
}
