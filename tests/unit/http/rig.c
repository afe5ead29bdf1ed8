/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <syncer/base/macros.h>
#include <syncer/net/listen.h>

#include "rig.h"

/* --- handlers --- */

static void handle_empty(struct http_exchange *x, void *app)
{
    (void)app;
    http_answer_begin(x, 200);
    http_answer_end(x, NULL, NULL, 0);
}

static void handle_text(struct http_exchange *x, void *app)
{
    (void)app;
    http_answer_begin(x, 200);
    http_answer_field(x, "X-Extra", "1");
    http_answer_end(x, "text/plain", "hello\n", 6);
}

static void handle_token(struct http_exchange *x, void *app)
{
    char text[256];
    const char *value;
    size_t len;
    unsigned n = http_exchange_field(x, "x-auth-token", &value, &len);

    (void)app;
    snprintf(text, sizeof(text), "%u %.*s\n", n, (int)len, value);
    http_answer_begin(x, 200);
    http_answer_end(x, "text/plain", text, strlen(text));
}

static void handle_big(struct http_exchange *x, void *app)
{
    struct buf body;

    (void)app;
    buf_init(&body, RIG_BIG_BYTES);
    memset(buf_reserve(&body, RIG_BIG_BYTES), 'b', RIG_BIG_BYTES);
    body.len = RIG_BIG_BYTES;
    http_answer_begin(x, 200);
    http_answer_end_buf(x, "text/plain", &body);
    cr_assert(body.data == NULL && body.len == 0);
}

static void on_abort(struct http_exchange *x)
{
    struct rig *rig = http_exchange_data(x);

    rig->aborted++;
}

static void handle_later(struct http_exchange *x, void *app)
{
    struct rig *rig = app;

    http_exchange_set_data(x, rig);
    http_exchange_on_abort(x, on_abort);
    rig->later[rig->n_later++] = x;
}

struct slices {
    struct http_producer producer;
    struct rig *rig;
    unsigned made;
};

static bool next_slice(struct http_producer *producer, struct buf *out)
{
    struct slices *s = container_of(producer, struct slices, producer);
    bool last = s->made + 1 == s->rig->slices.n;
    size_t len = last && s->rig->slices.fail ? HTTP_SLICE_MAX + 100 : s->rig->slices.bytes;
    char *to = buf_reserve(out, len);

    if (to && len > 0) {
        memset(to, 's', len);
        to[0] = (char)('0' + s->made % 10);
        out->len += len;
    }
    s->made++;
    s->rig->slices.made++;
    return !last;
}

static void release_slices(struct http_producer *producer)
{
    struct slices *s = container_of(producer, struct slices, producer);

    s->rig->slices.released++;
    free(s);
}

static void handle_slices(struct http_exchange *x, void *app)
{
    struct slices *s = calloc(1, sizeof(*s));

    cr_assert(s);
    s->rig = app;
    s->producer = (struct http_producer){.next = next_slice, .release = release_slices};
    http_answer_begin(x, 200);
    http_answer_end_producer(x, "text/plain", &s->producer);
}

static void on_error(struct http_exchange *x, int status, const char *detail, void *app)
{
    char text[8];

    (void)app;
    (void)detail;
    snprintf(text, sizeof(text), "%d", status);
    http_answer_field(x, "X-Error", text);
}

static const struct http_route routes[] = {
    {"/", handle_empty, ""},  {"/text", handle_text, ""},   {"/token", handle_token, ""},
    {"/big", handle_big, ""}, {"/later", handle_later, ""}, {"/slices", handle_slices, ""},
};

/* --- the server --- */

static void on_accepted(void *arg)
{
    ((struct rig *)arg)->accepted++;
}

static bool has_enough(void *arg)
{
    return ((struct rig *)arg)->has_enough;
}

static void on_refused(void *arg)
{
    ((struct rig *)arg)->refused++;
}

static void on_closed(void *arg)
{
    ((struct rig *)arg)->closed++;
}

static void on_answered(void *arg, int status)
{
    struct rig *rig = arg;

    rig->answered++;
    rig->last_status = status;
}

static const struct http_events events = {
    .on_accepted = on_accepted,
    .has_enough = has_enough,
    .on_refused = on_refused,
    .on_closed = on_closed,
    .on_answered = on_answered,
};
static struct http_router router = {.routes = routes, .n = ARRAY_LEN(routes), .on_error = on_error};

