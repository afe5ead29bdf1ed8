/* SPDX-License-Identifier: MIT */
/*
 * Which pods are the Deployment's, and which of them count: pure. ReplicaSets are added first, then the pods
 * of every page; kube_selection_finish() decides once all are known.
 */
#ifndef SYNCER_SRC_PODS_KUBE_SELECT_H
#define SYNCER_SRC_PODS_KUBE_SELECT_H

#include "kube_objects.h"

/* ReplicaSets that a Deployment may own: revisionHistoryLimit, 10 by default, bounds them in practice. */
#define KUBE_MAX_SETS 4096

struct kube_rules {
    enum conf_pod_filter filter;
    enum conf_pod_scope scope;
    uint16_t port;
    size_t max_pods;
};

struct kube_set {
    char uid[KUBE_UID_BYTES];
    bool current; /* of the Deployment's own revision */
};

struct kube_selection {
    struct kube_rules rules;
    struct kube_set *sets; /* owned by the Deployment; sorted by uid once the first pod comes. Room for KUBE_MAX_SETS */
    size_t n_sets;
    bool sorted;
    struct source_pod *pods; /* pods of those sets, in any state. Room for max_pods */
    bool *current;           /* beside each pod: its set's */
    size_t n;
    bool too_many; /* there were more than max_pods */
};

/* Takes all memory that it will ever need; what is never written to costs none. 0, or -1 if memory is out. */
int kube_selection_init(struct kube_selection *selection, const struct kube_rules *rules);
void kube_selection_release(struct kube_selection *selection);
/* Empties it, keeps the memory. */
void kube_selection_clear(struct kube_selection *selection);

/* Adds what belongs to the Deployment (or to one of its ReplicaSets) and passes over what does not. 0, or -1
 * with the reason: too many, or out of memory. */
int kube_selection_add_set(struct kube_selection *selection, const struct kube_deployment *deployment,
                           const struct kube_replicaset *set, struct err *err);
int kube_selection_add_pod(struct kube_selection *selection, const struct kube_pod *pod, struct err *err);

/* Sets `counts` of every pod. */
void kube_selection_finish(struct kube_selection *selection);

#endif
