/* SPDX-License-Identifier: MIT */
/*
 * The connection's state machine, as a client at the other end of a socket sees it. Whatever comes, however
 * it is cut, and whatever the client does meanwhile: each answer is well formed, they come in the order of
 * the requests, nothing comes behind one that says `Connection: close`, memory is bounded, and once the
 * client has ended its sending the connection ends.
 *
 * An input is a line that says what happens, then what the client sends. a-z: 1 to 26 bytes of it, A-Z: 64
 * times as many; 0: the client ends its sending; 1: the handler that waits answers; 2: the client reads no
 * more, 3: it does again; 4: the server is about to end; 5: the client is gone; 6: the present wait has taken
 * too long; 7: the server closes what is idle. At the end of the line the rest is sent, and 0, 1 and 3 done.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <syncer/base/macros.h>
#include <syncer/wire/http_response.h>

#include "../../src/http/layout.h"
#include "fuzz.h"

#define BIG_BYTES ((size_t)512 * 1024) /* more than the socket takes at once */
#define MAX_BIG 4
#define MAX_TURNS 20000

/* What has happened so far in this input. */
static struct {
    struct loop *loop;
    struct http_server *server;
    struct conn *conn; /* NULL once it is closed */
    int fd;            /* the client's end */
    struct buf got;
    bool eof, stalled, gone, cut; /* cut: answers may be missing, or a part of the last */
    struct http_exchange *later;
    struct buf heads; /* of each answer that was made: 'h' = to HEAD, ' ' = to another */
    unsigned bigs, slices;
} world;

/* --- the toy --- */

/* Each answer is told of once; its number goes along. */
static void begin(struct http_exchange *x)
{
    char number[16];

    snprintf(number, sizeof(number), "%zu", world.heads.len);
    buf_add_char(&world.heads, exchange_is_head(x) ? 'h' : ' ');
    http_answer_begin(x, 200);
    http_answer_field(x, "X-Number", number);
}

static void handle_text(struct http_exchange *x, void *app)
{
    (void)app;
    begin(x);
    http_answer_end(x, "text/plain", "hello\n", 6);
}

static void handle_big(struct http_exchange *x, void *app)
{
    struct buf body;
    size_t len = world.bigs++ < MAX_BIG ? BIG_BYTES : 1;

    (void)app;
    buf_init(&body, len);
    memset(buf_reserve(&body, len), 'b', len);
    body.len = len;
    begin(x);
    http_answer_end_buf(x, "text/plain", &body);
}

static void on_abort(struct http_exchange *x)
{
    HOLDS(world.later == x);
    world.later = NULL;
}

static void handle_later(struct http_exchange *x, void *app)
{
    (void)app;
    HOLDS(!world.later); /* one request at a time */
    world.later = x;
    http_exchange_on_abort(x, on_abort);
}

static void answer_later(void)
{
    struct http_exchange *x = world.later;

    world.later = NULL;
    if (x)
        handle_text(x, NULL);
}

static bool next_slice(struct http_producer *producer, struct buf *out)
{
    (void)producer;
    if (world.slices % 3 == 1)
        buf_add_str(out, "slice");
    return ++world.slices % 4 != 0;
}

static void release_slices(struct http_producer *producer)
{
    free(producer);
}

static void handle_slices(struct http_exchange *x, void *app)
{
    struct http_producer *producer = malloc(sizeof(*producer));

    (void)app;
    HOLDS(producer);
    *producer = (struct http_producer){.next = next_slice, .release = release_slices};
    begin(x);
    http_answer_end_producer(x, "text/plain", producer);
}

static void on_error(struct http_exchange *x, int status, const char *detail, void *app)
{
    (void)status;
    (void)detail;
    (void)app;
    buf_add_char(&world.heads, exchange_is_head(x) ? 'h' : ' ');
}

static void on_closed(void *arg)
{
    (void)arg;
    world.conn = NULL;
}

/* --- the client --- */

static void receive(void)
{
    char piece[65536];
    ssize_t n;

    while (!world.stalled && !world.gone && !world.eof &&
           (n = recv(world.fd, piece, sizeof(piece), MSG_DONTWAIT)) != -1) {
        world.eof = n == 0;
        buf_add(&world.got, piece, (size_t)n);
    }
}

