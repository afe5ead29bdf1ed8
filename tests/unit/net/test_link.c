/* SPDX-License-Identifier: MIT */
/* The rules by which a kept connection can be trusted, against real TLS and plain servers. */
#include <config.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include <syncer/net/link.h>

#include "certs.h"
#include "fake_server.h"

/* ---- the rig ---- */

struct seen {
    unsigned opens, events;
    enum link_failure failure;
    char reason[ERR_TEXT_BYTES];
    bool free_it; /* from within the next callback */
};

static struct loop *loop;
static struct certs certs;
static struct fake_server server;
static struct trust *trust;
static struct link_hub *hub;
static struct link *pod;
static struct seen seen;

static void free_if_wanted(struct link *link, struct seen *s)
{
    if (!s->free_it)
        return;
    link_free(link);
    pod = NULL;
}

static void on_open(struct link *link, enum link_failure failure, const char *reason)
{
    struct seen *s = link_owner(link);

    s->opens++;
    s->failure = failure;
    snprintf(s->reason, sizeof(s->reason), "%s", reason);
    free_if_wanted(link, s);
}

static void on_event(struct link *link)
{
    struct seen *s = link_owner(link);

    s->events++;
    free_if_wanted(link, s);
}

static const struct link_events events = {on_open, on_event};

static void open_rig(void)
{
    certs_make(&certs);
    loop = loop_new(NULL);
    cr_assert(loop);
}

static void close_rig(void)
{
    link_free(pod);
    link_hub_free(hub);
    trust_free(trust);
    loop_free(loop);
    if (server.pid > 0)
        fake_server_stop(&server);
    certs_remove(&certs);
}

TestSuite(link, .timeout = 20, .init = open_rig, .fini = close_rig);

static void make_hub(const struct link_hub_settings *wanted)
{
    struct link_hub_settings settings = *wanted;

    settings.max_opening = settings.max_opening ? settings.max_opening : 4;
    settings.connect_timeout_ms = settings.connect_timeout_ms ? settings.connect_timeout_ms : 10000;
    settings.server_name = settings.server_name ? settings.server_name : "pods.test";
    hub = link_hub_new(loop, &settings, NULL);
    cr_assert(hub);
}

static struct link *link_to(uint16_t port, struct seen *owner)
{
    struct addr addr = {.family = 4, .bytes = {127, 0, 0, 1}};
    struct link *link = link_new(hub, &addr, port, &events, owner);

    cr_assert(link);
    return link;
}

/* A server, and a link to it that is not open yet. */
static void serve_tls(const struct fake_tls *wanted, const struct trust_settings *trusted, const char *name,
                      fake_script *script)
{
    struct fake_tls tls = *wanted;

    tls.cert = certs.server;
    tls.key = certs.server_key;
    fake_server_start(&server, "127.0.0.1", &tls, script);
    trust = trust_new(trusted, NULL);
    cr_assert(trust);
    make_hub(&(struct link_hub_settings){.tls = true, .trust = trust, .server_name = name});
    pod = link_to(server.port, &seen);
}

static void serve_well(int version, fake_script *script)
{
    serve_tls(&(struct fake_tls){.version = version}, &(struct trust_settings){.verify = true, .ca_file = certs.ca},
              NULL, script);
}

static void turn(void)
{
    cr_assert_eq(loop_turn(loop, -1, NULL), 0);
}

static enum link_failure open_pod(void)
{
    unsigned before = seen.opens;

    link_open(pod);
    cr_expect_eq(seen.opens, before);
    while (seen.opens == before)
        turn();
    return seen.failure;
}

/* What recv says once it says something else than "nothing now". */
static ssize_t await_recv(char *buf, size_t room)
{
    ssize_t n;

    while ((n = link_recv(pod, buf, room)) == LINK_AGAIN)
        turn();
    return n;
}

static void say(const char *text)
{
    cr_assert_eq(link_send(pod, text, strlen(text)), (ssize_t)strlen(text));
}

#define QUESTION "GET / HTTP/1.1\r\n\r\n"

