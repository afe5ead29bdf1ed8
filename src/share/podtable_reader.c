/* SPDX-License-Identifier: MIT */
/*
 * A worker's side of the pod table: a private copy of the list, renewed when the generation has changed. All
 * lengths and numbers are clamped as they are read: while the writer overtakes, anything may stand there.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "podtable_layout.h"

#define READ_ATTEMPTS 8 /* then the old snapshot serves on: the loop must not spin behind a writer that never rests */

static int check_header(const struct shm_object *object, struct err *err)
{
    const struct podtable_header *header = object->map;

    if (header->magic != PODTABLE_MAGIC)
        return err_set(err, "this is no pod table");
    if (header->layout != PODTABLE_LAYOUT)
        return err_set(err, "layout %u, should be %u", header->layout, PODTABLE_LAYOUT);
    if (header->max_pods == 0 || header->max_pods > PODTABLE_PODS_LIMIT)
        return err_set(err, "%u pods, should be 1 to %u", header->max_pods, PODTABLE_PODS_LIMIT);
    if (header->bytes != object->bytes || header->bytes != podtable_bytes(header->max_pods))
        return err_set(err, "%zu bytes, should be %zu for %u pods", object->bytes, podtable_bytes(header->max_pods),
                       header->max_pods);
    return 0;
}

struct podtable_reader *podtable_attach(int fd, struct err *err)
{
    struct podtable_reader *reader = calloc(1, sizeof(*reader));

    if (!reader) {
        err_set(err, "pod table: out of memory");
        return NULL;
    }
    reader->current = calloc(1, sizeof(*reader->current));
    if (!reader->current) {
        err_set(err, "pod table: out of memory");
        podtable_detach(reader);
        return NULL;
    }
    if (shm_object_attach(&reader->object, fd, PROT_READ, sizeof(struct podtable_header), err) < 0 ||
        check_header(&reader->object, err) < 0) {
        err_context(err, "pod table");
        podtable_detach(reader);
        return NULL;
    }
    reader->header = reader->object.map;
    reader->max_pods = reader->header->max_pods;
    return reader;
}

static void release_list(struct podtable_list *list)
{
    free(list->pods);
    free(list->by_name);
    free(list->by_addr);
    *list = (struct podtable_list){0};
}

static void free_list(struct podtable_list *list)
{
    if (!list)
        return;
    must(list->holders == 0);
    release_list(list);
    free(list);
}

void podtable_detach(struct podtable_reader *reader)
{
    if (!reader)
        return;
    free_list(reader->current);
    free_list(reader->spare);
    shm_object_release(&reader->object);
    free(reader);
}

bool podtable_reader_changed(const struct podtable_reader *reader)
{
    return latch_read_begin(&reader->header->latch) != reader->current->view.generation;
}

/* Room for `n` pods. The list's old content is not kept: it is the one that is not in use. No leak: the reader has the
 * list, and podtable_detach() frees it. */
ANALYZER_LEAKS_OFF
static int make_room(struct podtable_list *list, size_t n)
{
    size_t room = n + n / 4 + 8;

    if (n <= list->room)
        return 0;
    release_list(list);
    list->pods = calloc(room, sizeof(*list->pods));
    list->by_name = calloc(room, sizeof(*list->by_name));
    list->by_addr = calloc(room, sizeof(*list->by_addr));
    if (!list->pods || !list->by_name || !list->by_addr) {
        release_list(list);
        return -1;
    }
    list->room = room;
    return 0;
}
ANALYZER_LEAKS_ON

static void load_words(void *to, const _Atomic uint64_t *from, size_t words)
{
    unsigned char *bytes = to;

    for (size_t i = 0; i < words; i++) {
        uint64_t word = atomic_load_explicit(&from[i], memory_order_relaxed);

        memcpy(bytes + i * WORD_BYTES, &word, WORD_BYTES);
    }
}

static uint32_t below(uint32_t number, size_t n)
{
    return number < n ? number : (uint32_t)n - 1;
}

static void load_pod(struct podtable_list *list, size_t i, size_t n, const _Atomic uint64_t *words)
{
    struct podtable_pod *pod = &list->pods[i];
    struct podtable_entry entry;
    size_t len;

    load_words(&entry, words, ENTRY_HEAD_WORDS);
    len = entry.name_len <= PODTABLE_NAME_MAX ? entry.name_len : PODTABLE_NAME_MAX;
    load_words(entry.name, words + ENTRY_HEAD_WORDS, podtable_name_words(len));
    pod->id = entry.id;
    pod->addr.family = entry.family == 4 || entry.family == 6 ? entry.family : 0;
    memcpy(pod->addr.bytes, entry.addr, sizeof(entry.addr));
    pod->port = entry.port;
    pod->state = entry.state < PODTABLE_STATES ? entry.state : PODTABLE_UNKNOWN;
    pod->counts = entry.counts == 1;
    memcpy(pod->name, entry.name, len);
    pod->name[len] = '\0';
    list->by_name[i] = below(entry.by_name, n);
    list->by_addr[i] = below(entry.by_addr, n);
}

static enum podtable_read read_once(struct podtable_reader *reader, struct podtable_list *list)
{
    uint64_t generation = latch_read_begin(&reader->header->latch);
    const char *at = (const char *)reader->object.map + podtable_copy_at(reader->max_pods, latch_copy(generation));
    const struct podtable_copy *copy = (const void *)at;
    uint64_t count = atomic_load_explicit(&copy->count, memory_order_relaxed);
    size_t n = count <= reader->max_pods ? (size_t)count : reader->max_pods;

