/* SPDX-License-Identifier: MIT */
/* The answer to a watch and the objects in it: the same events however the bytes were cut; what is read of
 * them keeps its bounds. */
#include <config.h>

#include <stdbool.h>

#include "../../src/pods/kube_events.h"
#include "../../src/pods/kube_objects.h"
#include "../../src/pods/kube_slice.h"

#include "fuzz.h"

#define VALUES_MAX 4096

struct outcome {
    uint64_t events, hash;
    bool bad;
};

static void mix(struct outcome *out, const char *text, size_t room)
{
    size_t len = strnlen(text, room);

    HOLDS(len < room);
    for (size_t i = 0; i < len; i++)
        out->hash = (out->hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    out->hash += len + 1;
}

static void read_pod(struct outcome *out, const struct kube_event *event)
{
    struct kube_pod pod;

    if (kube_read_pod(event->doc, event->object, &pod, NULL) != 0)
        return;
    HOLDS(pod.name[0] && pod.uid[0]);
    HOLDS(pod.addr.family == 0 || pod.addr.family == 4 || pod.addr.family == 6);
    HOLDS((unsigned)pod.state <= SOURCE_UNKNOWN);
    mix(out, pod.name, sizeof(pod.name));
    mix(out, pod.owner, sizeof(pod.owner));
}

static void read_deployment(struct outcome *out, const struct kube_event *event)
{
    struct kube_deployment deployment;

    buf_init(&deployment.selector, KUBE_SELECTOR_MAX_BYTES);
    if (kube_read_deployment(event->doc, event->object, &deployment, NULL) == 0) {
        HOLDS(deployment.selector.len > 0 && !deployment.selector.failed);
        mix(out, deployment.uid, sizeof(deployment.uid));
    }
    buf_release(&deployment.selector);
}

static void read_slice(const struct kube_event *event)
{
    struct kube_slice slice;

    if (kube_read_slice(event->doc, event->object, &slice, NULL) != 0) {
        HOLDS(!slice.endpoints);
        return;
    }
    HOLDS(slice.n <= KUBE_SLICE_ENDPOINTS && (slice.n > 0) == (slice.endpoints != NULL));
    for (size_t i = 0; i < slice.n; i++)
        HOLDS(slice.endpoints[i].name[0] && slice.endpoints[i].addr.family != 0);
    kube_slice_release(&slice);
}

static int on_event(void *arg, const struct kube_event *event, struct err *err)
{
    struct outcome *out = arg;
    struct kube_replicaset set;
    struct kube_meta meta;

    (void)err;
    HOLDS(json_type(event->doc, event->object) == JSON_OBJECT);
    out->events++;
    out->hash += (uint64_t)event->type;
    if (kube_read_meta(event->doc, event->object, &meta, NULL) == 0) {
        HOLDS(meta.uid[0]);
        mix(out, meta.uid, sizeof(meta.uid));
        mix(out, meta.version, sizeof(meta.version));
    }
    read_pod(out, event);
    read_deployment(out, event);
    read_slice(event);
    if (kube_read_replicaset(event->doc, event->object, &set, NULL) == 0)
        mix(out, set.owner, sizeof(set.owner));
    return 0;
}

static struct outcome feed(const char *data, size_t size, struct cuts *cuts)
{
    static struct json_doc *doc;
    struct outcome out = {0};
    struct kube_events events = {.on_event = on_event, .arg = &out};
    size_t at = 0;

    if (!doc)
        doc = json_doc_new(VALUES_MAX);
    HOLDS(doc);
    events.doc = doc;
    kube_events_begin(&events);
    while (at < size && !out.bad) {
        size_t n = cuts ? cuts_next(cuts, size - at) : size;
        char *window = exact_copy(data + at, n);

        out.bad = kube_events_feed(&events, window, n, NULL) != 0;
        free(window);
        at += n;
    }
    kube_events_release(&events);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cuts cuts = cuts_of(data, size);
    struct outcome whole = feed((const char *)data, size, NULL);
    struct outcome cut = feed((const char *)data, size, &cuts);

    HOLDS(whole.bad == cut.bad && whole.events == cut.events && whole.hash == cut.hash);
    return 0;
}
