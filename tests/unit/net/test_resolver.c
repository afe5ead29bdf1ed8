/* SPDX-License-Identifier: MIT */
/* A resolver that does not answer holds up nobody but the transfer that waits for it: neither the loop, nor
 * the end of the transfer, nor that of the fetcher. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <unistd.h>

#include <curl/curl.h>

#include <syncer/base/clock.h>
#include <syncer/net/fetch.h>

TestSuite(resolver, .timeout = 20);

#define PROMPT_NS (3 * NS_PER_S) /* the resolver would hold the loop for ever; a busy machine does for a while */

static int gate[2];
static atomic_int asked, answered;
static struct loop *loop;
static struct fetcher *fetcher;
static struct fetch_result last;

/* In place of the C library's, for libcurl too: hangs until the gate is opened. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    char c;

    (void)node;
    (void)service;
    (void)hints;
    (void)res;
    atomic_fetch_add(&asked, 1);
    while (read(gate[0], &c, 1) < 0)
        ;
    atomic_fetch_add(&answered, 1);
    return EAI_AGAIN;
}

static void on_head(void *arg, int status, const char *content_type)
{
    (void)arg;
    (void)content_type;
    cr_expect_fail("status %d from nowhere", status);
}

static int on_data(void *arg, const char *data, size_t len)
{
    (void)arg;
    (void)data;
    (void)len;
    return 0;
}

static void on_done(void *arg, const struct fetch_result *result)
{
    (void)arg;
    last = *result;
}

static void setup(void)
{
    struct err err = {""};

    cr_assert_eq(pipe2(gate, O_CLOEXEC), 0);
    cr_assert(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS, "libcurl resolves in our thread");
    loop = loop_new(&err);
    fetcher = loop ? fetcher_new(loop, "syncer/test", &err) : NULL;
    cr_assert(fetcher, "%s", err.text);
}

/* The threads are let go, so that nothing of them is left. */
static void teardown(void)
{
    close(gate[1]);
    while (atomic_load(&answered) < atomic_load(&asked))
        usleep(1000);
    loop_free(loop);
}

/* One turn of at most 10 ms, as long as a signal would wait. */
static void turn(void)
{
    int64_t began = clock_now_ns();

    loop_turn(loop, 10 * NS_PER_MS, NULL);
    cr_expect_lt(clock_now_ns() - began, PROMPT_NS, "the loop was held");
}

static struct fetch *begin(int64_t timeout_ms)
{
    static const struct fetch_events events = {.on_head = on_head, .on_data = on_data, .on_done = on_done};
    static struct fetch *handle;
    struct fetch_request request = {.url = "http://stuck.example/", .connect_timeout_ms = timeout_ms};
    struct err err = {""};
    int before = atomic_load(&asked);

    cr_assert_eq(fetch_start(fetcher, &request, &events, NULL, &handle, &err), 0, "%s", err.text);
    while (atomic_load(&asked) == before)
        turn();
    return handle;
}

Test(resolver, a_stuck_one_ends_with_the_time_limit, .init = setup, .fini = teardown)
{
    int64_t began = clock_now_ns();

    last.reason[0] = '\0';
    begin(200);
    while (!last.reason[0])
        turn();
    cr_expect_eq(last.end, FETCH_NO_CONNECT, "%s", last.reason);
    cr_expect_lt(clock_now_ns() - began, 5 * NS_PER_S);
    cr_expect_eq(atomic_load(&answered), 0);
    fetcher_free(fetcher);
}

Test(resolver, a_stuck_one_can_be_left, .init = setup, .fini = teardown)
{
    struct fetch *fetch = begin(60000);
    int64_t began = clock_now_ns();

    fetch_cancel(&fetch);
    turn();
    begin(60000);
    began = clock_now_ns();
    fetcher_free(fetcher);
    cr_expect_lt(clock_now_ns() - began, PROMPT_NS, "the end was held");
    cr_expect_eq(atomic_load(&answered), 0);
}