static void expect_bytes(const char *text)
{
    char buf[256];
    size_t len = 0;

    while (len < strlen(text)) {
        ssize_t n = await_recv(buf + len, sizeof(buf) - len);

        cr_assert_gt(n, 0);
        len += (size_t)n;
    }
    cr_expect(len == strlen(text) && memcmp(buf, text, len) == 0, "%.*s", (int)len, buf);
}

/* ---- a connection that is well ---- */

static void echo(struct fake_conn *conn)
{
    while (fake_read_head(conn))
        fake_write(conn, "answer");
}

static void exchanges(int version)
{
    char byte;

    serve_well(version, echo);
    cr_assert_eq(open_pod(), LINK_OK, "%s", seen.reason);
    cr_expect_str_eq(seen.reason, "");
    for (int i = 0; i < 3; i++) {
        say(QUESTION);
        expect_bytes("answer");
        cr_expect_eq(link_recv(pod, &byte, 1), LINK_AGAIN);
    }
    cr_expect_eq(server.seen->connections, 1);
}

/* TLS 1.3 sends its session tickets behind the handshake: no bytes for us, and no harm. */
Test(link, session_tickets_are_no_bytes)
{
    exchanges(0);
}

Test(link, tls_1_2)
{
    exchanges(TLS1_2_VERSION);
}

Test(link, plain)
{
    fake_server_start(&server, "127.0.0.1", NULL, echo);
    make_hub(&(struct link_hub_settings){.tls = false});
    pod = link_to(server.port, &seen);
    cr_assert_eq(open_pod(), LINK_OK);
    say(QUESTION);
    expect_bytes("answer");
    cr_expect_eq(link_certificate_expiry(pod), 0);
}

/* An hour after it was made (certs.c). */
static void expect_expiry(void)
{
    int64_t left_s = link_certificate_expiry(pod) - (int64_t)time(NULL);

    cr_expect(left_s > 3400 && left_s <= 3600, "%jd", (intmax_t)left_s);
}

static void resumes(int version)
{
    serve_well(version, echo);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(open_pod(), LINK_OK);
        say(QUESTION);
        expect_bytes("answer");
        cr_expect_eq(server.seen->resumed, i);
        expect_expiry();
        link_close(pod);
        link_close(pod); /* and link_open() takes only one that is closed */
    }
    cr_expect_eq(server.seen->connections, 3);
}

Test(link, opened_again_it_resumes_its_session)
{
    resumes(0);
}