static void turn(void)
{
    HOLDS(loop_turn(world.loop, 0, NULL) == 0);
    if (world.conn && world.conn->x)
        HOLDS(world.conn->x->in.room <= IN_MAX_BYTES && world.conn->x->path.room <= IN_MAX_BYTES);
    HOLDS(http_server_busy(world.server) <= 1 && http_server_connections(world.server) == (world.conn != NULL));
    receive();
}

/* As far as the socket takes it; what a server that no longer reads does not take is lost. */
static void client_send(const char **data, size_t *left, size_t n)
{
    if (n > *left)
        n = *left;
    for (unsigned tries = 0; n > 0 && tries < 64; tries++) {
        ssize_t sent = world.gone ? -1 : send(world.fd, *data, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && (world.gone || errno != EAGAIN))
            break;
        *data += sent > 0 ? sent : 0;
        *left -= sent > 0 ? (size_t)sent : 0;
        n -= sent > 0 ? (size_t)sent : 0;
        turn();
    }
}

static void expire(void)
{
    if (!world.conn || world.conn->deadline_ns == INT64_MAX || !world.conn->timer.set)
        return;
    world.cut = world.cut || (world.conn->state != CONN_HEAD && world.conn->state != CONN_BODY);
    world.conn->deadline_ns = 0;
    loop_timer_set(&world.conn->timer, 0);
}

static void act(char what, const char **data, size_t *left)
{
    if (what >= 'a' && what <= 'z') {
        client_send(data, left, (size_t)(what - 'a') + 1);
    } else if (what >= 'A' && what <= 'Z') {
        client_send(data, left, ((size_t)(what - 'A') + 1) * 64);
    } else if (what == '0' || what == '5') {
        shutdown(world.fd, what == '0' ? SHUT_WR : SHUT_RDWR);
        world.gone = world.gone || what == '5';
    } else if (what == '1') {
        answer_later();
    } else if (what == '2' || what == '3') {
        world.stalled = what == '2';
    } else if (what == '4') {
        http_server_say_close(world.server);
    } else if (what == '6') {
        expire();
    } else if (what == '7') {
        http_server_close_idle(world.server);
        world.cut = world.cut || !world.conn;
    }
    turn();
}

/* --- what came of it --- */

/* The length of the answer at `text`; `whole`: nothing is missing. 0 if it is not all there. */
static size_t check_answer(const char *text, size_t len, size_t n, bool *keep_alive)
{
    struct http_response resp;
    const char *end = memmem(text, len, "\r\n\r\n", 4), *number;
    size_t used = 0, head = end ? (size_t)(end - text) + 4 : 0;
    enum http_progress progress;
    bool no_body = n < world.heads.len && world.heads.data[n] == 'h';

    http_response_init(&resp, BIG_BYTES);
    progress = http_response_parse(&resp, text, no_body && end ? head : len, &used);
    HOLDS(progress != HTTP_BAD && resp.interim == 0);
    if (!end)
        return 0;
    HOLDS(memcmp(text, "HTTP/1.1 ", 9) == 0 && memmem(text, head, "\r\nDate: ", 8));
    number = memmem(text, head, "\r\nX-Number: ", 12);
    HOLDS(!number || strtoul(number + 12, NULL, 10) == n);
    *keep_alive = !memmem(text, head, "\r\nConnection: close\r\n", 21);
    if (progress == HTTP_MORE && resp.body.kind == HTTP_BODY_UNTIL_CLOSE && !no_body) {
        HOLDS(!*keep_alive);
        return len;
    }
    return progress == HTTP_DONE || no_body ? used : 0;
}

/* Finds the end of the request at `text`. DONE, MORE or BAD; *last: nothing is read behind it. */
static enum http_progress read_request(const char *text, size_t len, size_t *used, bool *last)
{
    static const struct http_request_limits limits = {8192, 8192 + 16384, HTTP_REQUEST_MAX_FIELDS}; /* the server's */
    static struct http_request req;
    struct http_body body;
    enum http_progress progress;

    *last = true;
    http_request_init(&req);
    progress = http_request_parse(&req, text, len, &limits);
    if (progress == HTTP_MORE && len <= 2 && text[0] == '\r') /* an empty line, or half of one */
        return HTTP_DONE;
    if (progress != HTTP_DONE)
        return HTTP_BAD;
    *used = req.head_bytes;
    *last = !req.keep_alive || req.method == HTTP_CONNECT;
    if (!req.chunked && !req.has_length)
        return HTTP_DONE;
    http_body_init(&body, req.chunked ? HTTP_BODY_CHUNKED : HTTP_BODY_LENGTH, req.content_length, 1048576);
    progress = http_body_skip(&body, text + *used, len - *used, &len);
    *used += len;
    *last = *last || progress != HTTP_DONE;
    return progress;
}

