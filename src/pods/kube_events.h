/* SPDX-License-Identifier: MIT */
/*
 * The answer to a watch, read as its bytes arrive: one JSON object a line, {"type":"ADDED","object":{...}},
 * each handed on when its line has ended. A line that never ends, because the stream was cut, is nothing.
 * Pure. https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
#ifndef SYNCER_SRC_PODS_KUBE_EVENTS_H
#define SYNCER_SRC_PODS_KUBE_EVENTS_H

#include <syncer/base/buf.h>
#include <syncer/base/err.h>
#include <syncer/wire/json_read.h>

enum kube_event_type {
    KUBE_ADDED,
    KUBE_MODIFIED,
    KUBE_DELETED,  /* with the last state, also where an object has only left the selector */
    KUBE_BOOKMARK, /* the object has a resourceVersion and nothing else that is true */
    KUBE_ERROR,    /* the object is a Status: the end of the stream */
};

struct kube_event {
    enum kube_event_type type;
    const struct json_doc *doc; /* borrowed during the call, as all of it is */
    json_value object;
};

struct kube_events {
    struct json_doc *doc; /* borrowed */
    /* 0; other than 0, with the reason, ends the reading. */
    int (*on_event)(void *arg, const struct kube_event *event, struct err *err);
    void *arg;
    struct buf line; /* what has come of an unfinished one */
};

/* The caller sets the first three fields. */
void kube_events_begin(struct kube_events *events);
void kube_events_release(struct kube_events *events);

/* 0, or -1 with what is wrong with the stream, or what on_event said. */
int kube_events_feed(struct kube_events *events, const char *data, size_t len, struct err *err);

#endif
