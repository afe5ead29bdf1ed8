/* SPDX-License-Identifier: MIT */
/* Connections and single questions, before pods that do everything that a pod may and may not do. */
#include <config.h>

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <syncer/base/macros.h>

#include "rig.h"

TestSuite(pool, .timeout = 30);

#define MAYBE_LONGER "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nten"

static struct rig rig;

/* ---- answers ---- */

Test(pool, a_pod_that_appears_is_connected_to)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    cr_expect(pool_is_warm(rig.pool) && pool_size(rig.pool) == 0);
    rig_publish(&rig);
    cr_expect_not(pool_is_warm(rig.pool));
    rig_until(&rig, pool_is_warm(rig.pool) && pod->n_open == 1);
    cr_expect_str_eq(pool_pod_name(pool_get(rig.pool, 0)), "p1");
    cr_expect_eq(rig_count(&rig, METRIC_LINKS_OPENED), 1);
    rig_close(&rig);
}

/* More than are begun in one turn. */
Test(pool, many_pods_that_appear_at_once)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    for (uint64_t i = 1; i < RIG_LIST; i++) {
        rig.list[i] = rig.list[0];
        rig.list[i].id += i;
    }
    rig_publish_first(&rig, RIG_LIST);
    cr_expect_eq(rig_probe(&rig, RIG_LIST - 1), PROBE_PRESENT, "who is asked does not wait for the others");
    rig_until(&rig, pool_is_warm(rig.pool) && pod->n_open == RIG_LIST);
    cr_expect_eq(rig_count(&rig, METRIC_LINKS_OPENED), RIG_LIST);
    rig_close(&rig);
}

Test(pool, what_an_answer_is)
{
    static const struct {
        const char *bytes;
        enum fake_then then;
        enum probe_outcome outcome;
    } cases[] = {
        {OK, FAKE_KEEP, PROBE_PRESENT},
        {NO, FAKE_KEEP, PROBE_ABSENT},
        {"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP, PROBE_STATUS},
        {"HTTP/1.1 204 X\r\n\r\n", FAKE_KEEP, PROBE_STATUS},
        {"HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n", FAKE_KEEP, PROBE_STATUS},
        {"HTTP/1.1 100 X\r\n\r\n" OK, FAKE_KEEP, PROBE_PRESENT},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", FAKE_KEEP, PROBE_PRESENT},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", FAKE_CLOSE, PROBE_PRESENT},
        {NULL, FAKE_CLOSE, PROBE_BROKEN},
        {NULL, FAKE_RESET, PROBE_BROKEN},
        {"HTTP/1.1 200 OK\r\n", FAKE_CLOSE, PROBE_BROKEN},
        {MAYBE_LONGER, FAKE_CLOSE, PROBE_BROKEN},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", FAKE_CLOSE, PROBE_BROKEN},
        {"HTTP/2 200\r\n\r\n", FAKE_KEEP, PROBE_BROKEN},
        {"hello\r\n\r\n", FAKE_KEEP, PROBE_BROKEN},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", FAKE_KEEP, PROBE_BROKEN},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_pod *pod;

        rig_open(&rig, NULL);
        pod = rig_pod(&rig, {cases[i].bytes, cases[i].then});
        rig_publish(&rig); /* the question waits for the connection, so that it is a fresh one */
        cr_expect_eq(rig_probe(&rig, 0), cases[i].outcome, "case %zu", i);
        cr_expect_eq(pod->n_requests, 1);
        rig_close(&rig);
    }
}

Test(pool, what_is_asked)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect_str_eq(pod->head, "GET /p HTTP/1.1\r\nHost: gateway.test\r\nCookie: c=t\r\nX-Request-ID: 1\r\n\r\n");
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_PRESENT), 1);
    cr_expect(pool_pod_is_proven(pool_get(rig.pool, 0)));
    rig_close(&rig);
}

