/* SPDX-License-Identifier: MIT */
/*
 * Where the list of pods comes from: one interface, a file each (static, kubernetes, endpointslices, dns). A source
 * reads the whole list, hands it on complete or says that it could not; it never hands on part of a list, and an error is
 * never an empty list. One that can be told of changes (a watch) hands the list on in between too. It runs in the master's
 * loop and never blocks it. Master only.
 */
#ifndef SYNCER_PODS_SOURCE_H
#define SYNCER_PODS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/addr.h>
#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/conf/conf.h>

#define SOURCE_NAME_MAX 253
#define SOURCE_UID_MAX 63

enum source_state { SOURCE_PENDING, SOURCE_READY, SOURCE_UNREADY, SOURCE_TERMINATING, SOURCE_FAILED, SOURCE_UNKNOWN };

struct source_pod {
    char name[SOURCE_NAME_MAX + 1];
    char uid[SOURCE_UID_MAX + 1]; /* tells a new pod of the same name apart; "" where the source has none */
    struct addr addr;             /* family 0: none yet */
    uint16_t port;
    enum source_state state;
    bool counts; /* as pod_filter and pod_scope decide */
};

struct source_failure {
    struct err reason; /* for a person: what, where, and what would be right (an RBAC verb that is missing, say) */
    bool too_many;     /* the list is longer than max_pods */
    int64_t retry_ms;  /* when it will be read again */
};

/* The watches of a source that has some. */
struct source_watch {
    uint32_t on, off, forbidden; /* how many are in that state now */
    uint64_t events, restarts; /* changes that they brought, and how often one was begun anew, since the last report */
};

struct source_events {
    /* A full read of the list begins; exactly one of on_list and on_failed follows. */
    void (*on_begin)(void *arg);
    /* A complete list, borrowed during the call. No pods is a list if the source really said so. */
    void (*on_list)(void *arg, const struct source_pod *pods, size_t n);
    void (*on_failed)(void *arg, const struct source_failure *failure);
    /* The complete list as it is now by what the watch has told since the last full read; never before the first on_list.
     * It may come within a read and is no end of one, nor does it prove that the list is new: only a read does. */
    void (*on_update)(void *arg, const struct source_pod *pods, size_t n);
    void (*on_watch)(void *arg, const struct source_watch *watch);
    /* For the log: `what` ("pods") can't be watched, because of `reason`; or it can again (NULL). Once each. */
    void (*on_notice)(void *arg, const char *what, const char *reason);
};

struct source;

struct source_settings {
    const struct conf *conf; /* checked; borrowed for the source's life */
    const char *user_agent;
    struct loop *loop;
    const struct source_events *events;
    void *arg;
};

/* Makes the one that conf->pods names and begins the first read: from the loop, never from within source_new(). NULL with
 * the reason (credentials that cannot be read, a bad CA ...): the configuration is refused. */
struct source *source_new(const struct source_settings *settings, struct err *err);

/* Ends it, without any further event. Not from within an event of its own. NULL is fine. */
void source_free(struct source *source);

/* Reads the list now. A read that is under way does not count, since it may have passed the change already: another one
 * begins right after it. Never calls an event itself. A server that asked to be left alone for a while (Retry-After) is. */
void source_refresh(struct source *source);

/* For status pages, such as "kubernetes: deployment default/gw at https://10.0.0.1:443" or "static: 3 pods". Borrowed. */
const char *source_describe(const struct source *source);

/* What a person should know although it is no error (a server that nothing proves, say): "" = nothing. Borrowed. */
const char *source_warning(const struct source *source);

#endif
