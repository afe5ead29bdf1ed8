/* SPDX-License-Identifier: MIT */
/* The hinge alone: a name with several addresses, whose sockets have the same number one after the other. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdio.h>

#include <syncer/base/macros.h>
#include <syncer/net/curl_loop.h>

#include "../../../src/net/curl_sockets.h"
#include "fake_server.h"

TestSuite(curl_loop, .timeout = 20);

struct transfer {
    struct curl_transfer base;
    bool done;
    CURLcode code;
};

static struct loop *loop;
static struct fake_server server;

static void on_done(struct curl_transfer *base, CURLcode code)
{
    struct transfer *transfer = container_of(base, struct transfer, base);

    transfer->done = true;
    transfer->code = code;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) /* NOLINT(*-non-const-parameter) */
{
    (void)data;
    *(size_t *)arg += size * n;
    return size * n;
}

static void hello(struct fake_conn *conn)
{
    while (fake_read_head(conn))
        fake_write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

/* The transfer to "several.test" with these addresses: the length of its body. */
static size_t get(struct curl_loop *cl, const char *addresses)
{
    struct transfer transfer = {.base.on_done = on_done};
    CURL *easy = curl_easy_init();
    struct curl_slist *resolve;
    char text[128];
    size_t len = 0;

    snprintf(text, sizeof(text), "several.test:%u:%s", (unsigned)server.port, addresses);
    resolve = curl_slist_append(NULL, text);
    snprintf(text, sizeof(text), "http://several.test:%u/", (unsigned)server.port);
    curl_easy_setopt(easy, CURLOPT_URL, text);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 1000L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &len);
    cr_assert_eq(curl_loop_add(cl, easy, &transfer.base, NULL), 0);
    while (!transfer.done)
        cr_assert_eq(loop_turn(loop, -1, NULL), 0);
    cr_expect_eq(transfer.code, CURLE_OK, "%s: %s", addresses, curl_easy_strerror(transfer.code));
    curl_loop_remove(cl, easy);
    curl_easy_cleanup(easy);
    curl_slist_free_all(resolve);
    return len;
}

static void open_rig(void)
{
    loop = loop_new(NULL);
    fake_server_start(&server, "127.0.0.1", NULL, hello);
}

static void close_rig(void)
{
    fake_server_stop(&server);
    loop_free(loop);
}

static void is_reached(const char *addresses)
{
    struct curl_loop *cl = curl_loop_new(loop, 0, true, NULL);

    cr_expect_eq(get(cl, addresses), 5);
    curl_loop_free(cl);
}

Test(curl_loop, the_next_address_after_one_that_refuses, .init = open_rig, .fini = close_rig)
{
    is_reached("127.0.0.1");
    is_reached("[::1],127.0.0.1");
    is_reached("127.0.0.1,[::1]");
}

/* ---- turns ---- */

static unsigned served, other;
static int last_fd;

static void on_ready(struct curl_sockets *sockets, int fd, int what)
{
    (void)sockets;
    cr_expect_neq(what, 0);
    served++;
    other += fd != last_fd;
    last_fd = fd;
}

/* Three sockets whose connections stand at once; libcurl is not told, so all stay ready. */
Test(curl_loop, one_socket_is_served_a_turn, .init = open_rig, .fini = close_rig)
{
    struct curl_transfer transfers[3] = {{0}};
    struct curl_sockets sockets;
    CURLM *multi = curl_multi_init();
    CURL *easy[3];
    char url[64];
    int running;

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", (unsigned)server.port);
    curl_sockets_init(&sockets, loop, multi, false, on_ready);
    for (int i = 0; i < 3; i++) {
        easy[i] = curl_easy_init();
        curl_easy_setopt(easy[i], CURLOPT_URL, url);
        curl_easy_setopt(easy[i], CURLOPT_PROXY, "");
        curl_sockets_serve(&sockets, easy[i], &transfers[i]);
        curl_multi_add_handle(multi, easy[i]);
    }
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    for (unsigned turn = 1; turn <= 6; turn++) {
        cr_assert_eq(loop_turn(loop, -1, NULL), 0);
        cr_assert_eq(served, turn);
    }
    cr_expect_eq(other, 6); /* each in its turn */
    for (int i = 0; i < 3; i++) {
        curl_multi_remove_handle(multi, easy[i]);
        curl_easy_cleanup(easy[i]);
    }
    curl_multi_cleanup(multi);
    curl_sockets_release(&sockets);
}
