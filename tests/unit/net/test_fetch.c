/* SPDX-License-Identifier: MIT */
/* Whole transfers against a server that says every byte itself: what is told, when, and how each end is
 * named. */
#include <config.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <syncer/net/fetch.h>

#include "certs.h"
#include "fake_server.h"

TestSuite(fetch, .timeout = 20);

/* ---- the rig ---- */

#define TOKEN "s3cr3t-t0ken"

enum act { ACT_NONE, ACT_CANCEL, ACT_REFUSE, ACT_AGAIN, ACT_FREE };

struct got {
    unsigned heads, pieces, dones;
    int status;
    char type[64], body[4096];
    size_t body_len;
    struct fetch_result result;
    enum act at_head, at_data, at_done;
};

static struct loop *loop;
static struct fetcher *fetcher;
static struct fake_server server;
static struct certs certs;
static struct trust *trust;
static struct fetch *handle;
static struct fetch_request request;
static struct got got;
static char url[128];

static void start(void);

static void act(enum act what)
{
    if (what == ACT_CANCEL)
        fetch_cancel(&handle);
    if (what == ACT_AGAIN)
        start();
    if (what == ACT_FREE) {
        fetcher_free(fetcher);
        fetcher = NULL;
    }
}

static void on_head(void *arg, int status, const char *content_type)
{
    struct got *g = arg;

    g->heads++;
    g->status = status;
    snprintf(g->type, sizeof(g->type), "%s", content_type);
    act(g->at_head);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct got *g = arg;

    cr_assert_eq(g->heads, 1);
    cr_assert_lt(g->body_len + len, sizeof(g->body));
    memcpy(g->body + g->body_len, data, len);
    g->body_len += len;
    g->pieces++;
    act(g->at_data);
    return g->at_data == ACT_REFUSE ? -1 : 0;
}

/* Whatever the end, the token is not in it. */
static void on_done(void *arg, const struct fetch_result *result)
{
    struct got *g = arg;

    g->dones++;
    g->result = *result;
    cr_expect_null(handle);
    cr_expect_not(strstr(result->reason, TOKEN));
    cr_expect_eq(result->reason[0] == '\0', result->end == FETCH_COMPLETE);
    act(g->at_done);
}

static const struct fetch_events events = {on_head, on_data, on_done};

static void open_rig(void)
{
    loop = loop_new(NULL);
    cr_assert(loop);
    fetcher = fetcher_new(loop, "syncer/test", NULL);
    cr_assert(fetcher);
    request = (struct fetch_request){.url = url, .bearer = TOKEN};
}

static void close_rig(void)
{
    fetcher_free(fetcher);
    trust_free(trust);
    loop_free(loop);
    if (server.pid > 0)
        fake_server_stop(&server);
    if (certs.dir[0])
        certs_remove(&certs);
}

static void serve(fake_script *script)
{
    fake_server_start(&server, "127.0.0.1", NULL, script);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", (unsigned)server.port);
}

/* With the URL's host as the name that the certificate has, unless `other_ca`. */
static void serve_tls(int version, bool other_ca, fake_script *script)
{
    struct fake_tls tls = {.version = version};

    certs_make(&certs);
    tls.cert = certs.server;
    tls.key = certs.server_key;
    fake_server_start(&server, "127.0.0.1", &tls, script);
    trust = trust_new(
        &(struct trust_settings){.verify = true, .ca_file = other_ca ? certs.other_ca : certs.ca}, NULL);
    cr_assert(trust);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/x", (unsigned)server.port);
    request.trust = trust;
    request.server_name = "pods.test";
}

static void start(void)
{
    struct err err = {""};

    memset(&got, 0, sizeof(got));
    cr_assert_eq(fetch_start(fetcher, &request, &events, &got, &handle, &err), 0, "%s", err.text);
    cr_expect(handle);
}

static void turn(void)
{
    cr_assert_eq(loop_turn(loop, -1, NULL), 0);
}

#define until(condition) \
    while (!(condition)) \
    turn()

static void run(void)
{
    start();
    until(got.dones);
}

static void expect_answer(const char *body)
{
    cr_expect_eq(got.result.end, FETCH_COMPLETE, "%s", got.result.reason);
    cr_expect_eq(got.result.status, 200);
    cr_expect_str_eq(got.body, body);
}

