/* SPDX-License-Identifier: MIT */
/* The request parser: every rule of RFC 9112 that it enforces, and that the result does not depend on the cuts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include <syncer/base/macros.h>
#include <syncer/wire/http_request.h>

#include "guarded.h"

TestSuite(http_request, .timeout = 30);

static const struct http_request_limits limits = {.line_bytes = 8000, .head_bytes = 16384, .fields = 64};

static enum http_progress parse(struct http_request *req, const char *text, size_t len)
{
    http_request_init(req);
    return http_request_parse(req, guarded(text, len), len, &limits);
}

/* As the caller does when bytes trickle in: the same buffer, one byte longer each time, at a new place. */
static enum http_progress parse_bytewise(struct http_request *req, const char *text, size_t len)
{
    enum http_progress progress = HTTP_MORE;

    http_request_init(req);
    for (size_t n = 1; n <= len && progress == HTTP_MORE; n++)
        progress = http_request_parse(req, guarded(text, n), n, &limits);
    return progress;
}

static bool same(const struct http_request *a, const struct http_request *b)
{
    return a->error == b->error && a->method == b->method && a->minor == b->minor && a->n_fields == b->n_fields &&
           a->target.off == b->target.off && a->target.len == b->target.len && a->path.len == b->path.len &&
           a->query.off == b->query.off && a->query.len == b->query.len && a->keep_alive == b->keep_alive &&
           a->chunked == b->chunked && a->has_length == b->has_length && a->content_length == b->content_length &&
           a->host.off == b->host.off && a->host.len == b->host.len && a->expect_continue == b->expect_continue &&
           a->head_bytes == b->head_bytes && memcmp(a->fields, b->fields, a->n_fields * sizeof(a->fields[0])) == 0;
}

/* Whole, bytewise and cut in two at every offset: the same. */
static enum http_request_error outcome(const char *text, size_t len, struct http_request *req)
{
    static struct http_request other;
    enum http_progress whole = parse(req, text, len), progress;

    progress = parse_bytewise(&other, text, len);
    cr_assert(progress == whole && same(req, &other), "bytewise differs: %.60s", text);
    for (size_t cut = 1; cut < len && len < 600; cut++) {
        http_request_init(&other);
        progress = http_request_parse(&other, guarded(text, cut), cut, &limits);
        if (progress == HTTP_MORE)
            progress = http_request_parse(&other, guarded(text, len), len, &limits);
        cr_assert(progress == whole && same(req, &other), "cut at %zu differs: %.60s", cut, text);
    }
    cr_assert(whole != HTTP_MORE || req->error == HTTP_REQUEST_OK);
    return whole == HTTP_MORE ? HTTP_REQUEST_ERRORS : req->error;
}

Test(http_request, typical_subrequest)
{
    static const char text[] = "GET /v1/synced?strict=1 HTTP/1.1\r\nHost: syncer_upstream:8080\r\n"
                               "X-Auth-Token: abc.def.ghi\r\nX-Nginx-Origin:\tgw-1 \r\nempty:\r\n\r\nGET /next";
    static struct http_request req;
    struct slice value;

    cr_assert_eq(outcome(text, sizeof(text) - 1, &req), HTTP_REQUEST_OK);
    cr_assert_eq(req.method, HTTP_GET);
    cr_assert_eq(req.head_bytes, sizeof(text) - 1 - strlen("GET /next"));
    cr_assert(strncmp(text + req.path.off, "/v1/synced", req.path.len) == 0 && req.path.len == 10);
    cr_assert(strncmp(text + req.query.off, "strict=1", req.query.len) == 0 && req.query.len == 8);
    cr_assert_eq(http_request_field(&req, text, "x-nginx-origin", &value), 1);
    cr_assert(value.len == 4 && memcmp(text + value.off, "gw-1", 4) == 0);
    cr_assert_eq(http_request_field(&req, text, "empty", &value), 1);
    cr_assert_eq(value.len, 0);
    cr_assert_eq(http_request_field(&req, text, "x-none", &value), 0);
    cr_assert(req.keep_alive && !req.chunked && !req.has_length);
}