Test(link, opened_again_it_resumes_its_session_1_2)
{
    resumes(TLS1_2_VERSION);
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

Test(link, descriptors_do_not_pass_an_exec_and_are_closed)
{
    int fd;

    serve_well(0, echo);
    cr_assert_eq(open_pod(), LINK_OK);
    fd = fd_of_connection();
    cr_assert_geq(fd, 0);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
    link_close(pod);
    cr_expect_eq(fcntl(fd, F_GETFD), -1);
}

/* ---- what happens on an idle one ---- */

static void ends_with_notify(struct fake_conn *conn)
{
    fake_await_go(conn);
    fake_close_notify(conn);
    fake_await_end(conn);
}

Test(link, close_notify_is_the_end)
{
    char byte;

    serve_well(0, ends_with_notify);
    cr_assert_eq(open_pod(), LINK_OK);
    cr_expect_eq(link_recv(pod, &byte, 1), LINK_AGAIN);
    fake_server_go(&server);
    cr_expect_eq(await_recv(&byte, 1), 0);
}

static void ends(struct fake_conn *conn)
{
    fake_await_go(conn);
}

Test(link, fin_is_the_end)
{
    char byte;

    fake_server_start(&server, "127.0.0.1", NULL, ends);
    make_hub(&(struct link_hub_settings){.tls = false});
    pod = link_to(server.port, &seen);
    cr_assert_eq(open_pod(), LINK_OK);
    cr_expect_eq(link_recv(pod, &byte, 1), LINK_AGAIN);
    fake_server_go(&server);
    cr_expect_eq(await_recv(&byte, 1), 0);
}

static void speaks(struct fake_conn *conn)
{
    fake_await_go(conn);
    fake_write(conn, "unasked");
    fake_await_end(conn);
}

Test(link, unasked_bytes_are_seen)
{
    serve_well(0, speaks);
    cr_assert_eq(open_pod(), LINK_OK);
    fake_server_go(&server);
    expect_bytes("unasked");
}

/* A send on a connection that the pod has ended may succeed; only recv tells. */
Test(link, a_stale_one_is_known_before_the_send)
{
    char byte;

    serve_well(0, ends_with_notify);
    cr_assert_eq(open_pod(), LINK_OK);
    seen.events = 0;
    fake_server_go(&server);
    while (await_recv(&byte, 1) != 0)
        ;
    cr_expect_neq(link_send(pod, QUESTION, strlen(QUESTION)), LINK_AGAIN);
    link_close(pod);
    cr_assert_eq(open_pod(), LINK_OK);
    cr_expect_eq(link_recv(pod, &byte, 1), LINK_AGAIN);
}

static void surplus(struct fake_conn *conn)
{
    while (fake_read_head(conn))
        fake_write(conn, "answer and more");
}

Test(link, surplus_stays_with_its_answer)
{
    char buf[6], rest[64];

    serve_well(0, surplus);
    cr_assert_eq(open_pod(), LINK_OK);
    say(QUESTION);
    cr_expect_eq(await_recv(buf, sizeof(buf)), 6);
    cr_expect_eq(link_recv(pod, rest, sizeof(rest)), 9); /* one record: no event would tell of it */
}

/* Waits, without reading, for what makes up the records of `a` and `b` under TLS 1.3: a head of 5, a type, a tag of 16. */
static void await_records(const char *a, const char *b)
{
    ssize_t wanted = (ssize_t)(strlen(a) + strlen(b) + 2 * (5 + 1 + 16)), n = 0;
    char bytes[256];

    while (n < wanted)
        n = recv(fd_of_connection(), bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    cr_assert_eq(n, wanted);
}

static void two_records(struct fake_conn *conn)
{
    while (fake_read_head(conn)) {
        fake_write(conn, "answer");
        if (conn->seen->requests > 1)
            fake_write(conn, "more");
    }
}

Test(link, a_record_behind_the_answer_is_told_of)
{
    char buf[64];

    serve_well(0, two_records);
    cr_assert_eq(open_pod(), LINK_OK);
    say(QUESTION);
    expect_bytes("answer");
    cr_expect(link_is_silent(pod) && !link_has_read_ahead(pod));
    say(QUESTION);
    await_records("answer", "more");
    cr_expect_not(link_is_silent(pod));
    cr_assert_eq(link_recv(pod, buf, sizeof(buf)), 6);
    cr_expect(link_has_read_ahead(pod)); /* the socket is empty */
    cr_expect_not(link_is_silent(pod));
    cr_expect_eq(link_recv(pod, buf, sizeof(buf)), 4);
    cr_expect(link_is_silent(pod) && !link_has_read_ahead(pod));
}

/* The second answer comes in parts: some bytes of its record, and the rest when the test says so. */
static size_t first_part;

static void half_a_record(struct fake_conn *conn)
{
    BIO *kept = BIO_new(BIO_s_mem());
    char record[64];
    size_t len;

    fake_read_head(conn);
    fake_write(conn, "answer");
    fake_read_head(conn);
    SSL_set0_wbio(conn->ssl, kept);
    fake_write(conn, "answer");
    len = (size_t)BIO_read(kept, record, sizeof(record));
    cr_assert_eq(write(conn->fd, record, first_part), (ssize_t)first_part);
    fake_await_go(conn);
    cr_assert_eq(write(conn->fd, record + first_part, len - first_part), (ssize_t)(len - first_part));
    fake_await_end(conn);
}

static void expect_half_a_record_is_told_of(size_t part)
{
    char buf[64];

    first_part = part;
    serve_well(0, half_a_record);
    cr_assert_eq(open_pod(), LINK_OK);
    say(QUESTION);
    expect_bytes("answer");
    say(QUESTION);
    while (recv(fd_of_connection(), buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT) < (ssize_t)part)
        continue;
    cr_expect_not(link_is_silent(pod));
    cr_expect_eq(link_recv(pod, buf, sizeof(buf)), LINK_AGAIN);
    cr_expect(link_has_read_ahead(pod) && !link_is_silent(pod));
    fake_server_go(&server);
    expect_bytes("answer");
    cr_expect(link_is_silent(pod) && !link_has_read_ahead(pod));
}

Test(link, a_part_of_a_record_is_told_of)
{
    expect_half_a_record_is_told_of(20);
}

/* OpenSSL calls nothing pending then. */
Test(link, a_records_head_alone_is_told_of)
{
    expect_half_a_record_is_told_of(5);
}

static void answers_and_ends(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "answer");
    fake_read_head(conn);
    fake_write(conn, "answer");
    fake_close_notify(conn);
    fake_await_end(conn);
}

Test(link, an_end_behind_the_answer_is_told_of)
{
    char buf[64];

    serve_well(0, answers_and_ends);
    cr_assert_eq(open_pod(), LINK_OK);
    say(QUESTION);
    expect_bytes("answer");
    say(QUESTION);
    await_records("answer", "!!"); /* an alert is two bytes */
    cr_assert_eq(link_recv(pod, buf, sizeof(buf)), 6);
    cr_expect(link_has_read_ahead(pod));
    cr_expect_eq(link_recv(pod, buf, sizeof(buf)), 0);
}

/* The pod's answers are read, and nothing else is. */
static void expect_answers_alone(void)
{
    char byte;

    cr_assert_eq(open_pod(), LINK_OK);
    for (int i = 0; i < 3; i++) {
        say(QUESTION);
        expect_bytes("answer");
        cr_expect_eq(link_recv(pod, &byte, 1), LINK_AGAIN);
        cr_expect(link_is_silent(pod));
    }
}

static void late_ticket(struct fake_conn *conn)
{
    while (fake_read_head(conn)) {
        fake_ticket(conn);
        fake_write(conn, "answer");
    }
}

Test(link, a_late_session_ticket_is_no_byte)
{
    serve_well(0, late_ticket);
    expect_answers_alone();
}

/* More than is taken at once, one by one at first, then by buffers of 16 KB. */
#define UPDATES 6000
#define UPDATE_BYTES (5 + 5 + 1 + 16) /* head, message, type, tag */

static void updates_first(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_update_keys(conn, UPDATES);
    fake_await_end(conn);
}

static void updates_later(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "answer");
    updates_first(conn);
}

