/* SPDX-License-Identifier: MIT */
/*
 * What a source may ask the API server for: each verb is tried by itself, so that all that are missing are known at once, and
 * not the first alone. Nothing is read beyond the heads of the answers. ctl.
 */
#ifndef SYNCER_PODS_RIGHTS_H
#define SYNCER_PODS_RIGHTS_H

#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/conf/conf.h>

/* As a Role has it; "" is the core group. */
struct right {
    const char *verb, *resource, *group;
};

enum right_state {
    RIGHT_ALLOWED,
    RIGHT_FORBIDDEN, /* 403 */
    RIGHT_UNKNOWN,   /* no answer, or one that says nothing of rights */
};

struct rights_events {
    /* When all are known, in the order of roles/. `reason`: of UNKNOWN, for a person; else "". */
    void (*on_right)(void *arg, const struct right *right, enum right_state state, const char *reason);
    /* After the last of them. */
    void (*on_done)(void *arg);
};

struct rights;

/* Tries all that the source of `conf` (checked; borrowed) needs, as whom its credentials say. Events come from the loop, never
 * from within. NULL with the reason; with "" if that source asks no API server. */
struct rights *rights_new(struct loop *loop, const struct conf *conf, const char *user_agent,
                          const struct rights_events *events, void *arg, struct err *err);
/* Not from within an event of its own. NULL is fine. */
void rights_free(struct rights *rights);

#endif
