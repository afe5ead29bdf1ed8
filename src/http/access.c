/* SPDX-License-Identifier: MIT */
/*
 * The access log: one line a request. A token that was put in the wrong place must not get into it, so
 * nothing is shown as the client wrote it: the method by name, the path as far as a route has it
 * ("/v1/synced/..." is "/v1/synced/" and a star), the query if the handler has vouched for it.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <syncer/base/log.h>

#include "layout.h"

#define PATH_SHOWN_BYTES 128

/* Bytes of `route` that `path` begins with, up to the end of a segment. */
static size_t common_segments(const char *route, const char *path, size_t len)
{
    size_t end = 0;

    for (size_t i = 0;; i++) {
        bool route_ends = route[i] == '\0' || route[i] == '/', path_ends = i == len || path[i] == '/';

        if (route_ends && path_ends)
            end = i;
        if (route[i] == '\0' || i == len || route[i] != path[i])
            return end;
    }
}

/* A path that was not dispatched to a route, or that none has. */
static const char *mask(const struct http_exchange *x, char out[PATH_SHOWN_BYTES])
{
    const struct http_router *router = x->conn->door->router;
    const char *best = "";
    size_t len, best_len = 0;
    const char *path = http_exchange_path(x, &len);

    if (x->req.path.off == 0 || path[0] != '/') /* refused before it was known; or "OPTIONS *" */
        return "*";
    for (size_t i = 0; i < router->n; i++) {
        size_t n = common_segments(router->routes[i].path, path, len);

        if (n > best_len) {
            best = router->routes[i].path;
            best_len = n;
        }
    }
    if (best_len == len)
        return best;
    snprintf(out, PATH_SHOWN_BYTES, "%.*s/*", (int)best_len, best);
    return out;
}

void access_log(const struct http_exchange *x)
{
    const struct http_request *req = &x->req;
    const char *method = req->line_done ? http_method_name(req->method) : NULL, *path = x->route, *query = NULL;
    char client[ADDR_TEXT_BYTES], shown[PATH_SHOWN_BYTES];

    if (!path)
        path = req->line_done ? mask(x, shown) : "*";
    if (req->line_done && req->query.off > 0)
        query = x->query_shown ? http_exchange_bytes(x) + req->query.off : "*";
    /* The loop's clock stands still while a handler works. */
    log_info(
        "request", LOG_STR("client", http_exchange_client(x, client)), LOG_STR("method", method ? method : "*"),
        LOG_STR("path", path),
        (struct log_field){.key = query ? "query" : NULL, .str = query, .len = x->query_shown ? req->query.len : 1},
        LOG_INT("status", x->status), LOG_INT("bytes", x->sent_before + x->sent),
        LOG_MS("ms", (clock_now_ns() - x->began_ns) / NS_PER_US), LOG_OPT("result", x->result),
        LOG_OPT("request_id", x->id));
}
