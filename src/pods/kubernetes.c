/* SPDX-License-Identifier: MIT */
/*
 * The pods of a Deployment, by three collections of the API server:
 *
 *      DEPLOYMENT    its uid, selector and revision
 *      SETS          the ReplicaSets that match its selector
 *      PODS          the pods that match it, whatever their state
 *
 * The two last are aimed by the first. A Deployment that was deleted and made again has another uid, and
 * perhaps another selector: then they begin anew, and the list that was handed on stays until they are
 * complete. While there is no Deployment at all nothing is handed on either: its ReplicaSets go before their
 * pods, which would be taken for none.
 *
 * How reads and updates go is kube_feed.c's, which pods count kube_select.c's, what the objects mean
 * kube_objects.c's.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "kube_feed.h"
#include "kube_select.h"

enum { DEPLOYMENT, SETS, PODS, COLLECTIONS };

static const struct kube_resource resources[COLLECTIONS] = {
    [DEPLOYMENT] = {.verb = "get",
                    .name = "deployments",
                    .group = "apps",
                    .root = "/apis/apps/v1",
                    .missing = ": there is no such Deployment; are `namespace` and `deployment` right?"},
    [SETS] = {.verb = "list",
              .name = "replicasets",
              .group = "apps",
              .root = "/apis/apps/v1",
              .list_kind = "ReplicaSetList"},
    [PODS] = {.verb = "list", .name = "pods", .group = "", .root = "/api/v1", .list_kind = "PodList"},
};

struct deployment_record {
    struct kube_record record;
    char revision[KUBE_REVISION_BYTES];
    char selector[KUBE_SELECTOR_MAX_BYTES];
};

struct set_record {
    struct kube_record record;
    struct kube_replicaset set;
};

struct pod_record {
    struct kube_record record;
    struct kube_pod pod;
};

struct kube_source {
    struct kube_feed feed;             /* first: it begins with struct source */
    struct kube_deployment deployment; /* that SETS and PODS are aimed by; uid "" = none yet */
    char judged[KUBE_UID_BYTES];       /* is_other() has been asked about this one; "" = that there is none */
    struct kube_selection selection;
};

static struct kube_source *self_of(struct kube_feed *feed)
{
    return container_of(feed, struct kube_source, feed);
}

/* ---- objects ---- */

static int read_deployment(const struct json_doc *doc, json_value object, struct deployment_record *out,
                           struct err *err)
{
    struct kube_deployment deployment;
    int rc;

    buf_init(&deployment.selector, KUBE_SELECTOR_MAX_BYTES - 1);
    rc = kube_read_deployment(doc, object, &deployment, err);
    if (rc == 0) {
        memcpy(out->revision, deployment.revision, sizeof(out->revision));
        memcpy(out->selector, buf_str(&deployment.selector), deployment.selector.len + 1);
    }
    buf_release(&deployment.selector);
    return rc;
}

static int read_object(struct kube_feed *feed, struct kube_reflector *reflector, const struct json_doc *doc,
                       json_value object, struct kube_record *out, struct err *err)
{
    if (reflector == &feed->reflectors[DEPLOYMENT])
        return read_deployment(doc, object, container_of(out, struct deployment_record, record), err);
    if (reflector == &feed->reflectors[SETS])
        return kube_read_replicaset(doc, object, &container_of(out, struct set_record, record)->set, err);
    return kube_read_pod(doc, object, &container_of(out, struct pod_record, record)->pod, err);
}

/* ---- the Deployment ---- */

/* There is one at most, but for a moment, when the one that was made again is known before the end of the
 * other. */
static const struct deployment_record *current(const struct kube_source *self)
{
    const struct kube_records *records = &self->feed.reflectors[DEPLOYMENT].records;
    const struct deployment_record *newest = NULL;

    for (size_t i = 0; i < records->n; i++) {
        struct kube_record *record = kube_records_at(records, i);

        if (record && (!newest || record->version > newest->record.version))
            newest = container_of(record, struct deployment_record, record);
    }
    return newest;
}

static bool is_ours(const struct kube_source *self, const struct deployment_record *deployment)
{
    return strcmp(deployment->record.uid, self->deployment.uid) == 0 &&
           strlen(deployment->selector) == self->deployment.selector.len &&
           memcmp(deployment->selector, self->deployment.selector.data, self->deployment.selector.len) == 0;
}

static int aim(struct kube_source *self, const struct deployment_record *deployment, struct err *err)
{
    memcpy(self->deployment.uid, deployment->record.uid, sizeof(self->deployment.uid));
    buf_clear(&self->deployment.selector);
    buf_add_str(&self->deployment.selector, deployment->selector);
    if (self->deployment.selector.failed ||
        kube_reflector_aim(&self->feed.reflectors[SETS], deployment->selector) != 0 ||
        kube_reflector_aim(&self->feed.reflectors[PODS], deployment->selector) != 0) {
        self->deployment.uid[0] = '\0';
        return err_set(err, "out of memory");
    }
    return 0;
}

