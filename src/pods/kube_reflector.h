/* SPDX-License-Identifier: MIT */
/*
 * Keeps one collection of the API server: lists it when told to, and watches it from there on, over streams
 * that end, are cut, fall silent or can't be resumed. What it knows stands in `records`; a collection that
 * was never listed completely is not `complete`, and then they are only a part.
 *
 *      kube_reflector.c    lists: pages, refusals
 *      kube_watch.c        the watch, and what becomes of it
 *
 * A list does not interrupt the watch, and kube_records.h says who is right where the two differ. At the
 * list's end the watch goes on if the list brought nothing that the watch had not told. Otherwise the watch
 * is behind: a little, since events are on their way, or for good, since it was begun from a version that the
 * server has not reached (a backup was restored), or a stream is dead. Then it begins anew from the list's
 * version: nothing is lost, since it brings all that came after the list, and nothing old comes back, since
 * all that it had not told yet is in the list.
 *
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
#ifndef SYNCER_SRC_PODS_KUBE_REFLECTOR_H
#define SYNCER_SRC_PODS_KUBE_REFLECTOR_H

#include "kube_client.h"
#include "kube_events.h"
#include "kube_list.h"
#include "kube_records.h"

struct kube_resource {
    const char *verb;      /* of a full read: "list", or "get" for one object by its name */
    const char *name;      /* "pods"; this and the group as in a Role */
    const char *group;     /* "" is the core */
    const char *root;      /* of its paths */
    const char *list_kind; /* "PodList"; NULL where the verb is get */
    const char *missing;   /* what 404 means, for a person; NULL = nothing special */
};

/* Own limits, since a server that is stuck says nothing. */
struct kube_limits {
    int64_t request_ms;    /* a page, whole: a plain LIST hangs beyond 75 s while etcd is away */
    int64_t watch_head_ms; /* a watch is answered at once, though it has nothing to tell */
    int64_t watch_idle_ms; /* bookmarks are no keep-alive: so long without a byte, and it is asked for anew */
    int64_t watch_s;       /* the shortest time after which the server is asked to end a watch; the longest is twice
                        that */
    int64_t forbidden_ms;  /* until a watch that is forbidden is tried again */
};
extern const struct kube_limits kube_limits;

enum kube_watch_state {
    KUBE_WATCH_OFF,   /* there was no list to begin from, or it is not wanted */
    KUBE_WATCH_ASKED, /* no head has come yet */
    KUBE_WATCH_ON,
    KUBE_WATCH_WAITING, /* until it is asked for again, from where it was */
    KUBE_WATCH_LOST,    /* until it is asked for a list */
};

struct kube_reflector;

struct kube_reflector_events {
    /* One object into a record, whose uid and version are set already. 0, or -1 with what is wrong with it. */
    int (*read)(void *arg, struct kube_reflector *reflector, const struct json_doc *doc, json_value object,
                struct kube_record *out, struct err *err);
    /* The end of kube_reflector_list(): one of them. Records may be looked at, another list may be begun. */
    void (*on_listed)(void *arg, struct kube_reflector *reflector);
    void (*on_list_failed)(void *arg, struct kube_reflector *reflector, const char *reason, int64_t retry_after_ms);
    /* The watch has changed a record, or is in another state only. May come many times a turn; nothing of the
     * reflector may be called from within. */
    void (*on_change)(void *arg, struct kube_reflector *reflector, bool records);
    /* The watch can't go on without a list. */
    void (*on_lost)(void *arg, struct kube_reflector *reflector);
    /* Something that a person must know of the watch: that it does not work, and later that it does (reason
     * NULL). */
    void (*on_notice)(void *arg, struct kube_reflector *reflector, const char *reason);
};

struct kube_reflector {
    /* Set by kube_reflector_init(). */
    const struct kube_resource *resource;
    const struct kube_reflector_events *events;
    void *arg;
    struct kube_client *client; /* borrowed, as is doc */
    struct json_doc *doc;
    const struct kube_limits *limits;
    struct loop *loop;

    struct kube_records records;
    struct kube_record *scratch;      /* one record, to read into */
    bool complete;                    /* it was listed completely since it was aimed */
    char object[SOURCE_NAME_MAX + 1]; /* verb get: its name */
    struct buf selector;              /* verb list: labelSelector */

    /* The list. */
    struct kube_request *list_request; /* NULL: none is under way between two pages either */
    struct kube_list list;
    struct buf next, body;
    int status;
    unsigned pages, restarts;
    struct err err; /* why a body was given up */

    /* The watch. */
    enum kube_watch_state watch;
    struct kube_request *watch_request;
    struct kube_events reader;
    struct loop_timer watch_timer;   /* ASKED: no head; ON: it has lived for a while; WAITING, LOST: try again */
    char resume[KUBE_VERSION_BYTES]; /* the version to go on from; "" = from now on, with all that is there
                                        told first */
    int64_t forbidden_ns;            /* when the first 403 of a row came; 0 = none has */
    int64_t not_before_ns;           /* the server asked to be left alone until then */
    int watch_status;
    struct buf watch_body;
    struct err watch_err;
    unsigned failures; /* in a row */
    bool answered;     /* the last request was, be it by a refusal */
    bool listed;       /* a list came well since the first of them */
    bool gave_notice;
    bool forbidden;              /* 403 for long enough: it is tried seldom */
    uint64_t n_events, n_starts; /* ever */
};

/* `record_bytes` and `room` as in kube_records_init(), `doc` to parse with (shared, between calls of this
 * module nothing is kept in it). 0, or -1 if memory is out; kube_reflector_release() is due in any case. */
int kube_reflector_init(struct kube_reflector *reflector, struct loop *loop, size_t record_bytes, size_t room,
                        void (*drop)(struct kube_record *));
/* Ends what is under way. */
void kube_reflector_release(struct kube_reflector *reflector);

/* What it should keep: the object of that name, or all that the selector matches. All that it knew is
 * forgotten, list and watch end without an event. Not from within an event of its own but on_listed. 0, or
 * -1: too long. */
int kube_reflector_aim(struct kube_reflector *reflector, const char *what);

/* Lists it; not while a list is under way. The end is told by an event, perhaps from within. */
void kube_reflector_list(struct kube_reflector *reflector);

/* ---- between the two files ---- */

#define KUBE_PATH_MAX_BYTES 60000
/* "/apis/apps/v1/namespaces/NAMESPACE/replicasets" */
void kube_reflector_path(const struct kube_reflector *reflector, struct buf *path);
/* Why the server refuses, and what would be right. `body` is its answer. */
void kube_reflector_refusal(struct kube_reflector *reflector, const char *verb, int status, const struct buf *body,
                            struct err *out);
/* An object of a list, or of the watch, into the records. 0, or -1 with what is wrong with it. */
int kube_reflector_put(struct kube_reflector *reflector, const struct json_doc *doc, json_value object, bool listed,
                       bool *changed, struct err *err);

void kube_watch_init(struct kube_reflector *reflector);
void kube_watch_release(struct kube_reflector *reflector);
/* A list of `version` is complete, with news for the watch or without. */
void kube_watch_listed(struct kube_reflector *reflector, const char *version, bool news);
void kube_watch_stop(struct kube_reflector *reflector);

#endif