Test(pool, an_answer_in_pieces)
{
    struct fake_pod *pod;
    struct question q;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    question_start(&q, &rig, 0, "t");
    rig_until(&rig, pod->n_requests == 1);
    for (const char *at = NO; *at; at++) {
        cr_expect_not(q.done);
        fake_send(pod->conns, (const char[]){*at, '\0'});
        rig_pass(&rig, 1);
    }
    rig_until(&rig, q.done);
    cr_expect(q.probe.outcome == PROBE_ABSENT && q.probe.code == 401);
    cr_expect_not(pool_pod_is_proven(pool_get(rig.pool, 0)));
    question_end(&q);
    rig_close(&rig);
}

/* ---- connections that are kept ---- */

Test(pool, a_connection_is_asked_again)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(NO), SAY(OK));
    rig_warm_up(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_ABSENT);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect_eq(pod->n_conns, 1);
    rig_close(&rig);
}

/* What a reload of nginx does. */
Test(pool, a_kept_connection_that_ends_at_the_next_question_is_no_failure)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK), {NULL, FAKE_CLOSE}, SAY(OK));
    rig_warm_up(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect(pod->n_conns == 2 && pod->n_requests == 3);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_RESENT), 1);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_BROKEN), 0);
    rig_close(&rig);
}

Test(pool, an_idle_connection_that_ends_is_opened_again)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_until(&rig, pod->n_open == 1);
    fake_close(pod->conns);
    rig_until(&rig, pod->n_conns == 2);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    rig_close(&rig);
}

Test(pool, connection_close_is_honoured)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
    rig_warm_up(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect_eq(pod->n_conns, 2);
    rig_close(&rig);
}

/* As nginx by keepalive_requests. */
static struct fake_line five_a_connection(struct fake_conn *conn)
{
    return conn->requests % 5 == 0
               ? (struct fake_line){"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", FAKE_CLOSE}
               : (struct fake_line)SAY(OK);
}

Test(pool, a_connection_that_will_end_by_count_is_replaced_before)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    pod->decide = five_a_connection;
    rig_warm_up(&rig);
    for (unsigned i = 1; i <= 60; i++) {
        cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
        if (i > 10) /* two have ended at the same number */
            cr_expect(pool_is_warm(rig.pool), "the %u-th question would have to wait", i + 1);
        rig_until(&rig, pool_is_warm(rig.pool));
        rig_pass(&rig, 2);
    }
    cr_expect_leq(pod->n_conns, 60 / 5 + 2, "%u", pod->n_conns);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_RESENT), 0);
    rig_close(&rig);
}

/* ---- the queue ---- */

Test(pool, questions_beyond_host_keepalives_wait_in_order)
{
    struct question q[4];
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 1});
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_start(&q[i], &rig, 0, (const char[]){(char)('a' + i), '\0'});
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        rig_until(&rig, pod->n_requests == i + 1);
        cr_expect(strstr(pod->head, "c=") && strstr(pod->head, "c=")[2] == (char)('a' + i));
        cr_expect_not(q[i].done);
        fake_send(pod->conns, OK);
        rig_until(&rig, q[i].done);
    }
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        cr_expect_eq(q[i].order, i + 1);
        question_end(&q[i]);
    }
    cr_expect_eq(pod->n_conns, 1);
    rig_close(&rig);
}

Test(pool, more_connections_are_opened_for_those_that_wait)
{
    struct question q[5];
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 3});
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_start(&q[i], &rig, 0, "t");
    rig_until(&rig, pod->n_requests == 3);
    rig_pass(&rig, 20);
    cr_expect(pod->n_conns == 3 && pod->n_requests == 3);
    for (struct fake_conn *conn = pod->conns; conn; conn = conn->next)
        fake_send(conn, OK);
    rig_until(&rig, pod->n_requests == 5);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_end(&q[i]);
    rig_close(&rig);
}

