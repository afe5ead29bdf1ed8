/* SPDX-License-Identifier: MIT */
/*
 * What syncer answers: the table of paths and their handlers. Each handler reads the request, asks the layer below and
 * answers; only the check of a token answers later. Worker only.
 */
#ifndef SYNCER_API_API_H
#define SYNCER_API_API_H

#include <stdbool.h>
#include <stdint.h>

#include <syncer/base/log.h>
#include <syncer/http/router.h>
#include <syncer/probe/check.h>
#include <syncer/share/podtable.h>
#include <syncer/share/scoreboard.h>

/* What the handlers need; all borrowed, owned by the worker. */
struct api {
    struct loop *loop;
    struct pool *pool;
    struct checker *checker;
    struct podtable_reader *table;
    struct scoreboard *board;
    const char *version;
    const char *source;       /* such as "kubernetes: deployment gateways/gw" */
    uint64_t generation;      /* of the configuration */
    int64_t started_ns;       /* of this worker */
    bool draining;            /* /readyz says so, answers still come */
    bool refusing;            /* no new checks any more: "draining" */
    struct log_limit log_limit; /* of lines about checks */
};

/* The table of routes; its app is a struct api. */
extern const struct http_route api_routes[];
extern const size_t api_routes_n;

/* http_router.on_error: puts X-Token-Error on errors that the server itself answers. */
void api_on_error(struct http_exchange *x, int status, void *app);

#endif
