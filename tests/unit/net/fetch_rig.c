/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fetch_rig.h"

struct fetch_rig f;

static void act(enum act what)
{
    if (what == ACT_CANCEL)
        fetch_cancel(&f.handle);
    if (what == ACT_AGAIN)
        start();
    if (what == ACT_FREE) {
        fetcher_free(f.fetcher);
        f.fetcher = NULL;
    }
}

static void on_field(void *arg, const char *line, size_t len)
{
    struct got *g = arg;

    cr_assert_eq(g->heads, 0);
    snprintf(g->fields + strlen(g->fields), sizeof(g->fields) - strlen(g->fields), "%.*s\n", (int)len, line);
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
    cr_expect_null(f.handle);
    cr_expect_not(strstr(result->reason, TOKEN));
    cr_expect_eq(result->reason[0] == '\0', result->end == FETCH_COMPLETE);
    act(g->at_done);
}

const struct fetch_events events = {.on_field = on_field, .on_head = on_head, .on_data = on_data, .on_done = on_done};

void open_rig(void)
{
    memset(&f, 0, sizeof(f));
    f.loop = loop_new(NULL);
    cr_assert(f.loop);
    f.fetcher = fetcher_new(f.loop, "syncer/test", NULL);
    cr_assert(f.fetcher);
    f.request = (struct fetch_request){.url = f.url, .bearer = TOKEN};
}

void close_rig(void)
{
    fetcher_free(f.fetcher);
    trust_free(f.trust);
    loop_free(f.loop);
    if (f.server.pid > 0)
        fake_server_stop(&f.server);
    if (f.certs.dir[0])
        certs_remove(&f.certs);
}

void serve(fake_script *script)
{
    fake_server_start(&f.server, "127.0.0.1", NULL, script);
    snprintf(f.url, sizeof(f.url), "http://127.0.0.1:%u/x", (unsigned)f.server.port);
}

/* With the URL's host as the name that the certificate has, unless `other_ca`. */
void serve_tls(int version, bool other_ca, fake_script *script)
{
    struct fake_tls tls = {.version = version};

    certs_make(&f.certs);
    tls.cert = f.certs.server;
    tls.key = f.certs.server_key;
    fake_server_start(&f.server, "127.0.0.1", &tls, script);
    f.trust =
        trust_new(&(struct trust_settings){.verify = true, .ca_file = other_ca ? f.certs.other_ca : f.certs.ca}, NULL);
    cr_assert(f.trust);
    snprintf(f.url, sizeof(f.url), "https://127.0.0.1:%u/x", (unsigned)f.server.port);
    f.request.trust = f.trust;
    f.request.server_name = "pods.test";
}

void start(void)
{
    struct err err = {""};

    memset(&f.got, 0, sizeof(f.got));
    cr_assert_eq(fetch_start(f.fetcher, &f.request, &events, &f.got, &f.handle, &err), 0, "%s", err.text);
    cr_expect(f.handle);
}

void turn(void)
{
    cr_assert_eq(loop_turn(f.loop, -1, NULL), 0);
}

void run(void)
{
    start();
    until(f.got.dones);
}

void expect_answer(const char *body)
{
    cr_expect_eq(f.got.result.end, FETCH_COMPLETE, "%s", f.got.result.reason);
    cr_expect_eq(f.got.result.status, 200);
    cr_expect_str_eq(f.got.body, body);
}

void hello(struct fake_conn *conn)
{
    while (fake_read_head(conn))
        fake_write(conn, OK_HELLO);
}

void in_pieces(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, OK_HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
    fake_await_go(conn);
    fake_write(conn, "2\r\nlo\r\n0\r\n\r\n");
    fake_await_end(conn);
}

int fd_of_connection(void)
{
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);

        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == f.server.port)
            return fd;
    }
    return -1;
}
