/* SPDX-License-Identifier: MIT */
/* A question and its servers, which are sockets of the test itself: what each gets, and what comes of what it answers. */
#include <config.h>
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <syncer/base/clock.h>

#include "../../../src/pods/dns_ask.h"
#include "dns_rig.h"

#define SERVERS 2

static const uint8_t ip[] = {10, 0, 0, 1};

struct server {
    int udp, tcp, link; /* -1 = none */
    struct sockaddr_in peer;
    struct dns_question question; /* the last one */
    unsigned asked;
};

static struct loop *loop;
static struct dns_ask *ask;
static struct dns_resolv resolv;
static struct server servers[SERVERS];
static unsigned done;

static void on_done(struct dns_ask *asked)
{
    (void)asked;
    done++;
}

/* A port of ours for UDP and TCP: one that is free for TCP may be taken for UDP. */
static void open_server(struct server *server, struct dns_server *as)
{
    socklen_t len = sizeof(as->addr.v4);

    for (int tries = 0; tries < 100; tries++) {
        as->addr.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        as->len = len;
        server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert(server->tcp >= 0 && bind(server->tcp, &as->addr.any, len) == 0 && listen(server->tcp, 1) == 0);
        cr_assert_eq(getsockname(server->tcp, &as->addr.any, &len), 0);
        server->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        server->link = -1;
        if (bind(server->udp, &as->addr.any, len) == 0)
            return;
        close(server->tcp);
        close(server->udp);
    }
    cr_assert_fail("no port is free");
}

static void setup(void)
{
    loop = loop_new(NULL);
    ask = calloc(1, sizeof(*ask));
    cr_assert(loop && ask);
    dns_ask_init(ask, loop, on_done);
    resolv = (struct dns_resolv){.n_servers = SERVERS, .ndots = 1, .timeout_ms = 5000, .attempts = 2};
    for (size_t i = 0; i < SERVERS; i++)
        open_server(&servers[i], &resolv.servers[i]);
}

static void teardown(void)
{
    dns_ask_cancel(ask);
    free(ask);
    loop_free(loop);
}

TestSuite(dns_ask, .timeout = 20, .init = setup, .fini = teardown);

/* ---- the servers ---- */

