/* SPDX-License-Identifier: MIT */
/* Where a transfer goes, whom it trusts, and what it needs of this machine. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "fetch_rig.h"

TestSuite(fetch, .timeout = 20);

static void no_http(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "220 mail.test ESMTP\r\n");
}

/* ---- where to ---- */

Fetch(ipv6)
{
    fake_server_start(&f.server, "::1", NULL, hello);
    snprintf(f.url, sizeof(f.url), "http://[::1]:%u/x", (unsigned)f.server.port);
    run();
    expect_answer("hello");
}

Fetch(a_name)
{
    fake_server_start(&f.server, "127.0.0.1", NULL, hello);
    snprintf(f.url, sizeof(f.url), "http://localhost:%u/x", (unsigned)f.server.port);
    run();
    expect_answer("hello");
}

Fetch(a_name_that_is_none)
{
    snprintf(f.url, sizeof(f.url), "http://name.invalid/x");
    run();
    cr_expect_eq(f.got.result.end, FETCH_NO_CONNECT);
}

static void serve_unix(char dir[64], char path[80])
{
    strcpy(dir, "/tmp/syncer-fetch-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(path, 80, "%s/s", dir);
    fake_server_start(&f.server, path, NULL, hello);
    snprintf(f.url, sizeof(f.url), "http://localhost/x");
    f.request.unix_socket = path;
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

    snprintf(f.url, sizeof(f.url), "%s", wrong);
    memset(&f.got, 0, sizeof(f.got));
    if (fetch_start(f.fetcher, &f.request, &events, &f.got, &f.handle, &err) == 0) {
        until(f.got.dones);
        cr_expect_neq(f.got.result.end, FETCH_COMPLETE);
    } else {
        cr_expect(err.text[0]);
        cr_expect_null(f.handle);
    }
    cr_expect_eq(f.got.heads, 0);
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

    f.request.url = "HTTPS://127.0.0.1:1/x";
    cr_expect_eq(fetch_start(f.fetcher, &f.request, &events, &f.got, &f.handle, &err), -1);
    cr_expect_null(f.handle);
    cr_expect_str_eq(err.text, "HTTPS://127.0.0.1:1/x: https without certificates to trust");
}

Fetch(a_token_that_is_too_long)
{
    static char token[20000];
    struct err err = {""};

    memset(token, 't', sizeof(token) - 1);
    snprintf(f.url, sizeof(f.url), "http://127.0.0.1:1/x");
    f.request.bearer = token;
    cr_expect_eq(fetch_start(f.fetcher, &f.request, &events, &f.got, &f.handle, &err), -1);
    cr_expect_null(f.handle);
    cr_expect_not(strstr(err.text, "tttt"));
}

/* ---- certificates ---- */

Fetch(the_name_in_the_certificate)
{
    serve_tls(0, false, hello);
    run();
    expect_answer("hello");
    cr_expect(strstr(f.server.seen->head, "\r\nHost: pods.test:"));
    fetcher_forget_connections(f.fetcher);
    f.request.server_name = "127.0.0.9";
    run();
    expect_answer("hello");
}

static void expect_tls_failure(const char *why)
{
    run();
    cr_expect_eq(f.got.result.end, FETCH_TLS);
    cr_expect_eq(f.got.heads, 0);
    cr_expect(strstr(f.got.result.reason, why), "%s", f.got.result.reason);
    cr_expect_eq(f.server.seen->requests, 0);
}

Fetch(a_wrong_name)
{
    serve_tls(0, false, hello);
    f.request.server_name = "elsewhere.test";
    expect_tls_failure("certificate for pods.test, 127.0.0.9");
    expect_tls_failure("elsewhere.test");
    f.request.server_name = "2001:db8::1";
    expect_tls_failure("2001:db8::1");
    f.request.server_name = NULL;
    expect_tls_failure("127.0.0.1");
}

Fetch(a_wrong_name_1_2)
{
    serve_tls(TLS1_2_VERSION, false, hello);
    f.request.server_name = "elsewhere.test";
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
    f.trust = trust_new(&(struct trust_settings){.verify = false}, NULL);
    snprintf(f.url, sizeof(f.url), "https://127.0.0.1:%u/x", (unsigned)f.server.port);
    f.request.trust = f.trust;
    f.request.connect_timeout_ms = 200;
    run();
    cr_expect(f.got.result.end == FETCH_TLS || f.got.result.end == FETCH_NO_CONNECT);
}

/* ---- descriptors ---- */

static void no_descriptor(void)
{
    struct rlimit limit, none;

    run(); /* what libcurl opens once is open */
    expect_answer("hello");
    fetcher_forget_connections(f.fetcher);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    run();
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(f.got.result.end, FETCH_LOCAL);
    cr_expect(strstr(f.got.result.reason, "Too many open files"), "%s", f.got.result.reason);
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

/* Looking a name up takes some, too. */
Fetch(no_descriptor_for_a_name_is_our_own_failure)
{
    struct rlimit limit, none;

    snprintf(f.url, sizeof(f.url), "http://name.invalid/x");
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    run();
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect_eq(f.got.result.end, FETCH_LOCAL, "%d: %s", (int)f.got.result.end, f.got.result.reason);
    run();
    cr_expect_eq(f.got.result.end, FETCH_NO_CONNECT);
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
