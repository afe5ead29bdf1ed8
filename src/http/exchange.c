/* SPDX-License-Identifier: MIT */
/* The memory of requests in progress, and what a handler may ask about its request. Answers are made in
 * answer.c. */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/must.h>
#include <syncer/wire/url.h>

#include "layout.h"

/* Kept for the next requests; more are freed. */
#define MAX_FREE 32

/* --- the pool --- */

static struct http_exchange *make(void)
{
    struct http_exchange *x = malloc(sizeof(*x)); /* not cleared: the fields of a request are 1.6 KB of it */

    if (!x)
        return NULL;
    buf_init(&x->in, IN_MAX_BYTES - 1);
    buf_init(&x->path, IN_MAX_BYTES);
    buf_init(&x->out, SIZE_MAX);
    buf_init(&x->out_body, SIZE_MAX);
    x->in_peak = 0;
    return x;
}

static void destroy(struct http_exchange *x)
{
    buf_release(&x->in);
    buf_release(&x->path);
    buf_release(&x->out);
    buf_release(&x->out_body);
    free(x);
}

void exchange_drop_producer(struct http_exchange *x)
{
    struct http_producer *producer = x->producer;

    x->producer = NULL;
    if (producer)
        producer->release(producer);
}

/* All but what has been read. */
static void reset(struct http_exchange *x)
{
    http_request_init(&x->req);
    http_body_init(&x->body, HTTP_BODY_NONE, 0, 0);
    x->body_done = true;
    x->data = NULL;
    x->on_abort = NULL;
    x->status = 0;
    x->answered = x->close = false;
    x->sent = 0;
    x->sent_before = 0;
    x->producer = NULL;
    x->id[0] = '\0';
    x->result = NULL;
    x->route = NULL;
    x->query_shown = false;
    buf_clear(&x->path);
    buf_clear(&x->out);
    buf_release(&x->out_body);
}

struct http_exchange *exchange_take(struct conn *conn)
{
    struct http_server *server = conn->server;
    struct http_exchange *x = server->free_exchanges;

    if (x) {
        server->free_exchanges = x->next_free;
        server->n_free--;
    } else {
        x = make();
    }
    if (x && !buf_reserve(&x->in, IN_FIRST_BYTES - 1)) {
        destroy(x);
        x = NULL;
    }
    if (!x) {
        conn_tell_starved(server, ENOMEM);
        return NULL;
    }
    reset(x);
    x->conn = conn;
    x->start = 0;
    x->began_ns = loop_now_ns(server->loop);
    return x;
}

static void shrink(struct buf *buf)
{
    buf_clear(buf);
    if (buf->room > IN_FIRST_BYTES)
        buf_release(buf);
}

void exchange_give_back(struct conn *conn)
{
    struct http_server *server = conn->server;
    struct http_exchange *x = conn->x;

    conn->x = NULL;
    if (!x)
        return;
    explicit_bzero(x->in.data, x->in_peak); /* tokens; what the buffer has grown out of was wiped then */
    x->in_peak = 0;
    exchange_drop_producer(x);
    shrink(&x->in);
    shrink(&x->path);
    shrink(&x->out);
    buf_release(&x->out_body);
    if (server->n_free >= MAX_FREE) {
        destroy(x);
        return;
    }
    x->next_free = server->free_exchanges;
    server->free_exchanges = x;
    server->n_free++;
}

void exchange_free_all(struct http_server *server)
{
    while (server->free_exchanges) {
        struct http_exchange *x = server->free_exchanges;

        server->free_exchanges = x->next_free;
        destroy(x);
    }
    server->n_free = 0;
}

/* --- from request to request --- */

void exchange_next(struct http_exchange *x)
{
    x->start += x->req.head_bytes; /* of the body nothing is left in the buffer */
    must(x->body_done && x->start <= x->in.len);
    reset(x);
}