#define Fetch(name) Test(fetch, name, .init = open_rig, .fini = close_rig)

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK_HELLO OK_HEAD "Content-Length: 5\r\n\r\nhello"

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

/* ---- the body and its end ---- */

static void hello(struct fake_conn *conn)
{
    while (fake_read_head(conn))
        fake_write(conn, OK_HELLO);
}

Fetch(content_length_and_what_is_asked)
{
    serve(hello);
    run();
    expect_answer("hello");
    cr_expect_eq(strncmp(server.seen->head, "GET /x HTTP/1.1\r\n", 17), 0);
    cr_expect(strstr(server.seen->head, "\r\nAuthorization: Bearer " TOKEN "\r\n"));
    cr_expect(strstr(server.seen->head, "\r\nUser-Agent: syncer/test\r\n"));
    cr_expect(strstr(server.seen->head, "\r\nAccept: application/json\r\n"));
    cr_expect_eq(got.result.retry_after_ms, -1);
}

static void in_pieces(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
    fake_await_go(conn);
    fake_write(conn, "2\r\nlo\r\n0\r\n\r\n");
    fake_await_end(conn);
}

Fetch(chunks_come_as_they_are_sent)
{
    serve(in_pieces);
    start();
    until(got.body_len == 3);
    fake_server_go(&server);
    until(got.dones);
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
    cr_expect_eq(got.result.end, FETCH_BROKEN);
    cr_expect_eq(got.heads, heads);
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
        cr_expect_eq(got.result.end, FETCH_COMPLETE);
        cr_expect_eq(got.result.status, 429);
        cr_expect_eq(got.result.retry_after_ms, expected[i], "%zu: %ld", i, (long)got.result.retry_after_ms);
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
    request.timeout_ms = 50;
    run();
    cr_expect_eq(got.result.end, FETCH_TIMEOUT);
    cr_expect_str_eq(got.body, "hello");
}

Fetch(silence)
{
    serve(stops_in_the_body);
    request.idle_timeout_ms = 50;
    run();
    cr_expect_eq(got.result.end, FETCH_TIMEOUT);
    cr_expect_eq(got.result.status, 200);
    cr_expect_str_eq(got.result.reason, "the server has been silent for too long");
}

Fetch(no_answer_in_time)
{
    serve(silent);
    request.timeout_ms = 50;
    run();
    cr_expect_eq(got.result.end, FETCH_TIMEOUT);
    cr_expect_eq(got.result.status, 0);
}

/* Plain, so that the handshake is never answered. */
Fetch(no_handshake_in_time)
{
    serve(silent);
    trust = trust_new(&(struct trust_settings){.verify = false}, NULL);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/x", (unsigned)server.port);
    request.trust = trust;
    request.connect_timeout_ms = 50;
    run();
    cr_expect_eq(got.result.end, FETCH_NO_CONNECT);
}

/* A listener whose queue is full drops the first packet. */
Fetch(no_connection_in_time)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(full, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(listen(full, 0), 0);
    cr_assert_eq(getsockname(full, (struct sockaddr *)&addr, &len), 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&addr, len), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", (unsigned)ntohs(addr.sin_port));
    request.connect_timeout_ms = 50;
    run();
    cr_expect_eq(got.result.end, FETCH_NO_CONNECT);
    close(client);
    close(full);
}

Fetch(refused)
{
    serve(hello);
    fake_server_stop(&server);
    server.pid = 0;
    run();
    cr_expect_eq(got.result.end, FETCH_NO_CONNECT);
}

/* ---- given up ---- */

Fetch(cancelled_before_anything)
{
    serve(hello);
    start();
    fetch_cancel(&handle);
    cr_expect_null(handle);
    fetch_cancel(&handle);
    run();
    expect_answer("hello");
}

Fetch(cancelled_under_way)
{
    serve(quiet_watch);
    start();
    until(got.heads);
    fetch_cancel(&handle);
    cr_expect_null(handle);
    turn();
    cr_expect_eq(got.dones, 0);
}

static void then_again(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, conn->number == 1 ? OK_HEAD
                         "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
                                       : OK_HELLO);
    fake_await_end(conn);
}

Fetch(cancelled_from_on_head)
{
    serve(then_again);
    start();
    got.at_head = ACT_CANCEL;
    until(!handle);
    cr_expect_eq(got.heads, 1);
    cr_expect_eq(got.pieces, 0);
    cr_expect_eq(got.dones, 0);
    run();
    expect_answer("hello");
}

