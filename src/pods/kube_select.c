/* SPDX-License-Identifier: MIT */
/*
 * The rules of pod_filter and pod_scope. A rollout turns the Deployment's revision before the new ReplicaSet
 * has a single pod, and an undo gives an old ReplicaSet the newest revision: so sets are told by equal
 * annotations, never by age, and the current revision stands alone only once one of its pods counts.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "kube_select.h"

int kube_selection_init(struct kube_selection *selection, const struct kube_rules *rules)
{
    *selection = (struct kube_selection){
        .rules = *rules,
        .sets = calloc(KUBE_MAX_SETS, sizeof(*selection->sets)),
        .pods = calloc(rules->max_pods, sizeof(*selection->pods)),
        .current = calloc(rules->max_pods, sizeof(*selection->current)),
    };
    return selection->sets && selection->pods && selection->current ? 0 : -1;
}

void kube_selection_release(struct kube_selection *selection)
{
    free(selection->sets);
    free(selection->pods);
    free(selection->current);
    *selection = (struct kube_selection){.rules = selection->rules};
}

void kube_selection_clear(struct kube_selection *selection)
{
    selection->n_sets = selection->n = 0;
    selection->sorted = selection->too_many = false;
}

int kube_selection_add_set(struct kube_selection *selection, const struct kube_deployment *deployment,
                           const struct kube_replicaset *set, struct err *err)
{
    struct kube_set *to;

    if (strcmp(set->owner, deployment->uid) != 0)
        return 0;
    if (selection->n_sets == KUBE_MAX_SETS)
        return err_set(err, "the Deployment owns more than %d ReplicaSets", KUBE_MAX_SETS);
    to = &selection->sets[selection->n_sets++];
    memcpy(to->uid, set->uid, sizeof(to->uid));
    to->current = deployment->revision[0] != '\0' && strcmp(deployment->revision, set->revision) == 0;
    return 0;
}

static int compare_sets(const void *a, const void *b)
{
    return strcmp(((const struct kube_set *)a)->uid, ((const struct kube_set *)b)->uid);
}

static const struct kube_set *owner_of(struct kube_selection *selection, const struct kube_pod *pod)
{
    struct kube_set key;

    if (!selection->sorted)
        qsort(selection->sets, selection->n_sets, sizeof(*selection->sets), compare_sets);
    selection->sorted = true;
    memcpy(key.uid, pod->owner, sizeof(key.uid));
    return bsearch(&key, selection->sets, selection->n_sets, sizeof(*selection->sets), compare_sets);
}

int kube_selection_add_pod(struct kube_selection *selection, const struct kube_pod *pod, struct err *err)
{
    const struct kube_set *owner = owner_of(selection, pod);
    struct source_pod *to;

    if (!owner)
        return 0;
    if (selection->n == selection->rules.max_pods) {
        selection->too_many = true;
        return err_set(err, "the Deployment has more than max_pods (%zu) pods: raise max_pods", selection->n);
    }
    selection->current[selection->n] = owner->current;
    to = &selection->pods[selection->n++];
    memcpy(to->name, pod->name, sizeof(to->name));
    memcpy(to->uid, pod->uid, sizeof(to->uid));
    to->addr = pod->addr;
    to->port = selection->rules.port;
    to->state = pod->state;
    to->counts = false;
    return 0;
}

static bool passes_filter(const struct kube_selection *selection, const struct source_pod *pod)
{
    return pod->addr.family != 0 && (selection->rules.filter == CONF_FILTER_ALL || pod->state == SOURCE_READY);
}

void kube_selection_finish(struct kube_selection *selection)
{
    bool current_only = false;

    for (size_t i = 0; i < selection->n; i++) {
        selection->pods[i].counts = passes_filter(selection, &selection->pods[i]);
        current_only |= selection->pods[i].counts && selection->current[i];
    }
    if (selection->rules.scope != CONF_SCOPE_REVISION || !current_only)
        return;
    for (size_t i = 0; i < selection->n; i++)
        selection->pods[i].counts &= selection->current[i];
}
