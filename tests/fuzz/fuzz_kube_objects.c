/* SPDX-License-Identifier: MIT */
/*
 * Lists of the API server and the objects in them, down to the pods that count. The same objects, or the same
 * refusal, whether a list comes whole, byte by byte or cut as the input says; one that breaks off is never a
 * list; nothing leaves its bounds; and as long as there is a pod that may count one does.
 *
 * An input is a line and, behind it, lists parted by lines of dashes: EndpointSlices where the line begins
 * with E, else ReplicaSets and then pods, selected by the filter `all` (A) or by scope (R revision, else
 * deployment). The letters behind the first say where lists are cut: a-z after 1 to 26 bytes, A-Z after 64
 * times as many; the rest comes at once. The Deployment's uid is "d", its revision "2".
 */
#include <config.h>

#include <stdbool.h>

#include <syncer/base/macros.h>

#include "../../src/pods/kube_list.h"
#include "../../src/pods/kube_select.h"
#include "../../src/pods/kube_slice.h"
#include "fuzz.h"

#define BORDER "\n----\n"
#define VALUES_MAX 4096
#define PODS_MAX 8
#define ENDPOINTS_MAX 64

enum cutting { WHOLE, BYTE_BY_BYTE, AS_TOLD };

struct input {
    const char *cuts, *cuts_end; /* the letters */
    const char *text;            /* a list */
    size_t len;
};

/* What is made of lists. */
struct world {
    struct kube_selection selection;
    struct source_pod endpoints[ENDPOINTS_MAX];
    size_t n_endpoints;
    uint64_t hash; /* of all that was read */
};

static struct json_doc *doc;

