/* SPDX-License-Identifier: MIT */
/* Connections that end: by the client, half or whole, and by the server, gently or at once. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

TestSuite(lifecycle, .timeout = 10);

#define H "Host: a\r\n"

static struct rig rig;

static void answer(struct http_exchange *x)
{
    http_answer_begin(x, 200);
    http_answer_end(x, "text/plain", "late\n", 5);
}

static void set_empty(void *arg)
{
    ((struct rig *)arg)->empty = true;
}

Test(lifecycle, a_half_closed_client_gets_its_answers)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /later HTTP/1.1\r\n" H "\r\nGET /text HTTP/1.1\r\n" H "\r\n");
    shutdown(c->fd, SHUT_WR);
    rig_until(&rig, rig.n_later == 1);
    for (unsigned i = 0; i < 4; i++) /* let the end of its sending be seen */
        cr_assert_eq(loop_turn(rig.loop, 1000000, NULL), 0);
    cr_expect_eq(rig.aborted, 0);
    answer(rig.later[0]);
    client_wait_end(c);
    cr_expect_eq(client_answers(c, false), 2);
    cr_expect(strstr(c->data, "late\n") && strstr(c->data, "hello\n") && c->eof);
    rig_until(&rig, rig.closed == 1);
    client_close(c);
    rig_close(&rig);
}

Test(lifecycle, half_a_request_and_a_half_close)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /text HTT");
    shutdown(c->fd, SHUT_WR);
    client_wait_end(c);
    cr_expect_eq(client_status(c, 0, false), 400);
    rig_until(&rig, rig.closed == 1);
    client_close(c);
    rig_close(&rig);
}

Test(lifecycle, a_reset_aborts_the_handler)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /later HTTP/1.1\r\n" H "\r\n");
    rig_until(&rig, rig.n_later == 1);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    client_close(c);
    rig_until(&rig, rig.closed == 1);
    cr_expect_eq(rig.aborted, 1);
    cr_expect_eq(http_server_busy(rig.server), 0);
    rig_close(&rig);
}

Test(lifecycle, freeing_the_server_aborts_handlers)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /later HTTP/1.1\r\n" H "\r\n");
    rig_until(&rig, rig.n_later == 1);
    http_server_free(rig.server);
    rig.server = NULL;
    cr_expect(rig.aborted == 1 && rig.closed == 1);
    client_close(c);
    rig_close(&rig);
}

/* A worker that ends by an error must not take with it what another one would have served. */
Test(lifecycle, freeing_the_server_leaves_the_queue_to_others)
{
    struct client *c;
    struct rig other;

    rig_open(&rig, NULL);
    rig_open(&other, NULL);
    c = client_open(&rig);
    client_send(c, "GET /text HTTP/1.1\r\n" H "\r\n");
    http_server_free(rig.server);
    cr_expect_eq(rig.accepted, 0);
    cr_assert_eq(http_server_listen(other.server, rig.listen_fd, &other.door, NULL), 0);
    rig_until(&other, other.answered == 1);
    client_wait_answers(c, 1, false);
    cr_expect_eq(client_status(c, 0, false), 200);
    client_close(c);
    rig.server = NULL;
    rig_close(&other);
    rig_close(&rig);
}

/* Answered, but not out yet when the server ends. */
Test(lifecycle, freeing_the_server_after_a_late_answer)
{
    struct client *c;

    rig_open(&rig, NULL);
    c = client_open(&rig);
    client_send(c, "GET /later HTTP/1.1\r\n" H "\r\n");
    rig_until(&rig, rig.n_later == 1);
    answer(rig.later[0]);
    http_server_free(rig.server);
    rig.server = NULL;
    cr_expect(rig.aborted == 0 && rig.closed == 1);
    client_close(c);
    rig_close(&rig);
}

/* As at SIGHUP and SIGTERM. */
Test(lifecycle, leaving)
{
    struct client *idle, *busy, *half, *late;

    rig_open(&rig, NULL);
    idle = client_open(&rig);
    busy = client_open(&rig);
    half = client_open(&rig);
    client_send(busy, "GET /later HTTP/1.1\r\n" H "\r\n");
    client_send(half, "GET /te");
    rig_until(&rig, rig.accepted == 3 && rig.n_later == 1 && http_server_busy(rig.server) == 2);

    http_server_say_close(rig.server);
    http_server_stop_accepting(rig.server);
    http_server_stop_accepting(rig.server);
    http_server_on_empty(rig.server, set_empty, &rig);
    late = client_open(&rig); /* waits in the queue of a socket that others may accept from */
    client_send(idle, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_end(idle);
    cr_expect(client_has(idle, 0, "Connection: close"));
    client_close(idle);

    http_server_close_idle(rig.server);
    cr_expect_eq(rig.accepted, 3);
    answer(rig.later[0]);
    client_send(half, "xt HTTP/1.1\r\n" H "\r\n");
    client_wait_end(busy);
    client_wait_end(half);
    cr_expect(client_has(busy, 0, "Connection: close") && client_has(half, 0, "Connection: close"));
    cr_expect_not(rig.empty);
    client_close(busy);
    client_close(half);
    rig_until(&rig, rig.empty);
    cr_expect_eq(http_server_connections(rig.server), 0);
    client_close(late);
    rig_close(&rig);
}

/* A request that has arrived, though no event has told of it, is no idle connection. */
Test(lifecycle, closing_idle_connections)
{
    struct client *idle, *kept, *coming;

    rig_open(&rig, NULL);
    idle = client_open(&rig);
    kept = client_open(&rig);
    coming = client_open(&rig);
    client_send(kept, "GET /text HTTP/1.1\r\n" H "\r\n");
    client_wait_answers(kept, 1, false);
    rig_until(&rig, rig.accepted == 3);
    client_send(coming, "GET /text HTTP/1.1\r\n" H "\r\n");
    http_server_say_close(rig.server);
    http_server_close_idle(rig.server);
    cr_expect_eq(rig.closed, 2);
    client_wait_end(idle);
    client_wait_end(kept);
    client_wait_end(coming);
    cr_expect(idle->eof && kept->eof);
    cr_expect(client_status(coming, 0, false) == 200 && client_has(coming, 0, "Connection: close"));
    client_close(idle);
    client_close(kept);
    client_close(coming);
    rig_close(&rig);
}

Test(lifecycle, empty_already)
{
    rig_open(&rig, NULL);
    http_server_on_empty(rig.server, set_empty, &rig);
    cr_expect_not(rig.empty);
    rig_until(&rig, rig.empty);
    rig_close(&rig);
}