Test(pool, the_time_of_a_question_begins_when_it_is_sent_if_the_pod_answers_others)
{
    struct question q[5];
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 1, .connection_timeout_ms = 300});
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_start(&q[i], &rig, 0, "t");
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        int64_t sent;

        rig_until(&rig, pod->n_requests == i + 1 || q[i].done);
        sent = loop_now_ns(rig.loop);
        rig_pass(&rig, 100);
        fake_send(pod->conns, OK);
        rig_until(&rig, q[i].done);
        if (loop_now_ns(rig.loop) - sent > 250 * NS_PER_MS)
            break; /* this machine was away for too long */
        cr_expect_eq(q[i].probe.outcome, PROBE_PRESENT, "%zu: %s", i, probe_outcome_name(q[i].probe.outcome));
    }
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_end(&q[i]);
    rig_close(&rig);
}

Test(pool, a_question_waits_for_as_long_as_opening_took_before_another_connection_is_opened)
{
    const struct timespec slowly = {.tv_nsec = 90 * NS_PER_MS};
    struct question q[2];
    struct fake_pod *pod;
    int64_t began;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SILENT);
    rig_publish(&rig);
    while (!pool_is_warm(rig.pool)) {
        nanosleep(&slowly, NULL);
        rig_turn(&rig);
    }
    rig_turn(&rig);
    began = loop_now_ns(rig.loop);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_start(&q[i], &rig, 0, "t");
    rig_until(&rig, pod->n_requests == 2);
    cr_expect_geq(loop_now_ns(rig.loop) - began, 80 * NS_PER_MS);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_end(&q[i]);
    rig_close(&rig);
}

Test(pool, a_question_that_is_given_up_leaves_the_queue)
{
    struct question q[3];
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 1});
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_start(&q[i], &rig, 0, (const char[]){(char)('a' + i), '\0'});
    rig_until(&rig, pod->n_requests == 1);
    question_end(&q[1]);
    fake_send(pod->conns, OK);
    rig_until(&rig, pod->n_requests == 2);
    cr_expect(strstr(pod->head, "c=c"));
    question_end(&q[0]);
    question_end(&q[2]);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_ORPHANED), 1);
    rig_close(&rig);
}

Test(pool, more_than_max_probe_rate_wait_in_order)
{
    struct question q[40];
    struct fake_pod *pod;
    int64_t began;

    rig_open(&rig, &(struct rig_settings){.max_probe_rate = 100, .connection_timeout_ms = 150});
    pod = rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_turn(&rig);
    began = loop_now_ns(rig.loop);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_start(&q[i], &rig, 0, "t");
    rig_until(&rig, q[10].done);
    cr_expect_leq(pod->n_requests, 12 + (unsigned)((loop_now_ns(rig.loop) - began) / (10 * NS_PER_MS)));
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        rig_until(&rig, q[i].done);
        /* Longer than connection_timeout, but for want of a turn and not by the pod's fault. */
        cr_expect(q[i].probe.outcome == PROBE_PRESENT && q[i].order == q[0].order + i, "%zu: %s", i,
                  probe_outcome_name(q[i].probe.outcome));
        question_end(&q[i]);
    }
    cr_expect_geq(loop_now_ns(rig.loop) - began, 28 * 10 * NS_PER_MS);
    cr_expect_leq(pod->n_conns, 11, "no further ones are opened for those that wait for their turn");
    rig_close(&rig);
}

/* ---- what is kept ---- */

/* Under load `n` connections of the first pod are opened, then nobody asks any more. */
static void open_under_load(struct fake_pod *pod, unsigned n)
{
    struct question q[16];

    cr_assert(n <= ARRAY_LEN(q));
    for (size_t i = 0; i < n; i++)
        question_start(&q[i], &rig, 0, "t");
    rig_until(&rig, pod->n_requests == n);
    for (struct fake_conn *conn = pod->conns; conn; conn = conn->next)
        fake_send(conn, OK);
    for (size_t i = 0; i < n; i++) {
        rig_until(&rig, q[i].done);
        question_end(&q[i]);
    }
    cr_assert_eq(pod->n_open, n);
}