static void open_with_room(fake_script *script)
{
    serve_well(0, script);
    cr_assert_eq(open_pod(), LINK_OK);
    cr_assert_eq(setsockopt(fd_of_connection(), SOL_SOCKET, SO_RCVBUF, &(int){4 * UPDATES * UPDATE_BYTES}, sizeof(int)),
                 0);
}

/* Records without bytes, as many as they may be, keep nobody in link_recv(). */
static void expect_too_many_updates(void)
{
    int waiting = 0;
    char byte;

    say(QUESTION);
    while (waiting < UPDATES * UPDATE_BYTES)
        cr_assert_eq(ioctl(fd_of_connection(), FIONREAD, &waiting), 0);
    cr_expect_eq(link_recv(pod, &byte, 1), LINK_ENDED);
}

Test(link, too_many_key_updates)
{
    open_with_room(updates_first);
    expect_too_many_updates();
}

Test(link, too_many_key_updates_behind_an_answer)
{
    open_with_room(updates_later);
    say(QUESTION);
    expect_bytes("answer");
    expect_too_many_updates();
}

static void few_updates(struct fake_conn *conn)
{
    while (fake_read_head(conn)) {
        fake_update_keys(conn, 3);
        fake_ticket(conn);
        fake_write(conn, "answer");
    }
}

Test(link, a_few_key_updates_are_no_bytes)
{
    serve_well(0, few_updates);
    expect_answers_alone();
}

static void goes(struct fake_conn *conn)
{
    fake_read_head(conn);
    fake_write(conn, "answer");
    fake_await_go(conn);
}