static bool has_come(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

/* Turns of the loop until something has come to `fd`. */
static void wait_for(int fd)
{
    while (!has_come(fd))
        cr_assert_eq(loop_turn(loop, NS_PER_MS, NULL), 0);
}

static void wait_done(void)
{
    while (!done)
        cr_assert_eq(loop_turn(loop, -1, NULL), 0);
    cr_assert_eq(done, 1);
    done = 0;
}

static void take_query(struct server *server, const uint8_t *query, ssize_t len)
{
    uint8_t expected[DNS_QUERY_MAX];

    cr_assert_gt(len, 12);
    server->question = ask->question;
    server->question.id = (uint16_t)(query[0] << 8 | query[1]);
    cr_assert_eq(dns_query_write(&server->question, expected), len);
    cr_expect_arr_eq(query, expected, (size_t)len);
    server->asked++;
}

/* The next query by UDP. */
static void get(struct server *server)
{
    uint8_t query[DNS_QUERY_MAX];
    socklen_t size = sizeof(server->peer);

    wait_for(server->udp);
    take_query(server, query, recvfrom(server->udp, query, sizeof(query), 0, (struct sockaddr *)&server->peer, &size));
}

static void put(struct server *server, const struct dns_rig *rig)
{
    cr_assert_eq(sendto(server->udp, rig->bytes, rig->len, 0, (struct sockaddr *)&server->peer, sizeof(server->peer)),
                 (ssize_t)rig->len);
}

/* An answer with those flags, and with `n` addresses. */
static void answer(struct dns_rig *rig, const struct server *server, unsigned flags, size_t n)
{
    rig_begin(rig, &server->question);
    rig_or_flags(rig, flags);
    for (size_t i = 0; i < n; i++)
        rig_record(rig, NULL, 1, 5, ip, 4);
}

static void get_and_put(struct server *server, unsigned flags, size_t n)
{
    struct dns_rig rig;

    get(server);
    answer(&rig, server, flags, n);
    put(server, &rig);
}

static void start(void)
{
    dns_ask_start(ask, &resolv, "gw.example", DNS_IPV4);
    cr_assert_eq(done, 0, "never from within");
}

static void expect_reason(const char *part)
{
    cr_expect(ask->failed);
    cr_expect(strstr(ask->reason.text, part), "\"%s\" does not say: %s", ask->reason.text, part);
    cr_expect(strstr(ask->reason.text, "A of gw.example: 127.0.0.1:"), "%s", ask->reason.text);
}

/* ---- UDP ---- */

Test(dns_ask, found_no_data_and_no_name_are_answers)
{
    static const struct {
        unsigned flags;
        size_t n;
        enum dns_outcome outcome;
    } rows[] = {{0, 2, DNS_FOUND}, {0, 0, DNS_NO_DATA}, {3, 0, DNS_NO_NAME}};

    for (size_t i = 0; i < 3; i++) {
        start();
        get_and_put(&servers[0], rows[i].flags, rows[i].n);
        wait_done();
        cr_expect(!ask->failed && ask->answer.outcome == rows[i].outcome && ask->answer.n == rows[i].n);
    }
    cr_expect(servers[0].asked == 3 && !has_come(servers[1].udp));
}

Test(dns_ask, ids_and_ports_are_drawn_anew)
{
    uint16_t ids[8], ports[8];
    size_t same = 0;

    for (size_t i = 0; i < 8; i++) {
        start();
        get_and_put(&servers[0], 0, 1);
        wait_done();
        ids[i] = servers[0].question.id;
        ports[i] = servers[0].peer.sin_port;
        for (size_t j = 0; j < i; j++)
            same += ids[j] == ids[i] || ports[j] == ports[i];
    }
    cr_expect_leq(same, 2);
}

Test(dns_ask, what_is_no_answer_is_passed_over)
{
    struct dns_rig rig;
    struct server other = servers[0];

    start();
    get(&servers[0]);
    other.question = servers[0].question;
    other.question.id ^= 0x100;
    answer(&rig, &other, 0, 1);
    put(&servers[0], &rig);
    other.question = servers[0].question;
    other.question.name[0] = 'x';
    answer(&rig, &other, 0, 1);
    put(&servers[0], &rig);
    rig.len = 0;
    put(&servers[0], &rig);
    /* A good answer, but from elsewhere: the kernel does not even hand it on. */
    answer(&rig, &servers[0], 0, 9);
    cr_assert_eq(
        sendto(servers[1].udp, rig.bytes, rig.len, 0, (struct sockaddr *)&servers[0].peer, sizeof(servers[0].peer)),
        (ssize_t)rig.len);
    answer(&rig, &servers[0], 0, 1);
    put(&servers[0], &rig);
    wait_done();
    cr_expect(!ask->failed && ask->answer.n == 1 && servers[0].asked == 1);
}

Test(dns_ask, a_server_that_fails_leads_to_the_next_which_is_kept)
{
    start();
    get_and_put(&servers[0], 2, 0); /* SERVFAIL */
    get_and_put(&servers[1], 0, 1);
    wait_done();
    cr_expect(!ask->failed && ask->answer.n == 1 && ask->server == 1);
    start();
    get_and_put(&servers[1], 0, 1);
    wait_done();
    cr_expect(servers[0].asked == 1 && servers[1].asked == 2);
}

Test(dns_ask, a_silent_server_leads_to_the_next)
{
    int64_t begun = clock_now_ns();

    resolv.timeout_ms = 50;
    start();
    get_and_put(&servers[1], 0, 1);
    wait_done();
    cr_expect(!ask->failed && ask->answer.n == 1);
    cr_expect_geq(clock_now_ns() - begun, 50 * NS_PER_MS);
}

Test(dns_ask, nobody_listens)
{
    close(servers[0].udp);
    start();
    get_and_put(&servers[1], 0, 1);
    wait_done();
    cr_expect(!ask->failed && ask->answer.n == 1);
    close(servers[1].udp);
    start();
    wait_done();
    expect_reason("cannot be asked: Connection refused");
}

Test(dns_ask, all_fail_as_often_as_wanted)
{
    start();
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < SERVERS; i++)
            get_and_put(&servers[i], i == 0 ? 2 : 5, 0);
    wait_done();
    expect_reason("answers REFUSED");
    resolv.timeout_ms = 20;
    resolv.attempts = 1;
    start();
    wait_done();
    expect_reason("has not answered in 20 ms");
}

Test(dns_ask, nonsense_is_no_answer)
{
    struct dns_rig rig;

    resolv.n_servers = resolv.attempts = 1;
    start();
    get(&servers[0]);
    answer(&rig, &servers[0], 0, 1);
    rig.len--;
    put(&servers[0], &rig);
    wait_done();
    expect_reason("gives no valid answer");
}