Test(pool, connections_beyond_max_keepalives_are_closed_when_nobody_needs_them)
{
    static const struct {
        uint32_t max_keepalives;
        unsigned stay;
    } cases[] = {{0, 3}, {5, 4}, {1, 1}}; /* the other pod has one of them */

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake_pod *pod, *other;

        rig_open(&rig, &(struct rig_settings){.max_keepalives = cases[i].max_keepalives});
        pod = rig_pod(&rig, SILENT);
        other = rig_pod(&rig, SAY(OK));
        rig_warm_up(&rig);
        open_under_load(pod, 6);
        rig_until(&rig, pod->n_open <= cases[i].stay);
        rig_pass(&rig, 1200);
        cr_expect(pod->n_open == cases[i].stay && other->n_open == 1, "case %zu: %u", i, pod->n_open);
        cr_expect_eq(pod->n_conns, 6);
        rig_close(&rig);
    }
}

/* ---- time ---- */

/* Brings the pod to `n` kept connections, each of which has been asked once. */
static void serve_on(struct fake_pod *pod, struct question *q, size_t n)
{
    for (size_t i = 0; i < n; i++)
        question_start(&q[i], &rig, 0, "t");
    rig_until(&rig, pod->n_requests == n);
    for (struct fake_conn *conn = pod->conns; conn; conn = conn->next)
        fake_send(conn, NO);
    for (size_t i = 0; i < n; i++) {
        rig_until(&rig, q[i].done);
        question_end(&q[i]);
    }
    cr_assert(pod->n_conns == n && pod->n_open == n);
}

Test(pool, silence_ends_as_timeout)
{
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.connection_timeout_ms = 50});
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_TIMEOUT);
    cr_expect_str_eq(pool_pod_reason(pool_get(rig.pool, 0)), "no answer within connection_timeout");
    rig_until(&rig, pod->n_open == 1 && pod->n_conns == 2); /* that one was closed, another one opened */
    rig_close(&rig);
}

/* All connections that it may have hang: it is the pod that does not answer, and not the pod that takes no
 * connection. */
Test(pool, who_waits_behind_hung_connections_times_out)
{
    struct question q[2];

    rig_open(&rig, &(struct rig_settings){.connection_timeout_ms = 50, .host_keepalives = 1});
    rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    question_start(&q[0], &rig, 0, "a");
    question_start(&q[1], &rig, 0, "b");
    rig_until(&rig, q[0].done && q[1].done);
    for (size_t i = 0; i < ARRAY_LEN(q); i++) {
        cr_expect_eq(q[i].probe.outcome, PROBE_TIMEOUT, "%zu: %s", i, probe_outcome_name(q[i].probe.outcome));
        question_end(&q[i]);
    }
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_CONNECT), 0);
    rig_close(&rig);
}

/* A pod that has said nothing to anybody for a whole limit may be gone: what is kept open to it would cost the next questions
 * a limit each. */
Test(pool, silence_ends_the_idle_connections_too)
{
    struct question q[3];
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.connection_timeout_ms = 300});
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    serve_on(pod, q, 3);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_TIMEOUT);
    rig_until(&rig, pod->n_conns == 4 && pod->n_open == 1);
    rig_close(&rig);
}

static struct fake_line silent_to_s(struct fake_conn *conn)
{
    return strstr(conn->pod->head, "c=s") ? (struct fake_line)SILENT : (struct fake_line)SAY(OK);
}

Test(pool, silence_to_one_question_ends_no_other_connection)
{
    struct question q[2];
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.connection_timeout_ms = 1000});
    pod = rig_pod(&rig, SAY(OK));
    pod->decide = silent_to_s;
    rig_warm_up(&rig);
    question_start(&q[0], &rig, 0, "s");
    rig_until(&rig, pod->n_requests == 1);
    question_start(&q[1], &rig, 0, "t");
    rig_until(&rig, q[0].done && q[1].done);
    cr_expect(q[0].probe.outcome == PROBE_TIMEOUT && q[1].probe.outcome == PROBE_PRESENT);
    rig_until(&rig, pod->n_open == 1);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect_eq(pod->n_conns, 2, "the one that answered is still there");
    question_end(&q[0]);
    question_end(&q[1]);
    rig_close(&rig);
}