Fetch(cancelled_from_on_data)
{
    serve(then_again);
    start();
    got.at_data = ACT_CANCEL;
    until(!handle);
    cr_expect_eq(got.pieces, 1);
    cr_expect_eq(got.dones, 0);
    run();
    expect_answer("hello");
}

Fetch(cancelled_from_on_done)
{
    serve(hello);
    start();
    got.at_done = ACT_CANCEL;
    until(got.dones);
    expect_answer("hello");
}

Fetch(refused_by_on_data)
{
    serve(then_again);
    start();
    got.at_data = ACT_REFUSE;
    until(got.dones);
    cr_expect_eq(got.result.end, FETCH_REFUSED);
    cr_expect_eq(got.pieces, 1);
    run();
    expect_answer("hello");
}

Fetch(started_again_from_on_done)
{
    serve(hello);
    start();
    got.at_done = ACT_AGAIN;
    until(server.seen->requests == 2 && got.dones);
    expect_answer("hello");
    cr_expect_eq(server.seen->connections, 1);
}

/* With another one under way, which goes too. */
Fetch(the_fetcher_is_freed_from_on_done)
{
    struct fetch_request other = {.url = url};
    struct fetch *other_handle;
    struct got unused;

    memset(&unused, 0, sizeof(unused));
    serve(hello);
    start();
    got.at_done = ACT_FREE;
    cr_assert_eq(fetch_start(fetcher, &other, &events, &unused, &other_handle, NULL), 0);
    until(!fetcher);
    cr_expect_null(other_handle);
    cr_expect_eq(unused.dones, 0);
    cr_expect_eq(got.dones, 1);
}

Fetch(the_fetcher_is_freed_under_way)
{
    serve(quiet_watch);
    start();
    until(got.heads);
    fetcher_free(fetcher);
    fetcher = NULL;
    cr_expect_null(handle);
    cr_expect_eq(got.dones, 0);
}

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
    cr_expect_eq(server.seen->connections, 1);
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
        cr_expect_eq(server.seen->connections, i);
        fetcher_forget_connections(fetcher);
    }
}

Fetch(a_connection_in_use_is_forgotten_after_it)
{
    serve(in_pieces);
    start();
    until(got.body_len == 3);
    fetcher_forget_connections(fetcher);
    fake_server_go(&server);
    until(got.dones);
    expect_answer("hello");
    fake_server_go(&server);
    run();
    expect_answer("hello");
    cr_expect_eq(server.seen->connections, 2);
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

static int fd_of_connection(void)
{
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);

        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == server.port)
            return fd;
    }
    return -1;
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
    fake_server_go(&server);
    await_byte(fd_of_connection());
    run();
    expect_answer("hello");
    cr_expect_eq(server.seen->connections, 2);
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
        until(got.heads);
        fake_server_go(&server);
        until(got.dones);
        expect_answer("hello");
        cr_expect_eq(server.seen->connections, i);
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
        cr_expect_eq(server.seen->connections, i);
    }
}

/* ---- where to ---- */

Fetch(ipv6)
{
    fake_server_start(&server, "::1", NULL, hello);
    snprintf(url, sizeof(url), "http://[::1]:%u/x", (unsigned)server.port);
    run();
    expect_answer("hello");
}

/* ::1 first, where nobody listens. */
Fetch(a_name_with_several_addresses)
{
    fake_server_start(&server, "127.0.0.1", NULL, hello);
    snprintf(url, sizeof(url), "http://localhost:%u/x", (unsigned)server.port);
    run();
    expect_answer("hello");
}

Fetch(a_name_that_is_none)
{
    snprintf(url, sizeof(url), "http://name.invalid/x");
    run();
    cr_expect_eq(got.result.end, FETCH_NO_CONNECT);
}

