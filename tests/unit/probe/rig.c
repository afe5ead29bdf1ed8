/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include <syncer/base/macros.h>
#include <syncer/base/random.h>
#include <syncer/net/trust.h>

#include "rig.h"

/* ---- fake pods ---- */

void fake_close(struct fake_conn *conn)
{
    if (conn->fd < 0)
        return;
    loop_io_delete(&conn->io);
    close(conn->fd);
    conn->fd = -1;
    conn->pod->n_open--;
}

void fake_send(struct fake_conn *conn, const char *bytes)
{
    if (conn->fd >= 0)
        (void)!send(conn->fd, bytes, strlen(bytes), MSG_NOSIGNAL);
}

static void answer(struct fake_conn *conn, const struct fake_line *line)
{
    if (line->bytes)
        fake_send(conn, line->bytes);
    if (line->then == FAKE_RESET)
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    if (line->then != FAKE_KEEP)
        fake_close(conn);
}

static void take_requests(struct fake_conn *conn)
{
    struct fake_pod *pod = conn->pod;
    char *end;

    while (conn->fd >= 0 && (end = strstr(conn->in, "\r\n\r\n"))) {
        size_t len = (size_t)(end + 4 - conn->in), at = pod->n_requests;
        struct fake_line line;

        memcpy(pod->head, conn->in, len);
        pod->head[len] = '\0';
        conn->len -= len;
        memmove(conn->in, conn->in + len, conn->len + 1);
        conn->requests++;
        pod->n_requests++;
        line = pod->decide ? pod->decide(conn) : pod->script[at < pod->lines ? at : pod->lines - 1];
        answer(conn, &line);
    }
}

static void on_bytes(struct loop_io *io, uint32_t events)
{
    struct fake_conn *conn = container_of(io, struct fake_conn, io);
    ssize_t n = recv(conn->fd, conn->in + conn->len, sizeof(conn->in) - 1 - conn->len, MSG_DONTWAIT);

    (void)events;
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        fake_close(conn);
        return;
    }
    conn->len += (size_t)n;
    conn->in[conn->len] = '\0';
    take_requests(conn);
}