Test(pool, few_connections_of_a_pod_are_opened_at_a_time)
{
    struct question q[8];
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.tls = true});
    pod = rig_pod(&rig, SILENT); /* takes connections, and says nothing to their handshakes */
    rig_publish(&rig);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_start(&q[i], &rig, 0, "t");
    rig_until(&rig, pod->n_conns == 2);
    rig_pass(&rig, 60);
    cr_expect_eq(pod->n_conns, 2);
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_end(&q[i]);
    rig_close(&rig);
}

Test(pool, a_handshake_that_hangs_is_no_connection)
{
    rig_open(&rig, &(struct rig_settings){.connection_timeout_ms = 50, .tls = true});
    rig_pod(&rig, SILENT);
    rig_publish(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_CONNECT);
    rig_close(&rig);
}

Test(pool, what_speaks_no_tls)
{
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.tls = true});
    pod = rig_pod(&rig, SILENT);
    pod->greeting = "HTTP/1.1 400 Bad Request\r\n\r\n";
    rig_publish(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_TLS);
    rig_close(&rig);
}

/* ---- bytes that nobody asked for ---- */

Test(pool, bytes_before_the_first_question)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SILENT);
    pod->greeting = OK;
    rig_publish(&rig);
    /* Whether they come before the connection is taken over or after, nobody may take them for an answer. */
    rig_until(&rig, rig.unasked > 0 || rig_count(&rig, METRIC_LINKS_FAILED) > 0);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_PRESENT), 0);
    rig_close(&rig);
}

Test(pool, surplus_behind_an_answer_ends_the_connection)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(NO OK));
    rig_warm_up(&rig);
    for (unsigned i = 1; i <= 3; i++) {
        cr_expect_eq(rig_probe(&rig, 0), PROBE_ABSENT);
        cr_expect(rig.unasked == i && pod->n_conns == i);
    }
    rig_close(&rig);
}

Test(pool, unasked_bytes_end_all_connections_that_were_asked_before)
{
    static const struct fake_line script[] = {SILENT, SILENT, SILENT, SAY(NO)};
    struct question q[3];
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod_script(&rig, script, ARRAY_LEN(script));
    rig_warm_up(&rig);
    serve_on(pod, q, 3);
    fake_send(pod->conns, OK);
    rig_until(&rig, rig.unasked == 1);
    rig_until(&rig, pod->n_open == 0);
    /* What comes late on the others would have met the next question. */
    cr_expect_eq(rig_probe(&rig, 0), PROBE_ABSENT);
    cr_expect_eq(pod->conns->requests, 1);
    rig_close(&rig);
}

Test(pool, a_distrusted_pod_gets_one_question_a_connection)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    fake_send(pod->conns, OK);
    rig_until(&rig, rig.unasked == 1);
    for (unsigned i = 1; i <= 3; i++) {
        cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
        cr_expect_eq(pod->conns->requests, 1);
    }
    cr_expect_eq(pod->n_conns, 4);
    rig_close(&rig);
}

Test(pool, a_connection_that_was_never_asked_may_be_used)
{
    static const struct fake_line script[] = {SILENT, SILENT, SAY(NO)};
    struct question q[2];
    struct fake_pod *pod;
    struct fake_conn *first;

    rig_open(&rig, NULL);
    pod = rig_pod_script(&rig, script, ARRAY_LEN(script));
    rig_warm_up(&rig);
    first = pod->conns;
    question_start(&q[0], &rig, 0, "t");
    question_end(&q[0]);
    question_start(&q[1], &rig, 0, "t"); /* the only connection has an orphan: a second one is opened at once */
    question_end(&q[1]);                 /* for nobody */
    rig_until(&rig, pod->n_open == 2 && pod->n_requests == 1);
    fake_send(first, NO);
    rig_pass(&rig, 5);
    fake_send(first, OK);
    rig_until(&rig, rig.unasked == 1 && pod->n_open == 1);
    cr_expect_eq(pod->conns->requests, 0);
    rig_close(&rig);
}

