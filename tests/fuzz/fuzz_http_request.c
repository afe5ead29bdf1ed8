/* SPDX-License-Identifier: MIT */
/* Request heads: nothing is read too far, and the result does not depend on how the bytes were cut. */
#include <config.h>

#include <syncer/wire/http_request.h>

#include "fuzz.h"

static void same_slice(struct slice a, struct slice b)
{
    HOLDS(a.off == b.off && a.len == b.len);
}

static void inside(struct slice s, size_t size)
{
    HOLDS(s.off <= size && s.len <= size - s.off);
}

/* What a caller may look at. */
static void check_done(const struct http_request *req, const char *data, const struct http_request_limits *limits)
{
    struct slice value = {0};

    HOLDS(req->head_bytes <= limits->head_bytes + 2 && req->n_fields <= limits->fields && req->minor <= 1);
    inside(req->method_name, req->head_bytes);
    inside(req->target, req->head_bytes);
    inside(req->path, req->head_bytes);
    inside(req->query, req->head_bytes);
    inside(req->host, req->head_bytes);
    HOLDS(!req->chunked || (!req->has_length && req->minor == 1));
    HOLDS(!req->expect_continue || req->minor == 1);
    for (uint32_t i = 0; i < req->n_fields; i++) {
        inside(req->fields[i].name, req->head_bytes);
        inside(req->fields[i].value, req->head_bytes);
        HOLDS(req->fields[i].name.len > 0);
    }
    HOLDS(http_request_field(req, data, "host", &value) <= 1);
}

static void same(const struct http_request *a, const struct http_request *b)
{
    HOLDS(a->error == b->error && a->method == b->method && a->minor == b->minor && a->n_fields == b->n_fields);
    HOLDS(a->has_length == b->has_length && a->content_length == b->content_length && a->chunked == b->chunked);
    HOLDS(a->keep_alive == b->keep_alive && a->expect_continue == b->expect_continue);
    same_slice(a->method_name, b->method_name);
    same_slice(a->target, b->target);
    same_slice(a->path, b->path);
    same_slice(a->query, b->query);
    same_slice(a->host, b->host);
    for (uint32_t i = 0; i < a->n_fields; i++) {
        same_slice(a->fields[i].name, b->fields[i].name);
        same_slice(a->fields[i].value, b->fields[i].value);
    }
}

/* Parses in pieces: of one byte without `cuts`, each time from a buffer that has moved with them. */
static enum http_progress in_pieces(struct http_request *req, const char *data, size_t size, struct cuts *cuts,
                                    const struct http_request_limits *limits)
{
    enum http_progress progress = HTTP_MORE;
    size_t len = 0;

    http_request_init(req);
    while (progress == HTTP_MORE && len < size) {
        char *moved = NULL;

        len += cuts ? cuts_next(cuts, size - len) : 1;
        if (cuts)
            moved = exact_copy(data, len);
        progress = http_request_parse(req, moved ? moved : data, len, limits);
        free(moved);
    }
    if (progress == HTTP_DONE && !cuts)
        HOLDS(len == req->head_bytes); /* known with its last byte */
    return progress;
}

static void try_limits(const uint8_t *data, size_t size, const struct http_request_limits *limits)
{
    static struct http_request whole, cut;
    struct cuts cuts = cuts_of(data, size);
    enum http_progress progress;

    http_request_init(&whole);
    progress = http_request_parse(&whole, (const char *)data, size, limits);
    HOLDS((progress == HTTP_BAD) == (whole.error != HTTP_REQUEST_OK) && whole.error < HTTP_REQUEST_ERRORS);
    if (progress == HTTP_DONE)
        check_done(&whole, (const char *)data, limits);
    HOLDS(size == 0 || in_pieces(&cut, (const char *)data, size, NULL, limits) == progress);
    if (progress == HTTP_DONE || progress == HTTP_BAD)
        same(&whole, &cut);
    HOLDS(size == 0 || in_pieces(&cut, (const char *)data, size, &cuts, limits) == progress);
    if (progress == HTTP_DONE || progress == HTTP_BAD)
        same(&whole, &cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct http_request_limits usual = {8192, 32768, HTTP_REQUEST_MAX_FIELDS}, tight = {40, 160, 4};

    try_limits(data, size, &usual);
    try_limits(data, size, &tight);
    return 0;
}