static void on_client(struct loop_io *io, uint32_t events)
{
    struct fake_pod *pod = container_of(io, struct fake_pod, io);
    struct fake_conn *conn = calloc(1, sizeof(*conn));

    (void)events;
    cr_assert(conn);
    conn->fd = accept4(pod->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (conn->fd < 0) { /* it has gone again */
        free(conn);
        return;
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    conn->pod = pod;
    conn->next = pod->conns;
    pod->conns = conn;
    pod->n_conns++;
    pod->n_open++;
    cr_assert_eq(loop_io_add(pod->rig->loop, &conn->io, conn->fd, EPOLLIN, on_bytes), 0);
    if (pod->greeting)
        fake_send(conn, pod->greeting);
}

void fake_listen(struct fake_pod *pod)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(pod->port)};
    socklen_t len = sizeof(at);

    memcpy(&at.sin_addr, pod->addr.bytes, 4);
    pod->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(pod->fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    cr_assert_eq(bind(pod->fd, (struct sockaddr *)&at, len), 0);
    cr_assert_eq(listen(pod->fd, 64), 0);
    cr_assert_eq(getsockname(pod->fd, (struct sockaddr *)&at, &len), 0);
    pod->port = ntohs(at.sin_port);
    cr_assert_eq(loop_io_add(pod->rig->loop, &pod->io, pod->fd, EPOLLIN, on_client), 0);
}

void fake_refuse(struct fake_pod *pod)
{
    if (pod->fd >= 0) {
        loop_io_delete(&pod->io);
        close(pod->fd);
        pod->fd = -1;
    }
    for (struct fake_conn *conn = pod->conns; conn; conn = conn->next)
        fake_close(conn);
}

struct fake_pod *rig_pod_script(struct rig *rig, const struct fake_line *script, size_t lines)
{
    struct fake_pod *pod = &rig->pods[rig->n];
    struct podtable_pod *entry = &rig->list[rig->n];

    cr_assert(rig->n < RIG_PODS && lines <= RIG_LINES);
    rig->n++;
    *pod = (struct fake_pod){
        .rig = rig, .lines = lines, .addr = {.family = 4, .bytes = {127, 0, 0, (uint8_t)(10 + rig->n)}}};
    memcpy(pod->script, script, lines * sizeof(*script));
    snprintf(pod->name, sizeof(pod->name), "p%zu", rig->n);
    fake_listen(pod);
    *entry = (struct podtable_pod){
        .id = rig->n, .addr = pod->addr, .port = pod->port, .state = PODTABLE_READY, .counts = true};
    memcpy(entry->name, pod->name, sizeof(pod->name));
    return pod;
}

/* ---- syncer's side ---- */

static void on_down(void *arg, const struct pool_pod *pod, const char *reason)
{
    struct rig *rig = arg;

    cr_expect(pool_pod_is_down(pod) && reason[0]);
    rig->down++;
}

static void on_up(void *arg, const struct pool_pod *pod)
{
    struct rig *rig = arg;

    cr_expect_not(pool_pod_is_down(pod));
    rig->up++;
}

static void on_unasked(void *arg, const struct pool_pod *pod)
{
    (void)pod;
    ((struct rig *)arg)->unasked++;
}

static int ask_refresh(void *arg, const char *name)
{
    struct rig *rig = arg;

    rig->refreshes++;
    snprintf(rig->refresh_name, sizeof(rig->refresh_name), "%s", name);
    return rig->refresh_rc;
}

static int64_t ns_or(int64_t ms, int64_t otherwise_ms)
{
    return (ms ? ms : otherwise_ms) * NS_PER_MS;
}

static void make_hub(struct rig *rig, const struct rig_settings *s)
{
    struct trust_settings trust = {.verify = false};
    struct link_hub_settings hub = {
        .tls = s->tls,
        .server_name = "gateway.test",
        .max_opening = 8,
        .connect_timeout_ms = s->connection_timeout_ms ? s->connection_timeout_ms : RIG_LONG_MS,
    };

    if (s->tls)
        cr_assert(rig->trust = trust_new(&trust, NULL));
    hub.trust = rig->trust;
    cr_assert(rig->hub = link_hub_new(rig->loop, &hub, NULL));
}

void rig_open(struct rig *rig, const struct rig_settings *settings)
{
    static const struct pool_events events = {.on_down = on_down, .on_up = on_up, .on_unasked = on_unasked};
    const struct rig_settings s = settings ? *settings : (struct rig_settings){0};

    *rig = (struct rig){0};
    cr_assert_eq(curl_global_init(CURL_GLOBAL_DEFAULT), 0);
    cr_assert(rig->loop = loop_new(NULL));
    cr_assert(rig->master = scoreboard_create(4, 64, NULL));
    cr_assert(rig->board = scoreboard_attach(scoreboard_worker_fd(rig->master), RIG_BLOCK, NULL));
    scoreboard_take(rig->board, getpid(), RIG_GENERATION);
    cr_assert(rig->table = podtable_create(RIG_LIST, NULL));
    cr_assert(rig->reader = podtable_attach(podtable_worker_fd(rig->table), NULL));
    make_hub(rig, &s);
    rig->pool = pool_new(
        &(struct pool_settings){
            .loop = rig->loop,
            .hub = rig->hub,
            .board = rig->board,
            .generation = RIG_GENERATION,
            .connection_timeout_ns = ns_or(s.connection_timeout_ms, RIG_LONG_MS),
            .host_keepalives = s.host_keepalives ? s.host_keepalives : 16,
            .max_keepalives = s.max_keepalives,
            .max_probe_rate = s.max_probe_rate,
            .request_head = "GET /p HTTP/1.1\r\nHost: gateway.test\r\nCookie: c=",
        },
        &events, rig, NULL);
    cr_assert(rig->pool);
    rig->checker = checker_new(
        &(struct checker_settings){
            .loop = rig->loop,
            .pool = rig->pool,
            .table = rig->reader,
            .board = rig->board,
            .schedule = {.mode = s.scout ? SCHEDULE_SCOUT : SCHEDULE_PARALLEL,
                         .waves = 10,
                         .draw = random_below,
                         .sync_timeout_ns = ns_or(s.sync_timeout_ms, 10),
                         .patience_ns = ns_or(s.patience_ms, 200)},
            .request_deadline_ns = ns_or(s.request_deadline_ms, RIG_LONG_MS),
            .max_checks = s.max_checks ? s.max_checks : 16,
            .heed_control_probes = s.heed_control_probes,
            .origin_check = s.origin_check,
            .max_table_age_ns = s.max_table_age_ms * NS_PER_MS,
            .ask_refresh = ask_refresh,
            .arg = rig,
        },
        NULL);
    cr_assert(rig->checker);
}

void rig_close(struct rig *rig)
{
    checker_free(rig->checker);
    pool_free(rig->pool);
    link_hub_free(rig->hub);
    trust_free(rig->trust);
    podtable_detach(rig->reader);
    podtable_free(rig->table);
    scoreboard_free(rig->board);
    scoreboard_free(rig->master);
    for (size_t i = 0; i < rig->n; i++) {
        fake_refuse(&rig->pods[i]);
        while (rig->pods[i].conns) {
            struct fake_conn *conn = rig->pods[i].conns;

            rig->pods[i].conns = conn->next;
            free(conn);
        }
    }
    loop_free(rig->loop);
    curl_global_cleanup();
}

void rig_publish_first(struct rig *rig, size_t n)
{
    podtable_scrape_begin(rig->table);
    cr_assert_eq(podtable_publish(rig->table, rig->list, n, clock_now_ns(), NULL), 0);
    rig_scrape(rig, PODTABLE_SCRAPE_OK);
}

void rig_publish(struct rig *rig)
{
    rig_publish_first(rig, rig->n);
}

void rig_scrape(struct rig *rig, enum podtable_scrape outcome)
{
    podtable_scrape_end(rig->table, outcome);
    checker_table_changed(rig->checker);
}

void rig_warm_up(struct rig *rig)
{
    rig_publish(rig);
    rig_until(rig, pool_is_warm(rig->pool));
}

void rig_turn(struct rig *rig)
{
    cr_assert_eq(loop_turn(rig->loop, -1, NULL), 0);
}

void rig_pass(struct rig *rig, int64_t ms)
{
    int64_t end = clock_now_ns() + ms * NS_PER_MS, now;

    while ((now = clock_now_ns()) < end)
        cr_assert_eq(loop_turn(rig->loop, end - now, NULL), 0);
}

uint64_t rig_count(const struct rig *rig, enum scoreboard_metric metric)
{
    return scoreboard_sum(rig->board, metric);
}

/* ---- probes ---- */

static unsigned ended;

static void on_probe_done(struct probe *probe)
{
    struct question *q = container_of(probe, struct question, probe);

    q->done = true;
    q->order = ++ended;
}

void question_start(struct question *q, struct rig *rig, size_t pod, const char *token)
{
    *q = (struct question){.text = probe_text_new(rig->pool, token, strlen(token), "X-Request-ID: 1\r\n")};
    cr_assert(q->text);
    probe_init(&q->probe, rig->loop, on_probe_done);
    probe_start(&q->probe, pool_get(rig->pool, pod), q->text);
}

void question_end(struct question *q)
{
    probe_cancel(&q->probe);
    probe_text_drop(q->text);
}

enum probe_outcome rig_probe(struct rig *rig, size_t pod)
{
    struct question q;

    question_start(&q, rig, pod, "t");
    rig_until(rig, q.done);
    question_end(&q);
    return q.probe.outcome;
}

/* ---- checks ---- */

static void on_check_done(struct check *check, void *arg)
{
    struct asked *asked = arg;
    struct check_peer_result peer;
    size_t at = 0;

    asked->done = true;
    asked->ended_ns = asked->began_ns + check_duration_ns(check);
    asked->refusal = check_refusal(check);
    asked->verdict = check_verdict(check);
    asked->reason = check_reason(check);
    asked->peers = check_peers(check);
    asked->expected = check_expected(check);
    while (check_next_peer(check, &at, &peer)) {
        size_t i = asked->n++;

        snprintf(asked->peer[i].name, sizeof(asked->peer[i].name), "%s", pool_pod_name(peer.pod));
        snprintf(asked->peer[i].reason, sizeof(asked->peer[i].reason), "%s", pool_pod_reason(peer.pod));
        asked->peer[i].outcome = peer.outcome;
        asked->peer[i].code = peer.code;
        asked->peer[i].attempts = peer.attempts;
        asked->peer[i].finished = peer.finished;
        asked->peer[i].unprotected = peer.unprotected;
        asked->peer[i].proven = pool_pod_is_proven(peer.pod);
        asked->peer[i].after_ns = peer.expected_after_ns;
    }
    asked->check = NULL;
}

void rig_ask_for(struct rig *rig, struct asked *asked, const char *token, const char *origin, bool expect_absent)
{
    struct check_request request = {
        .token = token,
        .token_len = strlen(token),
        .origin = origin,
        .expect_absent = expect_absent,
        .fields = "",
        .on_done = on_check_done,
        .arg = asked,
    };

    cr_assert_eq(loop_turn(rig->loop, 0, NULL), 0); /* the loop's time is now */
    *asked = (struct asked){0};
    request.began_ns = asked->began_ns = loop_now_ns(rig->loop);
    asked->check = check_start(rig->checker, &request, &asked->refusal);
    asked->done = !asked->check;
}

void rig_ask(struct rig *rig, struct asked *asked, const char *origin, bool expect_absent)
{
    rig_ask_for(rig, asked, "t", origin, expect_absent);
}

void rig_check(struct rig *rig, struct asked *asked, const char *origin)
{
    rig_ask(rig, asked, origin, false);
    rig_until(rig, asked->done);
}

size_t asked_peer(const struct asked *asked, const char *name)
{
    for (size_t i = 0; i < asked->n; i++)
        if (strcmp(asked->peer[i].name, name) == 0)
            return i;
    cr_assert(false, "%s is no peer", name);
    return 0;
}