/* The answer that is under way on a connection that was asked before may be what was left of the one before. */
Test(pool, an_answer_under_way_when_distrust_begins_is_asked_for_again)
{
    static const struct fake_line script[] = {SILENT, SILENT, SILENT, SAY(NO)};
    struct question q[2];
    struct fake_pod *pod;
    struct fake_conn *busy, *idle;

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 2});
    pod = rig_pod_script(&rig, script, ARRAY_LEN(script));
    rig_warm_up(&rig);
    serve_on(pod, q, 2);
    question_start(&q[0], &rig, 0, "t");
    rig_until(&rig, pod->n_requests == 3);
    busy = pod->conns->requests == 2 ? pod->conns : pod->conns->next;
    idle = busy == pod->conns ? pod->conns->next : pod->conns;
    fake_send(idle, OK);
    rig_until(&rig, rig.unasked == 1);
    cr_expect_not(q[0].done);
    fake_send(busy, OK);
    rig_until(&rig, q[0].done);
    cr_expect_eq(q[0].probe.outcome, PROBE_ABSENT, "%s", probe_outcome_name(q[0].probe.outcome));
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_RESENT), 1);
    question_end(&q[0]);
    rig_close(&rig);
}

Test(pool, a_late_answer_in_front_of_the_right_one_is_not_believed)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(NO), SAY(OK NO), SAY(NO));
    rig_warm_up(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_ABSENT);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_ABSENT);
    cr_expect(rig.unasked == 1 && pod->n_requests == 3 && pod->n_conns == 2);
    cr_expect_not(pool_pod_is_proven(pool_get(rig.pool, 0)));
    rig_close(&rig);
}

/* ---- pods that take no connection ---- */

Test(pool, a_pod_that_refuses_fails_its_questions_at_once)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    fake_refuse(pod);
    rig_publish(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_CONNECT);
    cr_expect(strstr(pool_pod_reason(pool_get(rig.pool, 0)), "refused"));
    cr_expect(rig_count(&rig, METRIC_LINKS_FAILED) >= 1);
    cr_expect(pool_is_warm(rig.pool), "nobody waits for it");
    rig_close(&rig);
}

Test(pool, a_pod_is_down_after_a_second_and_up_again_by_itself)
{
    struct fake_pod *pod;
    int64_t began = clock_now_ns();

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    fake_refuse(pod);
    rig_publish(&rig);
    rig_until(&rig, rig.down == 1);
    cr_expect_geq(clock_now_ns() - began, NS_PER_S);
    cr_expect_geq(rig_count(&rig, METRIC_LINKS_FAILED), 3);
    fake_listen(pod);
    rig_until(&rig, rig.up == 1);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect_eq(rig.down, 1);
    rig_close(&rig);
}

Test(pool, with_one_connection_that_works_a_pod_is_not_down)
{
    struct question q[2];
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    question_start(&q[0], &rig, 0, "a");
    rig_until(&rig, pod->n_requests == 1);
    loop_io_delete(&pod->io);
    close(pod->fd); /* its port refuses, what stands goes on */
    pod->fd = -1;
    question_start(&q[1], &rig, 0, "b");
    rig_until(&rig, rig_count(&rig, METRIC_LINKS_FAILED) >= 1);
    cr_expect_not(q[1].done);
    fake_send(pod->conns, OK);
    rig_until(&rig, pod->n_requests == 2);
    cr_expect(q[0].done);
    fake_send(pod->conns, OK);
    rig_until(&rig, q[1].done);
    cr_expect(q[1].probe.outcome == PROBE_PRESENT && rig.down == 0);
    question_end(&q[0]);
    question_end(&q[1]);
    rig_close(&rig);
}

/* ---- orphans ---- */