Test(dns_ask, a_name_that_is_none)
{
    dns_ask_start(ask, &resolv, "gw..example", DNS_IPV4);
    wait_done();
    cr_expect(ask->failed && strstr(ask->reason.text, "no name that can be asked for"), "%s", ask->reason.text);
}

/* ---- TCP ---- */

/* Until here: cut by UDP, and the query has come again by TCP. */
static void get_by_tcp(struct server *server)
{
    uint8_t query[2 + DNS_QUERY_MAX];
    ssize_t len;

    get_and_put(server, 0x0200, 1);
    wait_for(server->tcp);
    server->link = accept(server->tcp, NULL, NULL);
    cr_assert_geq(server->link, 0);
    wait_for(server->link);
    len = recv(server->link, query, sizeof(query), 0);
    cr_assert_eq(query[0] << 8 | query[1], len - 2);
    take_query(server, query + 2, len - 2);
}

static void send_by_tcp(struct server *server, const struct dns_rig *rig, size_t piece)
{
    static struct dns_rig whole;

    whole.len = 0;
    rig_16(&whole, (unsigned)rig->len);
    memcpy(whole.bytes + whole.len, rig->bytes, rig->len);
    whole.len += rig->len;
    for (size_t at = 0; at < whole.len; at += piece) {
        size_t n = whole.len - at < piece ? whole.len - at : piece;

        cr_assert_eq(send(server->link, whole.bytes + at, n, MSG_NOSIGNAL), (ssize_t)n);
        cr_assert_eq(loop_turn(loop, 0, NULL), 0);
    }
}

Test(dns_ask, a_cut_answer_is_asked_for_by_tcp)
{
    static const size_t pieces[] = {1, 2, 3, 70000};
    struct dns_rig rig;

    for (size_t i = 0; i < 4; i++) {
        start();
        get_by_tcp(&servers[0]);
        answer(&rig, &servers[0], 0, i < 3 ? 3 : 4000);
        send_by_tcp(&servers[0], &rig, pieces[i]);
        wait_done();
        cr_expect(!ask->failed && ask->answer.outcome == DNS_FOUND && ask->answer.n == (i < 3 ? 3 : 4000));
        cr_expect_eq(recv(servers[0].link, &rig, 1, 0), 0, "it closes");
        close(servers[0].link);
    }
}

Test(dns_ask, what_can_go_wrong_by_tcp)
{
    static const char *const reasons[] = {"by TCP", "broke off an answer by TCP: it closed", "cut an answer although",
                                          "answers another question", "has not answered by TCP"};
    struct dns_rig rig;

    resolv.n_servers = resolv.attempts = 1;
    for (int i = 0; i < 5; i++) {
        resolv.timeout_ms = i == 4 ? 50 : 5000;
        start();
        if (i == 0) {
            close(servers[0].tcp);
            get_and_put(&servers[0], 0x0200, 1);
            wait_done();
            expect_reason("cannot be asked by TCP: Connection refused");
            servers[0].tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            cr_assert_eq(setsockopt(servers[0].tcp, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
            cr_assert(bind(servers[0].tcp, &resolv.servers[0].addr.any, resolv.servers[0].len) == 0 &&
                      listen(servers[0].tcp, 1) == 0);
            continue;
        }
        get_by_tcp(&servers[0]);
        answer(&rig, &servers[0], i == 2 ? 0x0200 : 0, 1);
        if (i == 1)
            cr_assert_eq(send(servers[0].link, "\0\x20half", 6, MSG_NOSIGNAL), 6);
        if (i == 3)
            rig.bytes[0] ^= 1;
        if (i == 2 || i == 3)
            send_by_tcp(&servers[0], &rig, 70000);
        if (i == 1)
            close(servers[0].link);
        wait_done();
        expect_reason(reasons[i]);
        if (i != 1)
            close(servers[0].link);
    }
}

/* ---- life ---- */

Test(dns_ask, it_can_be_cancelled_anywhere)
{
    start();
    dns_ask_cancel(ask);
    cr_assert_eq(loop_turn(loop, 0, NULL), 0);
    start();
    get(&servers[0]);
    dns_ask_cancel(ask);
    start();
    get_by_tcp(&servers[0]);
    dns_ask_cancel(ask);
    cr_assert_eq(loop_turn(loop, 10 * NS_PER_MS, NULL), 0);
    cr_expect_eq(done, 0);
    close(servers[0].link);
}