static void serve_unix(char dir[64], char path[80])
{
    strcpy(dir, "/tmp/syncer-fetch-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(path, 80, "%s/s", dir);
    fake_server_start(&server, path, NULL, hello);
    snprintf(url, sizeof(url), "http://localhost/x");
    request.unix_socket = path;
}

Fetch(unix_socket)
{
    char dir[64], path[80];

    serve_unix(dir, path);
    run();
    expect_answer("hello");
    unlink(path);
    rmdir(dir);
}

static void no_other_protocol(const char *wrong)
{
    struct err err = {""};

    snprintf(url, sizeof(url), "%s", wrong);
    memset(&got, 0, sizeof(got));
    if (fetch_start(fetcher, &request, &events, &got, &handle, &err) == 0) {
        until(got.dones);
        cr_expect_neq(got.result.end, FETCH_COMPLETE);
    } else {
        cr_expect(err.text[0]);
        cr_expect_null(handle);
    }
    cr_expect_eq(got.heads, 0);
}

Fetch(http_and_https_only)
{
    no_other_protocol("file:///etc/hostname");
    no_other_protocol("ftp://127.0.0.1/x");
    no_other_protocol("");
    no_other_protocol("http://[::1/x");
}

Fetch(https_needs_certificates_to_trust)
{
    struct err err = {""};

    request.url = "HTTPS://127.0.0.1:1/x";
    cr_expect_eq(fetch_start(fetcher, &request, &events, &got, &handle, &err), -1);
    cr_expect_null(handle);
    cr_expect_str_eq(err.text, "HTTPS://127.0.0.1:1/x: https without certificates to trust");
}

Fetch(a_token_that_is_too_long)
{
    static char token[20000];
    struct err err = {""};

    memset(token, 't', sizeof(token) - 1);
    snprintf(url, sizeof(url), "http://127.0.0.1:1/x");
    request.bearer = token;
    cr_expect_eq(fetch_start(fetcher, &request, &events, &got, &handle, &err), -1);
    cr_expect_null(handle);
    cr_expect_not(strstr(err.text, "tttt"));
}

/* ---- certificates ---- */

Fetch(the_name_in_the_certificate)
{
    serve_tls(0, false, hello);
    run();
    expect_answer("hello");
    cr_expect(strstr(server.seen->head, "\r\nHost: pods.test:"));
    fetcher_forget_connections(fetcher);
    request.server_name = "127.0.0.9";
    run();
    expect_answer("hello");
}

static void expect_tls_failure(const char *why)
{
    run();
    cr_expect_eq(got.result.end, FETCH_TLS);
    cr_expect_eq(got.heads, 0);
    cr_expect(strstr(got.result.reason, why), "%s", got.result.reason);
    cr_expect_eq(server.seen->requests, 0);
}

Fetch(a_wrong_name)
{
    serve_tls(0, false, hello);
    request.server_name = "elsewhere.test";
    expect_tls_failure("certificate for pods.test, 127.0.0.9");
    expect_tls_failure("elsewhere.test");
    request.server_name = "2001:db8::1";
    expect_tls_failure("2001:db8::1");
    request.server_name = NULL;
    expect_tls_failure("127.0.0.1");
}

Fetch(a_wrong_name_1_2)
{
    serve_tls(TLS1_2_VERSION, false, hello);
    request.server_name = "elsewhere.test";
    expect_tls_failure("certificate for pods.test, 127.0.0.9");
    expect_tls_failure("elsewhere.test");
}

Fetch(an_issuer_that_is_not_trusted)
{
    serve_tls(0, true, hello);
    expect_tls_failure("certificate");
}

Fetch(no_tls_where_it_should_be)
{
    serve(no_http);
    trust = trust_new(&(struct trust_settings){.verify = false}, NULL);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/x", (unsigned)server.port);
    request.trust = trust;
    request.connect_timeout_ms = 200;
    run();
    cr_expect(got.result.end == FETCH_TLS || got.result.end == FETCH_NO_CONNECT);
}

/* ---- descriptors ---- */

static void no_descriptor(void)
{
    struct rlimit limit, none;

    run(); /* what libcurl opens once is open */
    expect_answer("hello");
    fetcher_forget_connections(fetcher);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    run();
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(got.result.end, FETCH_LOCAL);
    cr_expect(strstr(got.result.reason, "Too many open files"), "%s", got.result.reason);
    run();
    expect_answer("hello");
}

Fetch(no_descriptor_is_our_own_failure)
{
    serve(hello);
    no_descriptor();
}

Fetch(no_descriptor_is_our_own_failure_unix)
{
    char dir[64], path[80];

    serve_unix(dir, path);
    no_descriptor();
    unlink(path);
    rmdir(dir);
}

Fetch(descriptors_do_not_pass_an_exec)
{
    int fd;

    serve(hello);
    run();
    fd = fd_of_connection();
    cr_assert_geq(fd, 0);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}
