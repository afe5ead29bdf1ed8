/* SPDX-License-Identifier: MIT */
/*
 * Answers: the head as it goes out, the fields that are the server's, and errors as problem documents. What
 * is put together here is sent by conn.c.
 */
#include <config.h>

#include <string.h>

#include <syncer/base/must.h>
#include <syncer/http/router.h>
#include <syncer/wire/json_write.h>

#include "layout.h"

/* Of the present second: made once a second, not with each answer. */
static const char *date(struct http_server *server)
{
    int64_t now_ms = clock_wall_ms();

    if (now_ms / 1000 != server->date_s) {
        server->date_s = now_ms / 1000;
        clock_http_date(now_ms, server->date);
    }
    return server->date;
}

static void add_field(struct buf *out, const char *name, const char *value)
{
    buf_add_str(out, name);
    buf_add(out, ": ", 2);
    buf_add_str(out, value);
    buf_add(out, "\r\n", 2);
}

void http_answer_begin(struct http_exchange *x, int status)
{
    char digits[4];

    must(!x->answered && status >= 200 && status <= 599);
    digits[0] = (char)('0' + status / 100);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
    digits[3] = ' ';
    x->status = status;
    buf_clear(&x->out);
    buf_add_str(&x->out, "HTTP/1.1 ");
    buf_add(&x->out, digits, sizeof(digits));
    buf_add_str(&x->out, http_status_text(status));
    buf_add(&x->out, "\r\n", 2);
    add_field(&x->out, "Date", date(x->conn->server));
}

static bool is_field(const char *name, const char *value)
{
    if (*name == '\0')
        return false;
    for (; *name; name++)
        if (!http_is_tchar((unsigned char)*name))
            return false;
    for (; *value; value++)
        if (!http_is_field_vchar((unsigned char)*value))
            return false;
    return true;
}

void http_answer_field(struct http_exchange *x, const char *name, const char *value)
{
    must(x->status != 0 && !x->answered && is_field(name, value));
    add_field(&x->out, name, value);
}

/* Whether the connection goes on is said by default in one version and explicitly in the other: RFC 9112
 * section 9.3. */
static void add_connection(struct http_exchange *x)
{
    if (!x->body_done || !x->req.keep_alive || x->conn->server->say_close)
        x->close = true;
    if (x->close)
        add_field(&x->out, "Connection", "close");
    else if (x->req.minor == 0)
        add_field(&x->out, "Connection", "keep-alive");
}

#define LENGTH_UNKNOWN SIZE_MAX

/* Where the body will end: by its length, else by its chunks, else, since HTTP/1.0 has none, with the connection. */
static void add_framing(struct http_exchange *x, size_t len)
{
    if (x->status == 204 || x->status == 304) { /* RFC 9110 section 8.6; they have no body either */
        must(len == 0);
    } else if (len != LENGTH_UNKNOWN) {
        buf_addf(&x->out, "Content-Length: %zu\r\n", len);
    } else {
        x->chunked = x->req.minor > 0;
        if (x->chunked)
            add_field(&x->out, "Transfer-Encoding", "chunked");
        else
            x->close = true;
    }
}

static void end_head(struct http_exchange *x, const char *content_type, size_t len)
{
    must(x->status != 0 && !x->answered && (content_type || len == 0));
    if (content_type)
        add_field(&x->out, "Content-Type", content_type);
    add_framing(x, len);
    add_connection(x);
    buf_add(&x->out, "\r\n", 2);
    x->answered = true;
}

void http_answer_end(struct http_exchange *x, const char *content_type, const void *body, size_t len)
{
    end_head(x, content_type, len);
    if (!exchange_is_head(x))
        buf_add(&x->out, body, len);
    conn_answered(x->conn);
}

void http_answer_end_buf(struct http_exchange *x, const char *content_type, struct buf *body)
{
    end_head(x, content_type, body->len);
    if (exchange_is_head(x)) {
        if (body->failed)
            x->out.failed = true;
        buf_release(body);
    } else {
        x->out_body = *body;
        buf_init(body, body->limit);
    }
    conn_answered(x->conn);
}

/* A chunk's head goes behind the answer's, or alone into the empty buffer in front of the slice: RFC 9112 section 7.1. */
static void frame_slice(struct http_exchange *x, bool more)
{
    size_t len = x->out_body.len;

    if (x->chunked && len > 0) {
        buf_addf(&x->out, "%zx\r\n", len);
        buf_add(&x->out_body, "\r\n", 2);
    }
    if (x->chunked && !more)
        buf_add(&x->out_body, "0\r\n\r\n", 5);
    if (!more)
        exchange_drop_producer(x);
}

bool answer_next_slice(struct http_exchange *x)
{
    if (!x->producer)
        return false;
    x->sent_before += x->sent;
    x->sent = 0;
    buf_clear(&x->out);
    buf_clear(&x->out_body);
    frame_slice(x, x->producer->next(x->producer, &x->out_body));
    return true;
}

#define SLICE_FRAME_BYTES 7 /* behind it */

void http_answer_end_producer(struct http_exchange *x, const char *content_type, struct http_producer *producer)
{
    struct buf slice;
    bool more;

    x->producer = producer;
    buf_init(&slice, HTTP_SLICE_MAX);
    more = producer->next(producer, &slice);
    if (!more)
        exchange_drop_producer(x);
    if (!more || slice.failed) {
        http_answer_end_buf(x, content_type, &slice);
        return;
    }
    end_head(x, content_type, LENGTH_UNKNOWN);
    if (exchange_is_head(x)) {
        exchange_drop_producer(x);
        buf_release(&slice);
    } else {
        x->out_body = slice;
        x->out_body.limit = HTTP_SLICE_MAX + SLICE_FRAME_BYTES;
        frame_slice(x, true);
    }
    conn_answered(x->conn);
}

void http_answer_end_problem(struct http_exchange *x, const char *detail)
{
    struct json_writer w;
    struct buf body;

    buf_init(&body, SIZE_MAX);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_put_string(&w, "type", "about:blank");
    json_put_string(&w, "title", http_status_text(x->status));
    json_put_number(&w, "status", x->status);
    json_put_string(&w, "detail", detail);
    json_object_end(&w);
    http_answer_end_buf(x, "application/problem+json", &body);
}

void answer_error(struct http_exchange *x, int status, const char *allow, const char *detail)
{
    const struct http_router *router = x->conn->door->router;

    http_answer_begin(x, status);
    if (allow)
        http_answer_field(x, "Allow", allow);
    if (router->on_error)
        router->on_error(x, status, detail, router->app);
    http_answer_end_problem(x, detail);
}