/* A write that meets a reset must not raise SIGPIPE. */
Test(link, sends_to_one_that_has_gone)
{
    char byte;
    ssize_t n = 0;

    serve_well(0, goes);
    cr_assert_eq(open_pod(), LINK_OK);
    say(QUESTION);
    expect_bytes("answer");
    cr_expect_eq(link_recv(pod, &byte, 1), LINK_AGAIN);
    fake_server_go(&server);
    while (await_recv(&byte, 1) != 0)
        ;
    while (n != LINK_ENDED)
        n = link_send(pod, QUESTION, strlen(QUESTION));
}

/* The first byte comes with the handshake's end, before anything was asked. */
static void too_eager(struct fake_conn *conn)
{
    fake_write(conn, "unasked");
    fake_await_end(conn);
}

Test(link, one_that_speaks_first_is_refused_or_seen)
{
    serve_well(0, too_eager);
    if (open_pod() == LINK_OK)
        expect_bytes("unasked");
    else
        cr_expect_str_eq(seen.reason, "the pod sent bytes before it was asked anything");
}

/* ---- certificates ---- */

static void expect_names(void)
{
    cr_expect(strstr(seen.reason, "pods.test, 127.0.0.9") && strstr(seen.reason, "should be for elsewhere.test"), "%s",
              seen.reason);
}

static void wrong_name(int version)
{
    serve_tls(&(struct fake_tls){.version = version}, &(struct trust_settings){.verify = true, .ca_file = certs.ca},
              "elsewhere.test", echo);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(open_pod(), LINK_TLS_FAILED);
        expect_names();
        expect_expiry();
    }
}

Test(link, a_wrong_name_is_said_each_time)
{
    wrong_name(0);
}

Test(link, a_wrong_name_is_said_each_time_1_2)
{
    wrong_name(TLS1_2_VERSION);
}

Test(link, an_issuer_that_is_not_trusted)
{
    serve_tls(&(struct fake_tls){.version = 0}, &(struct trust_settings){.verify = true, .ca_file = certs.other_ca},
              NULL, echo);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(open_pod(), LINK_TLS_FAILED);
        cr_expect(strstr(seen.reason, "self-signed certificate in certificate chain") ||
                      strstr(seen.reason, "unable to get"),
                  "%s", seen.reason);
    }
}

Test(link, no_verification)
{
    serve_tls(&(struct fake_tls){.version = 0}, &(struct trust_settings){.verify = false}, "elsewhere.test", echo);
    cr_expect_eq(open_pod(), LINK_OK, "%s", seen.reason);
    expect_expiry();
}

Test(link, the_client_certificate_is_shown)
{
    serve_tls(&(struct fake_tls){.client_ca = certs.ca},
              &(struct trust_settings){
                  .verify = true, .ca_file = certs.ca, .cert_file = certs.client, .key_file = certs.client_key},
              NULL, echo);
    cr_assert_eq(open_pod(), LINK_OK, "%s", seen.reason);
    say(QUESTION);
    expect_bytes("answer");
    cr_expect_str_eq(server.seen->client, "client");
}

/* ---- connections that do not come about ---- */

Test(link, refused)
{
    fake_server_start(&server, "127.0.0.1", NULL, echo);
    make_hub(&(struct link_hub_settings){.tls = false});
    pod = link_to(server.port, &seen);
    fake_server_stop(&server);
    server.pid = 0;
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(open_pod(), LINK_NO_CONNECTION);
        cr_expect(strstr(seen.reason, "Connection refused"), "%s", seen.reason);
    }
}

static void silent(struct fake_conn *conn)
{
    fake_await_end(conn);
}

Test(link, a_handshake_without_answer)
{
    fake_server_start(&server, "127.0.0.1", NULL, silent);
    trust = trust_new(&(struct trust_settings){.verify = true, .ca_file = certs.ca}, NULL);
    make_hub(&(struct link_hub_settings){.tls = true, .trust = trust, .connect_timeout_ms = 50});
    pod = link_to(server.port, &seen);
    cr_expect_eq(open_pod(), LINK_NO_CONNECTION);
    cr_expect(strstr(seen.reason, "timed out") || strstr(seen.reason, "imeout"), "%s", seen.reason);
}

