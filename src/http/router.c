/* SPDX-License-Identifier: MIT */
/* The table of paths. A dozen lines: compared one after the other, by length and bytes. */
#include <config.h>

#include <string.h>

#include <syncer/http/router.h>

#include "layout.h"

#define ALLOWED "GET, HEAD"

static const struct http_route *find(const struct http_router *router, const char *path, size_t len)
{
    for (size_t i = 0; i < router->n; i++) {
        const struct http_route *route = &router->routes[i];

        if (strlen(route->path) == len && memcmp(route->path, path, len) == 0)
            return route;
    }
    return NULL;
}

/* OPTIONS * asks about the server as a whole: RFC 9110 section 9.3.7. */
static void answer_options(struct http_exchange *x)
{
    http_answer_begin(x, 204);
    http_answer_field(x, "Allow", ALLOWED);
    http_answer_end(x, NULL, NULL, 0);
}

void http_router_dispatch(const struct http_router *router, struct http_exchange *x)
{
    const struct http_request *req = http_exchange_request(x);
    const struct http_route *route;
    const char *path;
    size_t len;

    path = http_exchange_path(x, &len);
    route = find(router, path, len);
    x->route = route ? route->path : NULL;
    if (req->method == HTTP_METHOD_OTHER) {
        answer_error(x, 501, NULL, "the method is not known; it should be GET or HEAD");
    } else if (req->method == HTTP_OPTIONS && len == 1 && path[0] == '*') {
        answer_options(x);
    } else if (req->method == HTTP_CONNECT) {
        /* Its target is no path; and a client may have sent what is meant for the far end right behind it. */
        x->close = true;
        answer_error(x, 405, ALLOWED, "this is no proxy");
    } else if (!route) {
        answer_error(x, 404, NULL, "there is nothing under this path");
    } else if (req->method != HTTP_GET && req->method != HTTP_HEAD) {
        answer_error(x, 405, ALLOWED, "the method should be GET or HEAD");
    } else {
        route->handle(x, router->app);
    }
}
