/* SPDX-License-Identifier: MIT */
/*
 * EndpointSlices as the source needs them: one object -> its endpoints; and those of all slices of a Service
 * -> pods, each once. Pure.
 * https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/
 */
#ifndef SYNCER_SRC_PODS_KUBE_SLICE_H
#define SYNCER_SRC_PODS_KUBE_SLICE_H

#include "kube_objects.h"

#define KUBE_SLICE_ENDPOINTS 1000 /* the API's own limit */

struct kube_endpoint {
    char name[SOURCE_NAME_MAX + 1]; /* of its pod, else its address */
    char uid[KUBE_UID_BYTES];       /* of its pod; "" = unknown */
    struct addr addr;
    enum source_state state;
};

struct kube_slice {
    struct kube_endpoint *endpoints; /* on the heap; NULL if there is none */
    size_t n;
};

/* 0, or -1 with what is wrong and nothing on the heap. */
int kube_read_slice(const struct json_doc *doc, json_value v, struct kube_slice *out, struct err *err);
void kube_slice_release(struct kube_slice *slice);

/* Sorts `pods` and leaves each once: one that is in several slices counts if it does in any, and of one that
 * has addresses of both families the IPv4 one stays. Returns how many are left. */
size_t kube_slice_merge(struct source_pod *pods, size_t n);

#endif
