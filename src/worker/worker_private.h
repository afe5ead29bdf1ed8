/* SPDX-License-Identifier: MIT */
/* The one struct of a worker: worker.c has its life, parts.c what it is made of. */
#ifndef SYNCER_WORKER_WORKER_PRIVATE_H
#define SYNCER_WORKER_WORKER_PRIVATE_H

#include <syncer/api/api.h>
#include <syncer/base/loop.h>
#include <syncer/base/signals.h>
#include <syncer/conf/conf.h>
#include <syncer/http/server.h>
#include <syncer/net/link.h>
#include <syncer/net/trust.h>
#include <syncer/probe/check.h>
#include <syncer/probe/guard.h>
#include <syncer/probe/pool.h>
#include <syncer/share/heritage.h>
#include <syncer/share/podtable.h>
#include <syncer/share/scoreboard.h>
#include <syncer/share/vitals.h>

struct worker {
    struct heritage heritage;
    struct conf conf;
    struct loop *loop;
    struct loop_io control;
    struct signals signals;
    struct loop_timer log, beat, warm, idle, end;
    struct vitals vitals;
    int64_t started_ns;
    struct log_limit unasked, unprotected; /* of lines about pods that do what they should not */
    bool leaving;
    int exit_code;

    /* from below upwards */
    struct podtable_reader *table;
    struct scoreboard *board;
    struct trust *trust;
    struct link_hub *hub;
    struct pool *pool;
    struct guard *guard; /* NULL with control_probe: off */
    struct checker *checker;
    struct api api;
    struct http_router router, admin_router;
    struct http_door door, admin_door; /* for `listen` and admin_listen */
    struct identity *identity;         /* NULL: listen is plain */
    struct log_limit shake_log, starved;
    struct http_server *server;
    char source[600]; /* for status pages */
};

/* Makes trust ... server. 0, or -1 with the reason: worker_free_parts() takes what is left. */
int worker_make_parts(struct worker *worker, struct err *err);
void worker_free_parts(struct worker *worker);

#endif
