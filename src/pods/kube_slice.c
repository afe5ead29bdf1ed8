/* SPDX-License-Identifier: MIT */
/* The reader of EndpointSlices. An address that can't be read is an error, since that pod could not be asked. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "kube_slice.h"

/* A condition that is not set is unknown, which stands for `otherwise`. */
static bool condition(const struct json_doc *doc, json_value conditions, const char *name, bool otherwise)
{
    bool value = otherwise;

    json_bool(doc, json_get(doc, conditions, name), &value);
    return value;
}

/* `ready` alone is not enough: publishNotReadyAddresses sets it whatever the pod says, which `serving` has. */
static enum source_state state_of(const struct json_doc *doc, json_value conditions)
{
    if (condition(doc, conditions, "terminating", false))
        return SOURCE_TERMINATING;
    if (condition(doc, conditions, "ready", true) && condition(doc, conditions, "serving", true))
        return SOURCE_READY;
    return SOURCE_UNREADY;
}

/* Several addresses of one endpoint are the same pod: the first is to be used (API page). */
static int read_address(const struct json_doc *doc, json_value v, struct addr *out)
{
    json_value first = json_first(doc, json_get(doc, v, "addresses"));
    char text[ADDR_TEXT_BYTES];

    if (json_str(doc, first, text, sizeof(text)) <= 0)
        return -1;
    return addr_parse(out, text, strlen(text));
}

static int read_pod_of(const struct json_doc *doc, json_value v, struct kube_endpoint *out)
{
    json_value target = json_get(doc, v, "targetRef"), uid = json_get(doc, target, "uid");

    if (!json_is(doc, json_get(doc, target, "kind"), "Pod")) {
        addr_format(&out->addr, out->name);
        return 0;
    }
    if (json_str(doc, json_get(doc, target, "name"), out->name, sizeof(out->name)) <= 0)
        return -1;
    return json_type(doc, uid) != JSON_MISSING && json_str(doc, uid, out->uid, sizeof(out->uid)) < 0 ? -1 : 0;
}

static int read_endpoint(const struct json_doc *doc, json_value v, struct kube_endpoint *out, struct err *err)
{
    if (read_address(doc, v, &out->addr) != 0)
        return err_set(err, "an endpoint whose address can't be read");
    if (read_pod_of(doc, v, out) != 0)
        return err_set(err, "an endpoint whose targetRef is not understood");
    out->state = state_of(doc, json_get(doc, v, "conditions"));
    return 0;
}

static int read_endpoints(const struct json_doc *doc, json_value endpoints, struct kube_slice *out, struct err *err)
{
    size_t n = json_size(doc, endpoints);

    if (n > KUBE_SLICE_ENDPOINTS)
        return err_set(err, "an EndpointSlice with more than %d endpoints", KUBE_SLICE_ENDPOINTS);
    out->endpoints = n > 0 ? calloc(n, sizeof(*out->endpoints)) : NULL;
    if (n > 0 && !out->endpoints)
        return err_set(err, "out of memory");
    for (json_value v = json_first(doc, endpoints); v != JSON_NONE && out->n < n; v = json_next(doc, v))
        if (read_endpoint(doc, v, &out->endpoints[out->n++], err) != 0)
            return -1;
    return 0;
}

int kube_read_slice(const struct json_doc *doc, json_value v, struct kube_slice *out, struct err *err)
{
    json_value type = json_get(doc, v, "addressType"), endpoints = json_get(doc, v, "endpoints");
    enum json_type is = json_type(doc, endpoints);

    *out = (struct kube_slice){0};
    if (!json_is(doc, type, "IPv4") && !json_is(doc, type, "IPv6"))
        return err_set(err, "an EndpointSlice whose addressType is neither IPv4 nor IPv6");
    if (is != JSON_ARRAY && is != JSON_NULL && is != JSON_MISSING)
        return err_set(err, "an EndpointSlice whose endpoints are no list");
    if (is != JSON_ARRAY || read_endpoints(doc, endpoints, out, err) == 0)
        return 0;
    kube_slice_release(out);
    return -1;
}

void kube_slice_release(struct kube_slice *slice)
{
    free(slice->endpoints);
    *slice = (struct kube_slice){0};
}

/* ---- all slices ---- */

static int compare_pods(const struct source_pod *a, const struct source_pod *b)
{
    int order = strcmp(a->name, b->name);

    return order ? order : strcmp(a->uid, b->uid);
}

/* A pod's addresses stand together, IPv4 first; of equal ones the one that counts, then the one that is
 * ready. */
static int compare(const void *x, const void *y)
{
    const struct source_pod *a = x, *b = y;
    int order = compare_pods(a, b);

    if (order == 0)
        order = (int)a->addr.family - (int)b->addr.family;
    if (order == 0)
        order = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
    if (order == 0)
        order = (int)b->counts - (int)a->counts;
    return order ? order : (int)a->state - (int)b->state;
}

/* The slices of both families don't change at once: in one of them the pod may be ready already. That it is
 * being deleted is never taken back. */
static void take_state(struct source_pod *pod, const struct source_pod *other)
{
    if (pod->counts || !other->counts || pod->state == SOURCE_TERMINATING)
        return;
    pod->counts = true;
    pod->state = other->state;
}

size_t kube_slice_merge(struct source_pod *pods, size_t n)
{
    size_t kept = 0;

    qsort(pods, n, sizeof(*pods), compare);
    for (size_t i = 0; i < n; i++) {
        struct source_pod *last = kept > 0 ? &pods[kept - 1] : NULL;

        if (last && compare_pods(last, &pods[i]) == 0 &&
            (last->addr.family != pods[i].addr.family || addr_equal(&last->addr, &pods[i].addr)))
            take_state(last, &pods[i]);
        else
            pods[kept++] = pods[i];
    }
    return kept;
}