static int on_step(struct kube_feed *feed, size_t at, struct err *err)
{
    struct kube_source *self = self_of(feed);
    const struct deployment_record *deployment = current(self);

    if (at != DEPLOYMENT)
        return 0;
    if (!deployment)
        return err_set(err, "it was deleted meanwhile");
    memcpy(self->judged, deployment->record.uid, sizeof(self->judged));
    return is_ours(self, deployment) ? 0 : aim(self, deployment, err);
}

static bool is_other(struct kube_feed *feed)
{
    struct kube_source *self = self_of(feed);
    const struct deployment_record *deployment = current(self);
    const char *uid = deployment ? deployment->record.uid : "";

    if (strcmp(uid, self->judged) == 0)
        return false;
    memcpy(self->judged, uid, strlen(uid) + 1);
    return true;
}

/* ---- the list ---- */

static int add_sets(struct kube_source *self, struct err *err)
{
    const struct kube_records *records = &self->feed.reflectors[SETS].records;

    for (size_t i = 0; i < records->n; i++) {
        struct kube_record *record = kube_records_at(records, i);

        if (record && kube_selection_add_set(&self->selection, &self->deployment,
                                             &container_of(record, const struct set_record, record)->set, err) != 0)
            return -1;
    }
    return 0;
}

static int add_pods(struct kube_source *self, struct err *err)
{
    const struct kube_records *records = &self->feed.reflectors[PODS].records;

    for (size_t i = 0; i < records->n; i++) {
        struct kube_record *record = kube_records_at(records, i);

        if (record && kube_selection_add_pod(&self->selection,
                                             &container_of(record, const struct pod_record, record)->pod, err) != 0)
            return -1;
    }
    return 0;
}

static int select_pods(struct kube_feed *feed, const struct source_pod **pods, size_t *n, bool *too_many,
                       struct err *err)
{
    struct kube_source *self = self_of(feed);
    const struct deployment_record *deployment = current(self);

    if (!deployment || !is_ours(self, deployment))
        return err_set(err, "the Deployment was deleted or made again meanwhile");
    memcpy(self->deployment.revision, deployment->revision, sizeof(deployment->revision));
    kube_selection_clear(&self->selection);
    if (add_sets(self, err) != 0 || add_pods(self, err) != 0) {
        *too_many = self->selection.too_many;
        return -1;
    }
    kube_selection_finish(&self->selection);
    *pods = self->selection.pods;
    *n = self->selection.n;
    return 0;
}

/* ---- life ---- */

static const struct kube_feed_kind kind = {resources, COLLECTIONS, read_object, on_step, select_pods, is_other};

static void kube_close(struct source *source)
{
    struct kube_source *self = container_of(source, struct kube_source, feed.source);

    kube_feed_release(&self->feed);
    kube_selection_release(&self->selection);
    buf_release(&self->deployment.selector);
    free(self);
}

static void kube_refresh(struct source *source)
{
    kube_feed_refresh(container_of(source, struct kube_feed, source));
}

static int make_parts(struct kube_source *self, const struct source_settings *settings, struct err *err)
{
    const struct conf *conf = settings->conf;
    struct kube_rules rules = {
        .filter = (enum conf_pod_filter)conf->pod_filter,
        .scope = (enum conf_pod_scope)conf->pod_scope,
        .port = (uint16_t)conf->port,
        .max_pods = (size_t)conf->max_pods,
    };
    /* What matches the selector may be somebody else's, so there is more room than for what counts in the
     * end. */
    struct kube_feed_parts parts = {
        .bytes = {sizeof(struct deployment_record), sizeof(struct set_record), sizeof(struct pod_record)},
        .room = {4, (size_t)2 * KUBE_MAX_SETS, 2 * rules.max_pods + 1024},
    };

    if (kube_selection_init(&self->selection, &rules) < 0)
        return err_set(err, "out of memory");
    if (kube_feed_init(&self->feed, &kind, &parts, settings, err) != 0)
        return -1;
    if (kube_reflector_aim(&self->feed.reflectors[DEPLOYMENT], conf->deployment) != 0)
        return err_set(err, "deployment: is longer than a name may be");
    return 0;
}

static struct source *kube_open(const struct source_settings *settings, struct err *err)
{
    struct kube_source *self = calloc(1, sizeof(*self));

    if (!self) {
        err_set(err, "pods: kubernetes: out of memory");
        return NULL;
    }
    buf_init(&self->deployment.selector, KUBE_SELECTOR_MAX_BYTES);
    if (make_parts(self, settings, err) < 0) {
        err_context(err, "pods: kubernetes");
        kube_close(&self->feed.source);
        return NULL;
    }
    snprintf(self->feed.source.description, sizeof(self->feed.source.description),
             "kubernetes: deployment %.253s/%.253s at %.200s", kube_client_namespace(self->feed.client),
             settings->conf->deployment, kube_client_url(self->feed.client));
    err_set(&self->feed.source.warning, "%s", kube_client_warning(self->feed.client));
    return &self->feed.source;
}

const struct source_kind source_kubernetes = {.open = kube_open, .close = kube_close, .refresh = kube_refresh};
