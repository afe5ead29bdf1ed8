/* SPDX-License-Identifier: MIT */
/*
 * What syncer answers: the table of paths and their handlers. Each handler reads the request, asks the layer below and
 * answers; only the check of a token answers later. Worker only.
 */
#ifndef SYNCER_API_API_H
#define SYNCER_API_API_H

#include <stdbool.h>
#include <stdint.h>

#include <syncer/base/addr.h>
#include <syncer/base/log.h>
#include <syncer/base/loop.h>
#include <syncer/http/router.h>
#include <syncer/probe/check.h>
#include <syncer/share/podtable.h>
#include <syncer/share/scoreboard.h>

/* Why there is no verdict: the values of X-Token-Error. */
enum api_error {
    API_BAD_REQUEST,
    API_NOT_ALLOWED,
    API_NO_POD_LIST,
    API_NO_PODS,
    API_TOO_MANY_PODS,
    API_OVERLOADED,
    API_DRAINING,
    API_ERRORS
};

/* Lines about checks: limited by what they say, a verdict or an error. */
struct api_log {
    struct log_limit limits[VERDICTS + API_ERRORS];
    struct loop_timer over; /* set while something held back is not told of */
};

#define API_ALLOW_MAX 16

/* Who may ask for a check. Clients of a unix socket always may: the file's mode is their rule. */
struct api_allow {
    bool any, pods; /* pods: every address of the table, whatever the pod's state */
    size_t n;
    struct addr_range ranges[API_ALLOW_MAX];
};

/* The values of `allow`, checked before. */
void api_allow_init(struct api_allow *allow, char *const *values, size_t n);

/* What /v1/status shows of the configuration. Strings are borrowed. */
struct api_shown {
    int64_t patience_ms, request_deadline_ms, zone_sync_interval_ms;
    const char *control_probe; /* "warn", "fail", "off" */
    const char *scheme;
    const char *server_name; /* expected in the pods' certificates */
    const char *path;
    bool tls_verify;
};

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
    int64_t synced_max_age_s; /* that caches may keep a Synced; 0 = not at all */
    bool draining;            /* /readyz says so, answers still come */
    bool refusing;            /* no new checks any more: "draining" */
    struct api_shown shown;
    struct api_allow allow;
    struct api_log log;
};

/* Before the first request, and after the last: then what was held back in the log is told of. */
void api_init(struct api *api);
void api_release(struct api *api);

/* Which paths a door shows. */
enum api_side {
    API_ALL,    /* there is no admin_listen */
    API_LISTEN, /* /v1/synced and health, where there is one */
    API_ADMIN,  /* all but /v1/synced */
};
/* `api` is borrowed. */
struct http_router api_router(struct api *api, enum api_side side);

/* http_router.on_error: puts X-Token-Error on errors that the server itself answers. */
void api_on_error(struct http_exchange *x, int status, const char *detail, void *app);

#endif
