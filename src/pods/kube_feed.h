/* SPDX-License-Identifier: MIT */
/*
 * A source that is fed by collections of the API server: what the kinds of such sources share.
 *
 * A full read lists all collections in a row, every scrape_interval and whenever somebody asks. Only when the
 * last one is whole is a list handed on; everything else is a failure, never an empty list. In between the
 * watches go on, and what they change is handed on as an update, at most once a turn of the loop and, while
 * changes pour in, 50 times a second. An update is never part of a read and says nothing of its age: it
 * proves only that one of several streams is alive.
 */
#ifndef SYNCER_SRC_PODS_KUBE_FEED_H
#define SYNCER_SRC_PODS_KUBE_FEED_H

#include "kube_reflector.h"
#include "source_kind.h"

#define KUBE_FEED_MAX 3

struct kube_feed;

struct kube_feed_kind {
    const struct kube_resource *resources; /* in the order in which they are listed */
    size_t n;
    int (*read)(struct kube_feed *feed, struct kube_reflector *reflector, const struct json_doc *doc, json_value object,
                struct kube_record *out, struct err *err);
    /* The collection `at` was listed well: aims those behind it if that is due. 0, or -1 with the reason. */
    int (*on_step)(struct kube_feed *feed, size_t at, struct err *err);
    /* All that is known, complete: the list. 0, or -1 with the reason. */
    int (*select)(struct kube_feed *feed, const struct source_pod **pods, size_t *n, bool *too_many, struct err *err);
    /* Something has changed by the watch. Is it so that only another full read will do? Says so once. NULL =
     * never. */
    bool (*is_other)(struct kube_feed *feed);
};

struct kube_feed {
    struct source source;
    const struct kube_feed_kind *kind;
    const struct conf *conf;
    struct kube_client *client;
    struct json_doc *doc;
    struct kube_reflector reflectors[KUBE_FEED_MAX];

    struct loop_timer timer;        /* the next read */
    struct loop_timer update_timer; /* the next update */
    struct loop_task change;        /* something has changed in this turn */
    bool reading, again;            /* again: another read right after this one */
    bool in_force;                  /* a list was handed on, and nothing has cast doubt on it since: updates may come */
    bool dirty;                     /* records have changed since the last hand-over */
    size_t step;                    /* of the read: the collection that is being listed */
    int64_t backoff_ms;
    int64_t not_before_ns;    /* the server asked to be left alone until then; 0 = it did not */
    int64_t updated_ns;       /* the last hand-over of an update */
    struct source_watch told; /* the last report; its counts are totals */
};

/* Makes client and reflectors, each with room for `room[i]` records of `bytes[i]`; the first read begins from
 * the loop. 0, or -1 with the reason; kube_feed_release() is due in any case. */
struct kube_feed_parts {
    size_t bytes[KUBE_FEED_MAX], room[KUBE_FEED_MAX];
    void (*drop[KUBE_FEED_MAX])(struct kube_record *);
};
int kube_feed_init(struct kube_feed *feed, const struct kube_feed_kind *kind, const struct kube_feed_parts *parts,
                   const struct source_settings *settings, struct err *err);
void kube_feed_release(struct kube_feed *feed);

void kube_feed_refresh(struct kube_feed *feed);

#endif
