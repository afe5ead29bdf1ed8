/* SPDX-License-Identifier: MIT */
/*
 * Objects of the Kubernetes API as the source needs them: one JSON value -> one struct. Pure. Every value is
 * walked to by its path: names such as "podIP" occur elsewhere too (managedFields).
 * https://kubernetes.io/docs/reference/kubernetes-api/
 */
#ifndef SYNCER_SRC_PODS_KUBE_OBJECTS_H
#define SYNCER_SRC_PODS_KUBE_OBJECTS_H

#include <stdbool.h>

#include <syncer/base/addr.h>
#include <syncer/base/buf.h>
#include <syncer/base/err.h>
#include <syncer/pods/source.h>
#include <syncer/wire/json_read.h>

#define KUBE_UID_BYTES (SOURCE_UID_MAX + 1)
#define KUBE_REVISION_BYTES 24 /* a 64-bit number as text */
#define KUBE_SELECTOR_MAX_BYTES 16384
#define KUBE_CONTINUE_MAX_BYTES 16384
#define KUBE_VERSION_BYTES 64  /* an opaque text to clients; 20 digits at most as it is */
#define KUBE_MESSAGE_BYTES 257 /* of a Status; longer ones are cut */

struct kube_deployment {
    char uid[KUBE_UID_BYTES];
    char revision[KUBE_REVISION_BYTES]; /* "" until its controller has seen it */
    struct buf selector;                /* as labelSelector= has it, not yet escaped for a URL; never empty */
};

struct kube_replicaset {
    char uid[KUBE_UID_BYTES];
    char owner[KUBE_UID_BYTES]; /* the controller's; "" = none */
    char revision[KUBE_REVISION_BYTES];
};

struct kube_pod {
    char name[SOURCE_NAME_MAX + 1];
    char uid[KUBE_UID_BYTES];
    char owner[KUBE_UID_BYTES];
    struct addr addr; /* family 0: none yet */
    enum source_state state;
};

/* What every object has. */
struct kube_meta {
    char uid[KUBE_UID_BYTES];
    char version[KUBE_VERSION_BYTES]; /* its resourceVersion */
};

/* `v` is the object: the whole document, or a part of an event. 0, or -1 with what is wrong.
 * `out->selector` is made by the caller. */
int kube_read_deployment(const struct json_doc *doc, json_value v, struct kube_deployment *out, struct err *err);
int kube_read_replicaset(const struct json_doc *doc, json_value v, struct kube_replicaset *out, struct err *err);
/* An address that can't be read is an error: that pod could not be asked. */
int kube_read_pod(const struct json_doc *doc, json_value v, struct kube_pod *out, struct err *err);
int kube_read_meta(const struct json_doc *doc, json_value v, struct kube_meta *out, struct err *err);

/* The resourceVersion of an object or a list that has nothing else worth reading (a bookmark); "" = none. */
int kube_read_version(const struct json_doc *doc, json_value meta, char out[KUBE_VERSION_BYTES], struct err *err);

/* The value of "metadata" of a list: its continue token into `next`, emptied first. */
int kube_read_continue(const struct json_doc *doc, struct buf *next, struct err *err);

/* The message of a Status object, which an API server answers with where it refuses; "" if it is none. */
void kube_read_message(const struct json_doc *doc, json_value v, char out[KUBE_MESSAGE_BYTES]);

#endif
