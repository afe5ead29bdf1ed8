/* SPDX-License-Identifier: MIT */
/*
 * The endpoints of a Service, by its EndpointSlices: one collection, watched as those of kubernetes.c are. A
 * Service has one slice at least, though it may be empty: where there is none, there is no such Service, or
 * nobody fills it, and that is a failure, never an empty list.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "kube_feed.h"
#include "kube_slice.h"

static const struct kube_resource slices = {
    .verb = "list",
    .name = "endpointslices",
    .group = "discovery.k8s.io",
    .root = "/apis/discovery.k8s.io/v1",
    .list_kind = "EndpointSliceList",
    .missing = ": discovery.k8s.io/v1 came with Kubernetes 1.21",
};

struct slice_record {
    struct kube_record record;
    struct kube_slice slice;
};

struct slice_source {
    struct kube_feed feed;   /* first: it begins with struct source */
    struct source_pod *pods; /* room for `room` */
    size_t room;
};

/* Held until they are put together: a list under way beside the one before it, and what is too many is told
 * as such. */
#define ENDPOINTS_MAX(room) (4 * (room))

static struct slice_source *self_of(struct kube_feed *feed)
{
    return container_of(feed, struct slice_source, feed);
}

/* Endpoints of all slices, those of slices that are to be replaced too. */
static size_t count_endpoints(const struct kube_reflector *reflector)
{
    const struct kube_records *records = &reflector->records;
    size_t n = 0;

    for (size_t i = 0; i < records->n; i++) {
        struct kube_record *record = kube_records_at(records, i);

        n += record ? container_of(record, struct slice_record, record)->slice.n : 0;
    }
    return n;
}

/* Slices may be many or large, but not both: that many endpoints are no Service's, and would be gigabytes. */
static int read_object(struct kube_feed *feed, struct kube_reflector *reflector, const struct json_doc *doc,
                       json_value object, struct kube_record *out, struct err *err)
{
    struct kube_slice *slice = &container_of(out, struct slice_record, record)->slice;

    if (kube_read_slice(doc, object, slice, err) != 0)
        return -1;
    if (count_endpoints(reflector) + slice->n <= ENDPOINTS_MAX(self_of(feed)->room))
        return 0;
    kube_slice_release(slice);
    return err_set(err, "the Service has far more endpoints than max_pods");
}

static void drop(struct kube_record *record)
{
    kube_slice_release(&container_of(record, struct slice_record, record)->slice);
}

static int on_step(struct kube_feed *feed, size_t at, struct err *err)
{
    (void)feed;
    (void)at;
    (void)err;
    return 0;
}

/* ---- the list ---- */

static void fill(struct source_pod *pod, const struct kube_endpoint *endpoint, const struct conf *conf)
{
    memcpy(pod->name, endpoint->name, sizeof(pod->name));
    memcpy(pod->uid, endpoint->uid, sizeof(pod->uid));
    pod->addr = endpoint->addr;
    pod->port = (uint16_t)conf->port;
    pod->state = endpoint->state;
    pod->counts = conf->pod_filter == CONF_FILTER_ALL || endpoint->state == SOURCE_READY;
}

/* How many pods there are now, or -1: more than there is room for. */
static ssize_t add_slice(struct slice_source *self, const struct kube_slice *slice, size_t n)
{
    if (slice->n > self->room - n)
        return -1;
    for (size_t i = 0; i < slice->n; i++)
        fill(&self->pods[n++], &slice->endpoints[i], self->feed.conf);
    return (ssize_t)n;
}

static int select_pods(struct kube_feed *feed, const struct source_pod **pods, size_t *n, bool *too_many,
                       struct err *err)
{
    struct slice_source *self = self_of(feed);
    const struct kube_records *records = &feed->reflectors[0].records;
    size_t max = (size_t)feed->conf->max_pods;
    ssize_t all = 0;
    size_t known = 0;

    for (size_t i = 0; i < records->n && all >= 0; i++) {
        struct kube_record *record = kube_records_at(records, i);

        if (!record)
            continue;
        known++;
        all = add_slice(self, &container_of(record, struct slice_record, record)->slice, (size_t)all);
    }
    if (known == 0)
        return err_set(err, "Service %.63s has no EndpointSlice: is `service` right?", feed->conf->service);
    *n = all < 0 ? 0 : kube_slice_merge(self->pods, (size_t)all);
    *too_many = all < 0 || *n > max;
    if (*too_many)
        return err_set(err, "the Service has more than max_pods (%zu) pods: raise max_pods", max);
    *pods = self->pods;
    return 0;
}

/* ---- life ---- */

static const struct kube_feed_kind kind = {&slices, 1, read_object, on_step, select_pods, NULL};

static void slices_close(struct source *source)
{
    struct slice_source *self = container_of(source, struct slice_source, feed.source);

    kube_feed_release(&self->feed);
    free(self->pods);
    free(self);
}

static void slices_refresh(struct source *source)
{
    kube_feed_refresh(container_of(source, struct kube_feed, source));
}

static int make_parts(struct slice_source *self, const struct source_settings *settings, struct err *err)
{
    const struct conf *conf = settings->conf;
    struct kube_feed_parts parts = {
        .bytes = {sizeof(struct slice_record)}, .room = {(size_t)conf->max_pods + 64}, .drop = {drop}};
    char selector[128];

    /* Both families, and while the slices are rewritten some pods are in two of them. */
    self->room = (size_t)4 * (size_t)conf->max_pods + KUBE_SLICE_ENDPOINTS;
    self->pods = calloc(self->room, sizeof(*self->pods));
    if (!self->pods)
        return err_set(err, "out of memory");
    if (kube_feed_init(&self->feed, &kind, &parts, settings, err) != 0)
        return -1;
    snprintf(selector, sizeof(selector), "kubernetes.io/service-name=%.63s", conf->service);
    return kube_reflector_aim(&self->feed.reflectors[0], selector) == 0 ? 0 : err_set(err, "out of memory");
}

static struct source *slices_open(const struct source_settings *settings, struct err *err)
{
    struct slice_source *self = calloc(1, sizeof(*self));

    if (!self) {
        err_set(err, "pods: endpointslices: out of memory");
        return NULL;
    }
    if (make_parts(self, settings, err) < 0) {
        err_context(err, "pods: endpointslices");
        slices_close(&self->feed.source);
        return NULL;
    }
    snprintf(self->feed.source.description, sizeof(self->feed.source.description),
             "endpointslices: service %.253s/%.63s at %.200s", kube_client_namespace(self->feed.client),
             settings->conf->service, kube_client_url(self->feed.client));
    err_set(&self->feed.source.warning, "%s", kube_client_warning(self->feed.client));
    return &self->feed.source;
}

const struct source_kind source_endpointslices = {
    .open = slices_open, .close = slices_close, .refresh = slices_refresh};