    if (make_room(list, n) < 0)
        return PODTABLE_READ_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        load_pod(list, i, n, &copy->words[i * ENTRY_WORDS]);
    if (!latch_read_valid(&reader->header->latch, generation))
        return PODTABLE_READ_OVERTAKEN;
    list->view = (struct podtable_snapshot){
        .generation = generation,
        .n = n,
        .pods = list->pods,
        .by_name = list->by_name,
        .by_addr = list->by_addr,
    };
    return PODTABLE_READ_DONE;
}

/* Fills the spare list and takes it in turn. The one before becomes the spare, unless it is held: its holders have it
 * then. */
static enum podtable_read read_list(struct podtable_reader *reader)
{
    enum podtable_read result;
    int attempts = READ_ATTEMPTS;
    struct podtable_list *before = reader->current;

    if (!reader->spare)
        reader->spare = calloc(1, sizeof(*reader->spare));
    if (!reader->spare)
        return PODTABLE_READ_NO_MEMORY;
    do
        result = read_once(reader, reader->spare);
    while (result == PODTABLE_READ_OVERTAKEN && --attempts > 0);
    if (result != PODTABLE_READ_DONE)
        return result;
    reader->current = reader->spare;
    reader->spare = before->holders > 0 ? NULL : before;
    return result;
}

enum podtable_read podtable_reader_snapshot(struct podtable_reader *reader, const struct podtable_snapshot **snapshot)
{
    enum podtable_read result = PODTABLE_READ_DONE;

    if (podtable_reader_changed(reader))
        result = read_list(reader);
    *snapshot = &reader->current->view;
    return result;
}

/* Where the list of that snapshot is held, or, for NULL, a free place; NULL if there is none. */
static struct podtable_list **find_held(struct podtable_reader *reader, const struct podtable_snapshot *snapshot)
{
    for (size_t i = 0; i < PODTABLE_HELD_MAX; i++)
        if (snapshot ? reader->held[i] && &reader->held[i]->view == snapshot : !reader->held[i])
            return &reader->held[i];
    return NULL;
}

const struct podtable_snapshot *podtable_snapshot_hold(struct podtable_reader *reader)
{
    struct podtable_list *list = reader->current;

    if (list->holders == 0) {
        struct podtable_list **place = find_held(reader, NULL);

        if (!place)
            return NULL;
        *place = list;
    }
    list->holders++;
    return &list->view;
}

void podtable_snapshot_drop(struct podtable_reader *reader, const struct podtable_snapshot *snapshot)
{
    struct podtable_list **place, *list;

    if (!snapshot)
        return;
    place = find_held(reader, snapshot);
    must(place);
    list = *place;
    if (--list->holders > 0)
        return;
    *place = NULL;
    if (list == reader->current)
        return;
    if (!reader->spare)
        reader->spare = list; /* its memory is warm: touching so much anew costs more than filling it */
    else
        free_list(list);
}

int64_t podtable_read_age(const struct podtable_reader *reader, int64_t now_ns)
{
    int64_t at = atomic_load_explicit(&reader->header->read_at_ns, memory_order_relaxed);

    if (at == 0)
        return -1;
    /* The caller's clock is read once a turn: the master may have read the source since. */
    return now_ns > at ? now_ns - at : 0;
}

struct podtable_scrapes podtable_scrapes(const struct podtable_reader *reader)
{
    struct podtable_scrapes scrapes;
    uint64_t last;

    /* The end first: the two are no pair, but `ended` is never ahead of `begun` in this order. */
    scrapes.ended = atomic_load_explicit(&reader->header->scrapes_ended, memory_order_acquire);
    scrapes.begun = atomic_load_explicit(&reader->header->scrapes_begun, memory_order_acquire);
    last = atomic_load_explicit(&reader->header->last_scrape, memory_order_acquire);
    scrapes.last = last == PODTABLE_SCRAPE_TOO_MANY ? PODTABLE_SCRAPE_TOO_MANY : PODTABLE_SCRAPE_OK;
    return scrapes;
}

/* ---- finding ---- */

/* strcmp() order of a slice, which holds no NUL, and a C string. */
static int compare_name(const char *name, size_t len, const char *other)
{
    size_t other_len = strlen(other);
    int order = memcmp(name, other, len < other_len ? len : other_len);

    return order ? order : (len > other_len) - (len < other_len);
}

const struct podtable_pod *podtable_find_name(const struct podtable_snapshot *snapshot, const char *name, size_t len)
{
    size_t low = 0, high = snapshot->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (compare_name(name, len, snapshot->pods[snapshot->by_name[mid]].name) > 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == snapshot->n || compare_name(name, len, snapshot->pods[snapshot->by_name[low]].name) != 0)
        return NULL;
    return &snapshot->pods[snapshot->by_name[low]];
}

static int compare_addr(const struct addr *a, const struct addr *b)
{
    int order = (int)a->family - (int)b->family;

    return order ? order : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

const struct podtable_pod *podtable_find_addr(const struct podtable_snapshot *snapshot, const struct addr *addr)
{
    size_t low = 0, high = snapshot->n;

    if (addr->family == 0)
        return NULL; /* pods without an address are not "at" it */
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (compare_addr(addr, &snapshot->pods[snapshot->by_addr[mid]].addr) > 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == snapshot->n || compare_addr(addr, &snapshot->pods[snapshot->by_addr[low]].addr) != 0)
        return NULL;
    return &snapshot->pods[snapshot->by_addr[low]];
}