static const struct {
    const char *text;
    enum http_request_error error; /* HTTP_REQUEST_ERRORS: more is needed */
} cases[] = {
    {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_OK},
    {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET / HTTP/1.1\r\nHost: a\r\n", HTTP_REQUEST_ERRORS},
    {"GET / HTTP/1.1\nHost: a\n\n", HTTP_REQUEST_BAD_LINE},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET /\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET / HTTP/0.9\r\n\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET  / HTTP/1.1\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET /  HTTP/1.1\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET / HTTP/1.1 \r\n", HTTP_REQUEST_BAD_LINE},
    {" GET / HTTP/1.1\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET\t/\tHTTP/1.1\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET / http/1.1\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET / HTTP/1\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET / HTTP/1.10\r\n", HTTP_REQUEST_BAD_LINE},
    {"GET / HTTP/2.0\r\n", HTTP_REQUEST_BAD_VERSION},
    {"GET / HTTP/1.7\r\nHost: a\r\n\r\n", HTTP_REQUEST_OK},
    {"GET / HTTP/1.0\r\n\r\n", HTTP_REQUEST_OK},
    {"G(T / HTTP/1.1\r\n", HTTP_REQUEST_BAD_LINE},
    {"G\x01T / HTTP/1.1\r\n", HTTP_REQUEST_BAD_LINE},
    {"\x16\x03\x01\x02", HTTP_REQUEST_BAD_LINE},
    {"GET a HTTP/1.1\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET /#f HTTP/1.1\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET /%4 HTTP/1.1\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET /%zz HTTP/1.1\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET /?%4g HTTP/1.1\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET /\xc3\xa9 HTTP/1.1\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_OK},
    {"GET http://host:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_OK},
    {"GET HTTP://host HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_OK},
    {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET http://u@host/ HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET ftp://host/ HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_TARGET},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_OK},
    {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_OK},
    {"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_TARGET},
    {"CONNECT [::1] HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_TARGET},
    {"GET http://a/ HTTP/1.1\r\nHost: b b\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET http://a/ HTTP/1.1\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_TARGET},
    {"get / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_REQUEST_OK}, /* a token, of a method that nobody knows */
    {"GET / HTTP/1.1\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", HTTP_REQUEST_OK},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", HTTP_REQUEST_OK},
    {"GET / HTTP/1.1\r\nHost: [1.2.3.4]\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HTTP_REQUEST_BAD_HOST},
    {"GET / HTTP/1.1\r\nHost: under_score\r\n\r\n", HTTP_REQUEST_OK},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\nHost: a\r\n fold\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\nHost: a\r\n: v\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\nHost: a\r\nx: a\rb\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\nHost: a\r\nx: a\r\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\nHost: a\r\nx: a\x7f\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09: \xff\t\r\n\r\n", HTTP_REQUEST_OK},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", HTTP_REQUEST_OK},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", HTTP_REQUEST_BAD_LENGTH},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", HTTP_REQUEST_BAD_LENGTH},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", HTTP_REQUEST_BAD_LENGTH},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", HTTP_REQUEST_BAD_LENGTH},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n", HTTP_REQUEST_OK},
    {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", HTTP_REQUEST_BAD_LENGTH},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", HTTP_REQUEST_OK},
    {"GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_REQUEST_BAD_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", HTTP_REQUEST_BAD_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", HTTP_REQUEST_BAD_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_REQUEST_BAD_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", HTTP_REQUEST_BAD_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", HTTP_REQUEST_BAD_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HTTP_REQUEST_UNKNOWN_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", HTTP_REQUEST_BAD_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
     HTTP_REQUEST_BAD_CODING},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \vchunked\r\n\r\n", HTTP_REQUEST_BAD_FIELD},
    {"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", HTTP_REQUEST_UNKNOWN_CODING},
};

Test(http_request, rules)
{
    static struct http_request req;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(outcome(cases[i].text, strlen(cases[i].text), &req), cases[i].error, "case %zu: %s", i,
                     cases[i].text);
}

Test(http_request, nul_is_refused_anywhere)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nx: y\r\n\r\n";
    static struct http_request req;
    char copy[sizeof(text)];

    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        memcpy(copy, text, sizeof(text));
        copy[i] = '\0';
        cr_expect_eq(parse(&req, copy, sizeof(text) - 1), HTTP_BAD, "NUL at %zu", i);
    }
}

Test(http_request, connection_tokens)
{
    static const struct {
        const char *version, *lines;
        bool keep;
    } rows[] = {
        {"1.1", "", true},
        {"1.0", "", false},
        {"1.0", "Connection: keep-alive\r\n", true},
        {"1.1", "Connection: Close\r\n", false},
        {"1.1", "Connection: foo ,\tclose\r\n", false},
        {"1.1", "Connection: closed, enclose\r\n", true},
        {"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false},
    };
    static struct http_request req;
    char text[256];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int n = snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", rows[i].version, rows[i].lines);

        cr_assert_eq(outcome(text, (size_t)n, &req), HTTP_REQUEST_OK);
        cr_expect_eq(req.keep_alive, rows[i].keep, "row %zu", i);
    }
}

Test(http_request, the_targets_host_wins)
{
    static const struct {
        const char *text, *host;
    } rows[] = {
        {"GET /x HTTP/1.1\r\nHost: a:1\r\n\r\n", "a:1"},
        {"GET http://b:2/x HTTP/1.1\r\nHost: a:1\r\n\r\n", "b:2"},
        {"GET https://[::1]?q HTTP/1.0\r\n\r\n", "[::1]"},
        {"CONNECT c:3 HTTP/1.1\r\nHost: a:1\r\n\r\n", "c:3"},
        {"GET / HTTP/1.0\r\n\r\n", ""},
    };
    static struct http_request req;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(outcome(rows[i].text, strlen(rows[i].text), &req), HTTP_REQUEST_OK, "row %zu", i);
        cr_expect(req.host.len == strlen(rows[i].host) &&
                      memcmp(rows[i].text + req.host.off, rows[i].host, req.host.len) == 0,
                  "row %zu", i);
    }
}

/* `before`, `n` times 'a', `after`. */
static char *stretched(const char *before, size_t n, const char *after, size_t *len)
{
    char *text;

    *len = strlen(before) + n + strlen(after);
    text = malloc(*len + 1);
    cr_assert_not_null(text);
    memcpy(text, before, strlen(before));
    memset(text + strlen(before), 'a', n);
    strcpy(text + strlen(before) + n, after);
    return text;
}

Test(http_request, limits_are_exact)
{
    static const char end[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
    static const struct {
        const char *before;
        size_t n;
        const char *after;
        enum http_request_error error;
    } rows[] = {
        {"GET /", 8000 - 14, end, HTTP_REQUEST_OK},
        {"GET /", 8000 - 13, end, HTTP_REQUEST_LINE_TOO_LONG},
        {"GET /", 8000 - 5, "", HTTP_REQUEST_ERRORS}, /* a CR may come */
        {"GET /", 8000 - 4, "", HTTP_REQUEST_LINE_TOO_LONG},
        {"GET / HTTP/1.1\r\nHost: a\r\nx: ", 16384 - 32, "\r\n\r\n", HTTP_REQUEST_OK},
        {"GET / HTTP/1.1\r\nHost: a\r\nx: ", 16384 - 31, "\r\n\r\n", HTTP_REQUEST_HEAD_TOO_LARGE},
        {"GET / HTTP/1.1\r\nHost: a\r\nx: ", 16384 - 28, "", HTTP_REQUEST_ERRORS},
        {"GET / HTTP/1.1\r\nHost: a\r\nx: ", 16384 - 27, "", HTTP_REQUEST_HEAD_TOO_LARGE},
    };
    static struct http_request req;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len;
        char *text = stretched(rows[i].before, rows[i].n, rows[i].after, &len);

        cr_expect_eq(outcome(text, len, &req), rows[i].error, "row %zu: %d", i, req.error);
        free(text);
    }
}

Test(http_request, number_of_fields_is_bounded)
{
    static struct http_request req;
    char text[2048] = "GET / HTTP/1.1\r\nHost: a\r\n";

    for (uint32_t i = 1; i < limits.fields; i++)
        strcat(text, "x: y\r\n");
    strcat(text, "\r\n");
    cr_assert_eq(outcome(text, strlen(text), &req), HTTP_REQUEST_OK);
    strcpy(text + strlen(text) - 2, "x: y\r\n\r\n");
    cr_assert_eq(outcome(text, strlen(text), &req), HTTP_REQUEST_HEAD_TOO_LARGE);
}