static void mix(struct world *world, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        world->hash = (world->hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    world->hash += len + 1;
}

static void mix_text(struct world *world, const char *text, size_t room)
{
    size_t len = strnlen(text, room);

    HOLDS(len < room);
    mix(world, text, len);
}

/* --- objects --- */

static int on_set(void *arg, const struct json_doc *item, struct err *err)
{
    static const struct kube_deployment deployment = {.uid = "d", .revision = "2"};
    struct world *world = arg;
    struct kube_replicaset set;

    if (kube_read_replicaset(item, 0, &set, err) != 0)
        return -1;
    HOLDS(set.uid[0]);
    mix_text(world, set.uid, sizeof(set.uid));
    mix_text(world, set.owner, sizeof(set.owner));
    mix_text(world, set.revision, sizeof(set.revision));
    return kube_selection_add_set(&world->selection, &deployment, &set, err);
}

static int on_pod(void *arg, const struct json_doc *item, struct err *err)
{
    struct world *world = arg;
    struct kube_pod pod;
    struct kube_meta meta;

    if (kube_read_pod(item, 0, &pod, err) != 0 || kube_read_meta(item, 0, &meta, err) != 0)
        return -1;
    HOLDS(pod.name[0] && pod.uid[0] && strcmp(pod.uid, meta.uid) == 0);
    HOLDS(pod.addr.family == 0 || pod.addr.family == 4 || pod.addr.family == 6);
    HOLDS((unsigned)pod.state <= SOURCE_UNKNOWN);
    mix_text(world, pod.name, sizeof(pod.name));
    mix_text(world, pod.uid, sizeof(pod.uid));
    mix_text(world, pod.owner, sizeof(pod.owner));
    mix_text(world, meta.version, sizeof(meta.version));
    mix(world, &pod.addr.family, sizeof(pod.addr.family));
    mix(world, pod.addr.bytes, pod.addr.family == 4 ? 4 : pod.addr.family ? 16 : 0);
    mix(world, &pod.state, sizeof(pod.state));
    return kube_selection_add_pod(&world->selection, &pod, err);
}

static void add_endpoint(struct world *world, const struct kube_endpoint *endpoint)
{
    struct source_pod *pod = &world->endpoints[world->n_endpoints];

    HOLDS(endpoint->name[0] && (endpoint->addr.family == 4 || endpoint->addr.family == 6));
    mix_text(world, endpoint->name, sizeof(endpoint->name));
    mix_text(world, endpoint->uid, sizeof(endpoint->uid));
    mix(world, endpoint->addr.bytes, endpoint->addr.family == 4 ? 4 : 16);
    mix(world, &endpoint->state, sizeof(endpoint->state));
    if (world->n_endpoints == ENDPOINTS_MAX)
        return;
    memcpy(pod->name, endpoint->name, sizeof(pod->name));
    memcpy(pod->uid, endpoint->uid, sizeof(pod->uid));
    pod->addr = endpoint->addr;
    pod->state = endpoint->state;
    pod->counts = endpoint->state == SOURCE_READY;
    world->n_endpoints++;
}

static int on_slice(void *arg, const struct json_doc *item, struct err *err)
{
    struct kube_slice slice;

    if (kube_read_slice(item, 0, &slice, err) != 0) {
        HOLDS(!slice.endpoints && slice.n == 0);
        return -1;
    }
    HOLDS(slice.n <= KUBE_SLICE_ENDPOINTS && (slice.n > 0) == (slice.endpoints != NULL));
    for (size_t i = 0; i < slice.n; i++)
        add_endpoint(arg, &slice.endpoints[i]);
    kube_slice_release(&slice);
    return 0;
}

/* --- lists --- */

static size_t next_piece(const struct input *in, enum cutting cutting, const char **cut, size_t left)
{
    char letter = *cut < in->cuts_end ? *(*cut)++ : '\0';
    size_t n = left;

    if (cutting == BYTE_BY_BYTE)
        n = 1;
    else if (cutting == AS_TOLD && letter >= 'a' && letter <= 'z')
        n = (size_t)(letter - 'a') + 1;
    else if (cutting == AS_TOLD && letter >= 'A' && letter <= 'Z')
        n = ((size_t)(letter - 'A') + 1) * 64;
    return n < left ? n : left;
}

/* 0, or -1 with the reason. *end is where the list was complete. */
static int feed(struct kube_list *list, const struct input *in, enum cutting cutting, size_t *end, struct err *err)
{
    const char *cut = in->cuts;
    int rc = 0;

    *end = in->len;
    for (size_t at = 0, n; at < in->len && rc == 0; at += n) {
        bool ended = list->ended;
        char *piece;

        n = next_piece(in, cutting, &cut, in->len - at);
        piece = exact_copy(in->text + at, n);
        rc = kube_list_feed(list, piece, n, err);
        free(piece);
        HOLDS(list->stream.piece.len <= in->len && list->next->len < KUBE_CONTINUE_MAX_BYTES);
        if (list->ended && !ended)
            *end = at + n;
    }
    return rc == 0 ? kube_list_end(list, err) : rc;
}

/* The list's own marks go into the hash behind those of its objects. */
static int read_list(struct world *world, const struct input *in, const char *kind, enum cutting cutting, size_t *end,
                     struct err *err)
{
    struct kube_list list = {.kind = kind, .doc = doc, .arg = world};
    struct buf next;
    int rc;

    list.on_item = kind[0] == 'R' ? on_set : kind[0] == 'P' ? on_pod : on_slice;
    buf_init(&next, KUBE_CONTINUE_MAX_BYTES);
    list.next = &next;
    kube_list_begin(&list);
    rc = feed(&list, in, cutting, end, err);
    HOLDS(rc == 0 || err->text[0]);
    mix(world, next.data, next.len);
    mix_text(world, list.version, sizeof(list.version));
    kube_list_release(&list);
    buf_release(&next);
    return rc;
}

/* How far the world is. */
struct mark {
    size_t sets, pods, endpoints;
    uint64_t hash;
};

static struct mark mark_of(const struct world *world)
{
    return (struct mark){world->selection.n_sets, world->selection.n, world->n_endpoints, world->hash};
}

static void go_back(struct world *world, const struct mark *mark)
{
    world->selection.n_sets = mark->sets;
    world->selection.n = mark->pods;
    world->n_endpoints = mark->endpoints;
    world->hash = mark->hash;
}

static bool is_same(const struct mark *a, const struct mark *b)
{
    return a->sets == b->sets && a->pods == b->pods && a->endpoints == b->endpoints && a->hash == b->hash;
}

/* 0, or -1: it was refused, each time for the same reason. What each reading puts into the world is the same. */
static int try_list(struct world *world, const struct input *in, const char *kind)
{
    struct mark before = mark_of(world), after, now;
    struct err err = {""}, again = {""};
    struct input part = *in;
    size_t end;
    int rc = read_list(world, in, kind, WHOLE, &end, &err);

    after = mark_of(world);
    for (int cutting = AS_TOLD; cutting >= BYTE_BY_BYTE; cutting--) {
        go_back(world, &before);
        HOLDS(read_list(world, in, kind, (enum cutting)cutting, &end, &again) == rc);
        now = mark_of(world);
        HOLDS(is_same(&now, &after) && strcmp(err.text, again.text) == 0);
    }
    if (rc == 0) { /* `end` is its last brace */
        go_back(world, &before);
        part.len = (size_t)(after.hash % end);
        HOLDS(read_list(world, &part, kind, WHOLE, &end, &again) != 0);
    }
    go_back(world, &after);
    return rc;
}

/* --- pods --- */

static bool may_count(const struct kube_selection *selection, const struct source_pod *pod)
{
    return pod->addr.family != 0 && (pod->state == SOURCE_READY || selection->rules.filter == CONF_FILTER_ALL);
}

static void check_selection(struct kube_selection *selection)
{
    size_t counting = 0, candidates = 0;

    HOLDS(selection->n <= PODS_MAX);
    kube_selection_finish(selection);
    for (size_t i = 0; i < selection->n; i++) {
        const struct source_pod *pod = &selection->pods[i];

        HOLDS(!pod->counts || may_count(selection, pod));
        counting += pod->counts;
        candidates += may_count(selection, pod);
    }
    HOLDS(selection->rules.scope == CONF_SCOPE_REVISION ? (counting > 0) == (candidates > 0) : counting == candidates);
}

static void check_endpoints(struct world *world)
{
    size_t before = 0, after = 0, n;

    for (size_t i = 0; i < world->n_endpoints; i++)
        before += world->endpoints[i].counts;
    n = kube_slice_merge(world->endpoints, world->n_endpoints);
    HOLDS(n <= world->n_endpoints && (n > 0) == (world->n_endpoints > 0));
    for (size_t i = 0; i < n; i++) {
        const struct source_pod *pod = &world->endpoints[i], *next = pod + 1;

        HOLDS(!pod->counts || pod->state == SOURCE_READY);
        HOLDS(i + 1 == n || strcmp(pod->name, next->name) != 0 || strcmp(pod->uid, next->uid) != 0 ||
              (pod->addr.family == next->addr.family && !addr_equal(&pod->addr, &next->addr)));
        after += pod->counts;
    }
    HOLDS(after <= before);
}

/* --- an input --- */

/* The part up to the border, or all that is left. */
static struct input next_list(struct input *rest)
{
    const char *border = rest->len > 0 ? memmem(rest->text, rest->len, BORDER, strlen(BORDER)) : NULL;
    struct input list = *rest;

    list.len = border ? (size_t)(border - rest->text) : rest->len;
    rest->text += list.len + (border ? strlen(BORDER) : 0);
    rest->len -= list.len + (border ? strlen(BORDER) : 0);
    return list;
}

static void select_pods(struct world *world, struct input *rest)
{
    struct input sets = next_list(rest), pods = next_list(rest);

    if (try_list(world, &sets, "ReplicaSetList") == 0 && try_list(world, &pods, "PodList") == 0)
        check_selection(&world->selection);
}

static void merge_slices(struct world *world, struct input *rest)
{
    while (rest->len > 0) {
        struct input slices = next_list(rest);

        if (try_list(world, &slices, "EndpointSliceList") != 0)
            return;
    }
    check_endpoints(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    const char *text = (const char *)data, *line_end = size > 0 ? memchr(data, '\n', size) : NULL;
    static const struct kube_rules rules = {.max_pods = PODS_MAX};
    struct input rest;

    if (!line_end || line_end == text)
        return 0;
    if (!doc) { /* kept: making them would take most of the time */
        doc = json_doc_new(VALUES_MAX);
        HOLDS(doc && kube_selection_init(&world.selection, &rules) == 0);
    }
    kube_selection_clear(&world.selection);
    world.n_endpoints = 0;
    world.hash = 1;
    world.selection.rules.filter = text[0] == 'A' ? CONF_FILTER_ALL : CONF_FILTER_READY;
    world.selection.rules.scope = text[0] == 'R' ? CONF_SCOPE_REVISION : CONF_SCOPE_DEPLOYMENT;
    rest = (struct input){text + 1, line_end, line_end + 1, size - (size_t)(line_end + 1 - text)};
    if (text[0] == 'E')
        merge_slices(&world, &rest);
    else
        select_pods(&world, &rest);
    return 0;
}