/* How many requests were sent, those that are refused or incomplete included, and how many before one of these. */
static size_t count_requests(const char *text, size_t len, size_t *good)
{
    size_t n = 0, used = 0;
    bool last = false;

    *good = 0;
    for (; len > 0 && !last; n++) {
        enum http_progress progress;

        used = 0;
        progress = read_request(text, len, &used, &last);
        if (progress == HTTP_DONE && used == 0)
            return n; /* an empty line */
        if (progress == HTTP_DONE)
            *good += 1;
        text += used;
        len -= used;
    }
    return n;
}

/* OPTIONS * is answered without any of the toy's functions: its answers are not among world.heads. */
static void check_answers(const char *sent, size_t sent_len)
{
    const char *text = buf_str(&world.got);
    size_t left = world.got.len, used, counted = 0, n = 0, good, requests = count_requests(sent, sent_len, &good);
    bool keep_alive = true;

    for (; left > 0; n++, text += used, left -= used) {
        bool by_toy = left < 13 || memcmp(text, "HTTP/1.1 204 ", 13) != 0;

        HOLDS(keep_alive);
        used = check_answer(text, left, by_toy ? counted : SIZE_MAX, &keep_alive);
        if (used == 0) {
            HOLDS(world.cut || world.gone);
            return;
        }
        counted += by_toy;
        HOLDS(counted <= world.heads.len && n < requests);
        HOLDS(memcmp(text, "HTTP/1.1 400 ", 13) != 0 || n >= good);
    }
    HOLDS(world.cut || world.gone || (counted == world.heads.len && (n == requests || !keep_alive)));
}

/* --- an input --- */

/* Returns where what was sent ends. */
static const char *finish(const char *data, size_t left)
{
    act('3', &data, &left);
    while (left > 0 && world.conn && world.conn->state != CONN_LINGER) {
        size_t before = left;

        answer_later();
        client_send(&data, &left, left);
        if (left == before)
            break; /* the client has ended its sending before */
    }
    act('0', &data, &left);
    for (unsigned i = 0; world.conn; i++) {
        HOLDS(i < MAX_TURNS);
        answer_later();
        turn();
    }
    receive();
    HOLDS(world.eof || world.gone);
    HOLDS(!world.later);
    return data;
}

static void begin_world(struct http_door *door)
{
    static const struct http_settings settings = {.client_timeout_ms = 60000, .keepalive_timeout_ms = 60000};
    static const struct http_events events = {.on_closed = on_closed};
    struct listener listener = {.door = door};
    struct stream stream = {0};
    int ends[2];

    world.eof = world.stalled = world.gone = world.cut = false;
    world.bigs = world.slices = 0;
    buf_init(&world.got, SIZE_MAX);
    buf_init(&world.heads, SIZE_MAX);
    if (!world.loop)
        world.loop = loop_new(NULL);
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    world.fd = ends[0];
    stream.fd = ends[1];
    world.server = http_server_new(world.loop, &settings, &events, NULL, NULL);
    HOLDS(world.loop && world.server);
    listener.server = world.server;
    conn_new(&listener, &stream, false);
    world.conn = world.server->conns;
    HOLDS(world.conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_route routes[] = {
        {"/", handle_text, ""}, {"/b", handle_big, ""}, {"/l", handle_later, ""}, {"/s", handle_slices, ""}};
    static const struct http_router router = {.routes = routes, .n = ARRAY_LEN(routes), .on_error = on_error};
    struct http_door door = {.router = &router, .max_connections = 1};
    const char *script = (const char *)data, *line_end = size > 0 ? memchr(data, '\n', size) : NULL, *text;
    size_t left;

    if (!line_end)
        return 0;
    text = line_end + 1;
    left = size - (size_t)(text - script);
    begin_world(&door);
    for (; script < line_end; script++)
        act(*script, &text, &left);
    text = finish(text, left);
    check_answers(line_end + 1, (size_t)(text - line_end) - 1);
    http_server_free(world.server);
    close(world.fd);
    buf_release(&world.got);
    buf_release(&world.heads);
    return 0;
}
