/* SPDX-License-Identifier: MIT */
/* Whether the API server lets us do what a source of pods does, verb by verb. */
#include <config.h>

#include <syncer/base/loop.h>
#include <syncer/pods/rights.h>

#include "doctor.h"

struct looking {
    struct doctor *doctor;
    struct loop *loop;
    struct buf allowed; /* "get deployments, ..." */
};

static void on_right(void *arg, const struct right *right, enum right_state state, const char *reason)
{
    struct looking *l = arg;

    if (state == RIGHT_ALLOWED)
        buf_addf(&l->allowed, "%s%s %s", l->allowed.len ? ", " : "", right->verb, right->resource);
    else if (state == RIGHT_FORBIDDEN)
        doctor_say(l->doctor, DOCTOR_BAD, "own rights", "add it to the Role: roles/ has all that is needed",
                   "verb %s on resource %s of apiGroup \"%s\" is forbidden", right->verb, right->resource,
                   right->group);
    else
        doctor_say(l->doctor, DOCTOR_WARN, "own rights", NULL,
                   "whether verb %s on resource %s is allowed is not known: %s", right->verb, right->resource, reason);
}

static void on_done(void *arg)
{
    loop_stop(((struct looking *)arg)->loop);
}

void doctor_look_at_rights(struct doctor *doctor, const struct conf *conf)
{
    static const struct rights_events events = {.on_right = on_right, .on_done = on_done};
    struct looking l = {.doctor = doctor, .loop = loop_new(NULL)};
    struct rights *rights;
    struct err err;

    if (!l.loop) {
        doctor->failed = true;
        return;
    }
    buf_init(&l.allowed, 1000);
    rights = rights_new(l.loop, conf, CTL_USER_AGENT, &events, &l, &err);
    if (rights) {
        loop_run(l.loop, NULL);
        if (l.allowed.len > 0)
            doctor_say(doctor, DOCTOR_GOOD, "own rights", NULL, "may %s", buf_str(&l.allowed));
        rights_free(rights);
    } /* else without credentials, as the list will tell, or with another source */
    buf_release(&l.allowed);
    loop_free(l.loop);
}
