/* SPDX-License-Identifier: MIT */
/*
 * Which handler answers which path: a table. Paths are compared by length and bytes after decoding; HEAD goes wherever GET
 * goes. What no line names is 404, a method that the line does not have 405 with Allow, one that nobody knows 501.
 */
#ifndef SYNCER_HTTP_ROUTER_H
#define SYNCER_HTTP_ROUTER_H

#include <stddef.h>

struct http_exchange;

struct http_route {
    const char *path;
    void (*handle)(struct http_exchange *x, void *app); /* GET and HEAD */
    const char *doc;
};

struct http_router {
    const struct http_route *routes; /* n lines */
    size_t n;
    void *app; /* passed to each handler */
    /* Errors that the server itself answers (a bad request, 404, overload at accept ...) pass here before they are sent,
     * for more fields; `x` may have no parsed request. `detail` is a literal that says what is wrong. May be NULL. */
    void (*on_error)(struct http_exchange *x, int status, const char *detail, void *app);
};

/* Answers or hands on. Called by the connection. */
void http_router_dispatch(const struct http_router *router, struct http_exchange *x);

#endif
