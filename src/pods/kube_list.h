/* SPDX-License-Identifier: MIT */
/*
 * One page of a list, read as its bytes arrive: every item is parsed alone and handed on, so that a page
 * needs the memory of its largest item. It is good only if kube_list_end() says so: what was handed on before
 * that may be a part. Pure.
 */
#ifndef SYNCER_SRC_PODS_KUBE_LIST_H
#define SYNCER_SRC_PODS_KUBE_LIST_H

#include <syncer/base/buf.h>
#include <syncer/base/err.h>
#include <syncer/wire/json_read.h>
#include <syncer/wire/json_stream.h>

#include "kube_objects.h"

/* An object is at most 1.5 MiB in etcd, as protobuf; JSON takes more. A value is some 10 bytes in practice. */
#define KUBE_OBJECT_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define KUBE_OBJECT_MAX_VALUES ((size_t)512 * 1024)

struct kube_list {
    const char *kind;     /* that the list must be of: "PodList" */
    struct json_doc *doc; /* borrowed */
    struct buf *next;     /* borrowed: the continue token of the page; empty = the last one */
    int (*on_item)(void *arg, const struct json_doc *doc, struct err *err);
    void *arg;
    char version[KUBE_VERSION_BYTES]; /* the list's resourceVersion; "" = it has none */
    struct json_stream stream;
    bool kind_seen, ended;
};

/* The caller sets the first five fields; `next` keeps its content until a page has been read. */
void kube_list_begin(struct kube_list *list);
void kube_list_release(struct kube_list *list);

/* 0, or -1 with what is wrong with the list, or what on_item said. */
int kube_list_feed(struct kube_list *list, const char *data, size_t len, struct err *err);

/* Was that a whole list of the right kind? 0 or -1. */
int kube_list_end(const struct kube_list *list, struct err *err);

#endif