Test(pool, a_late_answer_is_not_the_next_questions)
{
    struct question q;
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 1});
    pod = rig_pod(&rig, SILENT, SAY(NO));
    rig_warm_up(&rig);
    question_start(&q, &rig, 0, "given-up");
    rig_until(&rig, pod->n_requests == 1);
    question_end(&q);
    cr_expect_not(q.done);
    question_start(&q, &rig, 0, "t");
    rig_pass(&rig, 10);
    cr_expect_eq(pod->n_requests, 1, "the connection is still the orphan's");
    fake_send(pod->conns, OK);
    rig_until(&rig, q.done);
    cr_expect(q.probe.outcome == PROBE_ABSENT && pod->n_conns == 1);
    cr_expect_eq(rig_count(&rig, METRIC_PROBES_PRESENT), 0);
    question_end(&q);
    rig_close(&rig);
}

Test(pool, an_orphan_that_hangs_ends_at_its_limit)
{
    struct question q;
    struct fake_pod *pod;

    rig_open(&rig, &(struct rig_settings){.connection_timeout_ms = 50});
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    question_start(&q, &rig, 0, "t");
    rig_until(&rig, pod->n_requests == 1);
    question_end(&q);
    rig_until(&rig, pod->n_conns == 2 && pod->n_open == 1);
    rig_close(&rig);
}

/* ---- the table ---- */

Test(pool, a_pod_that_leaves_is_let_go_when_nobody_holds_it)
{
    struct fake_pod *pod, *stays;
    struct question q;
    struct pool_pod *held;

    rig_open(&rig, NULL);
    stays = rig_pod(&rig, SAY(OK));
    pod = rig_pod(&rig, SILENT);
    rig_warm_up(&rig);
    question_start(&q, &rig, 1, "t");
    rig_until(&rig, pod->n_requests == 1 && stays->n_open == 1);
    held = pool_get(rig.pool, 1);
    pool_pod_hold(held);
    rig_publish_first(&rig, 1);
    cr_expect(pool_size(rig.pool) == 1 && pool_pod_is_gone(held));
    fake_send(pod->conns, OK);
    rig_until(&rig, q.done);
    cr_expect_eq(q.probe.outcome, PROBE_PRESENT, "its exchange went on");
    rig_until(&rig, pod->n_open == 0);
    question_end(&q);
    pool_pod_drop(held);
    cr_expect_eq(stays->n_open, 1);
    cr_expect_eq(pod->n_conns, 1, "nothing was opened again");
    rig_close(&rig);
}

Test(pool, a_pod_that_does_not_count_is_none)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    rig_until(&rig, pod->n_open == 1);
    rig.list[0].counts = false;
    rig_publish(&rig);
    cr_expect_eq(pool_size(rig.pool), 0);
    rig_until(&rig, pod->n_open == 0);
    rig.list[0].counts = true;
    rig_warm_up(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    rig_close(&rig);
}

Test(pool, a_table_that_says_the_same_changes_nothing)
{
    struct fake_pod *pod;

    rig_open(&rig, NULL);
    pod = rig_pod(&rig, SAY(OK));
    rig_warm_up(&rig);
    for (int i = 0; i < 5; i++)
        rig_publish(&rig);
    cr_expect_eq(rig_probe(&rig, 0), PROBE_PRESENT);
    cr_expect(pod->n_conns == 1 && pool_generation(rig.pool) == 6);
    rig_close(&rig);
}

/* ---- the end ---- */

Test(pool, it_ends_with_everything_under_way)
{
    struct question q[4];
    struct fake_pod *pod, *refuses;

    rig_open(&rig, &(struct rig_settings){.host_keepalives = 2});
    pod = rig_pod(&rig, SILENT);
    refuses = rig_pod(&rig, SAY(OK));
    rig_pod(&rig, SAY(OK));
    fake_refuse(refuses);
    rig_warm_up(&rig);
    for (size_t i = 0; i < 3; i++)
        question_start(&q[i], &rig, 0, "t");
    rig_until(&rig, pod->n_requests == 2);
    rig_pod(&rig, SAY(OK));
    rig_publish(&rig);
    question_start(&q[3], &rig, 3, "t"); /* it waits for a connection that is being opened */
    for (size_t i = 0; i < ARRAY_LEN(q); i++)
        question_end(&q[i]);
    rig_close(&rig);
}