void rig_open(struct rig *rig, const struct http_settings *settings)
{
    struct http_settings s = settings ? *settings : (struct http_settings){0};
    bool in_use;

    s.client_timeout_ms = s.client_timeout_ms ? s.client_timeout_ms : 5000;
    s.keepalive_timeout_ms = s.keepalive_timeout_ms ? s.keepalive_timeout_ms : 5000;
    *rig = (struct rig){0};
    router.app = rig;
    rig->loop = loop_new(NULL);
    rig->listen_fd = listen_open("127.0.0.1:0", &in_use, NULL);
    cr_assert(rig->loop && rig->listen_fd >= 0);
    rig->door = (struct http_door){.router = &router, .max_connections = 4096};
    rig->server = http_server_new(rig->loop, &s, &events, rig, NULL);
    cr_assert(rig->server);
    cr_assert_eq(http_server_listen(rig->server, rig->listen_fd, &rig->door, NULL), 0);
}

void rig_close(struct rig *rig)
{
    http_server_free(rig->server);
    listen_close("127.0.0.1:0", &rig->listen_fd);
    loop_free(rig->loop);
}

void rig_turn(struct rig *rig)
{
    cr_assert_eq(loop_turn(rig->loop, -1, NULL), 0);
}

/* --- clients --- */

static void on_client(struct loop_io *io, uint32_t what)
{
    struct client *client = container_of(io, struct client, io);
    size_t room = sizeof(client->data) - 1 - client->len;
    static char trash[65536];
    ssize_t n = recv(client->fd, room ? client->data + client->len : trash, room ? room : sizeof(trash), MSG_DONTWAIT);

    (void)what;
    if (n > 0) {
        client->len += room ? (size_t)n : 0;
        client->received += (size_t)n;
        return;
    }
    if (n < 0 && errno == EAGAIN)
        return;
    client->eof = n == 0;
    client->reset = n < 0;
    loop_io_delete(io);
}

struct client *client_open(struct rig *rig)
{
    return client_open_at(rig, rig->listen_fd);
}

struct client *client_open_at(struct rig *rig, int listen_fd)
{
    struct client *client = calloc(1, sizeof(*client));
    struct sockaddr_in to;
    socklen_t len = sizeof(to);

    cr_assert(client && getsockname(listen_fd, (struct sockaddr *)&to, &len) == 0);
    client->rig = rig;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client->fd, (struct sockaddr *)&to, len), 0);
    cr_assert_eq(loop_io_add(rig->loop, &client->io, client->fd, EPOLLIN, on_client), 0);
    return client;
}

void client_send_bytes(struct client *client, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(client->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            cr_assert_eq(loop_turn(client->rig->loop, 1000000, NULL), 0); /* the server has to read first */
            continue;
        }
        if (n < 0)
            return; /* the server has closed: what it has said counts */
        data += n;
        len -= (size_t)n;
    }
}

void client_send(struct client *client, const char *text)
{
    client_send_bytes(client, text, strlen(text));
}

void client_close(struct client *client)
{
    loop_io_delete(&client->io);
    close(client->fd);
    free(client);
}

/* The end of the answer at `text`, or NULL if it is not complete. */
static const char *answer_end(const char *text, bool head)
{
    const char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "\r\nContent-Length: ");
    size_t body = 0;

    if (!end)
        return NULL;
    if (!head && length && length < end)
        body = (size_t)strtol(length + strlen("\r\nContent-Length: "), NULL, 10);
    return strlen(end + 4) < body ? NULL : end + 4 + body;
}

const char *client_answer(const struct client *client, unsigned n, bool head)
{
    const char *text = client->data;

    for (unsigned i = 0; i < n && text; i++)
        text = answer_end(text, head);
    return text;
}

unsigned client_answers(const struct client *client, bool head)
{
    const char *text = client->data;
    unsigned n = 0;

    while (*text && (text = answer_end(text, head)))
        n++;
    return n;
}

int client_status(const struct client *client, unsigned n, bool head)
{
    const char *text = client_answer(client, n, head);

    if (!text || strncmp(text, "HTTP/1.1 ", 9) != 0)
        return -1;
    return (int)strtol(text + 9, NULL, 10);
}

bool client_has(const struct client *client, unsigned n, const char *line)
{
    const char *text = client_answer(client, n, false), *end = text ? strstr(text, "\r\n\r\n") : NULL, *at;
    char whole[256];

    snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
    at = end ? strstr(text, whole) : NULL;
    return at && at < end + 2;
}

void client_wait_answers(struct client *client, unsigned n, bool head)
{
    rig_until(client->rig, client_answers(client, head) >= n || client->eof || client->reset);
    cr_assert_geq(client_answers(client, head), n, "only this came: %s", client->data);
}

void client_wait_end(struct client *client)
{
    rig_until(client->rig, client->eof || client->reset);
}