enum http_progress exchange_skip_body(struct http_exchange *x)
{
    size_t at = x->start + x->req.head_bytes, used = 0;
    char *body = x->in.data + at;
    enum http_progress progress = http_body_skip(&x->body, body, x->in.len - at, &used);

    /* The head stays where it is, and what follows the body moves up to it. */
    x->in.len -= used;
    memmove(body, body + used, x->in.len - at);
    x->body_done = progress == HTTP_DONE;
    return progress;
}

/* That is a byte of a segment, not what divides segments (RFC 3986 section 2.2): no route has one. */
static bool has_escaped_slash(const char *path, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++)
        if (path[i] == '%' && path[i + 1] == '2' && (path[i + 2] == 'f' || path[i + 2] == 'F'))
            return true;
    return false;
}

bool exchange_decode_path(struct http_exchange *x)
{
    const char *text = http_exchange_bytes(x) + x->req.path.off;
    char *to;

    if (!memchr(text, '%', x->req.path.len) || has_escaped_slash(text, x->req.path.len))
        return true;
    to = buf_reserve(&x->path, x->req.path.len);
    if (!to)
        return false;
    must(url_decode(text, x->req.path.len, to, &x->path.len) == 0); /* the parser has checked the escapes */
    return true;
}

bool exchange_is_head(const struct http_exchange *x)
{
    static const char head[] = "HEAD ";
    const char *text = http_exchange_bytes(x);
    size_t len = x->in.len - x->start;

    if (x->req.line_done)
        return x->req.method == HTTP_HEAD;
    /* The request line is refused or incomplete, but its beginning is there, perhaps behind an empty line. */
    if (len >= 2 && text[0] == '\r') {
        text += 2;
        len -= 2;
    }
    return len >= strlen(head) && memcmp(text, head, strlen(head)) == 0;
}

/* --- what handlers ask --- */

const struct http_request *http_exchange_request(const struct http_exchange *x)
{
    return &x->req;
}

const char *http_exchange_bytes(const struct http_exchange *x)
{
    return x->in.data + x->start;
}

const char *http_exchange_path(const struct http_exchange *x, size_t *len)
{
    if (x->path.len > 0) {
        *len = x->path.len;
        return x->path.data;
    }
    if (x->req.path.len == 0) { /* "http://host" */
        *len = 1;
        return "/";
    }
    *len = x->req.path.len;
    return http_exchange_bytes(x) + x->req.path.off;
}

unsigned http_exchange_field(const struct http_exchange *x, const char *lower, const char **value, size_t *len)
{
    const char *bytes = http_exchange_bytes(x);
    struct slice slice = {0};
    unsigned n = http_request_field(&x->req, bytes, lower, &slice);

    *value = bytes + slice.off;
    *len = slice.len;
    return n;
}

int64_t http_exchange_began_ns(const struct http_exchange *x)
{
    return x->began_ns;
}

const struct addr *http_exchange_peer(const struct http_exchange *x)
{
    return &x->conn->stream.peer;
}

const char *http_exchange_client(const struct http_exchange *x, char out[ADDR_TEXT_BYTES])
{
    const struct addr *peer = http_exchange_peer(x);

    return peer->family ? addr_format(peer, out) : "unix";
}

void http_exchange_set_data(struct http_exchange *x, void *data)
{
    x->data = data;
}

void *http_exchange_data(const struct http_exchange *x)
{
    return x->data;
}

void http_exchange_on_abort(struct http_exchange *x, void (*on_abort)(struct http_exchange *x))
{
    x->on_abort = on_abort;
}

void http_exchange_set_id(struct http_exchange *x, const char *id, size_t len)
{
    must(len <= HTTP_EXCHANGE_ID_MAX);
    memcpy(x->id, id, len);
    x->id[len] = '\0';
}

const char *http_exchange_id(const struct http_exchange *x)
{
    return x->id;
}

void http_exchange_set_result(struct http_exchange *x, const char *result)
{
    x->result = result;
}

void http_exchange_show_query(struct http_exchange *x)
{
    x->query_shown = true;
}