/* A listener whose queue is full drops the first packet. */
Test(link, a_connect_without_answer)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(full, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(listen(full, 0), 0);
    cr_assert_eq(getsockname(full, (struct sockaddr *)&addr, &len), 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&addr, len), 0);
    make_hub(&(struct link_hub_settings){.tls = false, .connect_timeout_ms = 50});
    pod = link_to(ntohs(addr.sin_port), &seen);
    cr_expect_eq(open_pod(), LINK_NO_CONNECTION);
    cr_expect(strstr(seen.reason, "timed out") || strstr(seen.reason, "imeout"), "%s", seen.reason);
    close(client);
    close(full);
}

Test(link, no_descriptor_is_not_the_pods_fault)
{
    struct rlimit limit, none;

    serve_well(0, echo);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    cr_assert_eq(open_pod(), LINK_OK); /* what libcurl opens once is open */
    link_close(pod);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_expect_eq(open_pod(), LINK_NO_RESOURCES);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_expect(strstr(seen.reason, "Too many open files"), "%s", seen.reason);
    cr_expect_eq(open_pod(), LINK_OK);
}

/* ---- turns and ends ---- */

Test(link, the_others_wait_for_their_turn)
{
    struct seen more[5];
    struct link *links[5];
    unsigned open = 0;

    memset(more, 0, sizeof(more));
    fake_server_start(&server, "127.0.0.1", NULL, silent);
    make_hub(&(struct link_hub_settings){.tls = false, .max_opening = 1});
    for (int i = 0; i < 5; i++) {
        links[i] = link_to(server.port, &more[i]);
        link_open(links[i]);
    }
    link_close(links[1]); /* never had its turn */
    while (open < 4) {
        turn();
        open = 0;
        for (int i = 0; i < 5; i++)
            open += more[i].opens;
        for (int i = 1; i < 5; i++)
            cr_expect_leq(more[i].opens, more[i == 2 ? 0 : i - 1].opens + (i == 2 ? 0 : (i == 1)));
    }
    cr_expect_eq(more[1].opens, 0);
    for (int i = 0; i < 5; i++)
        link_free(links[i]);
}

/* A listener that nobody serves: the handshake gets no answer, as from a pod that drops packets. */
static int deaf_listener(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 16) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

Test(link, who_gets_no_answer_keeps_nobody_from_connecting)
{
    struct seen more[4];
    struct link *deaf[4];
    uint16_t port;
    int fd = deaf_listener(&port);

    memset(more, 0, sizeof(more));
    serve_well(0, echo); /* its hub has 4 places */
    for (int i = 0; i < 4; i++) {
        deaf[i] = link_to(port, &more[i]);
        link_open(deaf[i]);
    }
    cr_expect_eq(open_pod(), LINK_OK);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(more[i].opens, 0, "it is still tried");
        link_free(deaf[i]);
    }
    close(fd);
}

Test(link, many_at_once)
{
    struct seen more[60];
    struct link *links[60];
    unsigned open = 0;

    memset(more, 0, sizeof(more));
    fake_server_start(&server, "127.0.0.1", NULL, silent);
    make_hub(&(struct link_hub_settings){.tls = false, .max_opening = 60});
    for (int i = 0; i < 60; i++) {
        links[i] = link_to(server.port, &more[i]);
        link_open(links[i]);
    }
    while (open < 60) {
        turn();
        open = 0;
        for (int i = 0; i < 60; i++)
            open += more[i].opens;
    }
    for (int i = 0; i < 60; i++) {
        cr_expect_eq(more[i].failure, LINK_OK);
        link_free(links[i]);
    }
}

Test(link, freed_when_it_opens)
{
    serve_well(0, echo);
    seen.free_it = true;
    link_open(pod);
    while (pod)
        turn();
    cr_expect_eq(seen.opens, 1);
}

Test(link, freed_at_an_event)
{
    serve_well(0, speaks);
    cr_assert_eq(open_pod(), LINK_OK);
    seen.free_it = true;
    fake_server_go(&server);
    while (pod)
        turn();
    cr_expect_eq(seen.opens, 1);
}

Test(link, closed_while_it_opens)
{
    serve_well(0, echo);
    link_open(pod);
    turn();
    link_close(pod);
    cr_expect_eq(seen.opens, 0);
    cr_expect_eq(open_pod(), LINK_OK);
}
