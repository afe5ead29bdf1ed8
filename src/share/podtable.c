/* SPDX-License-Identifier: MIT */
/* The master's side of the pod table: making it and publishing lists. The workers' side is podtable_reader.c. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "podtable_layout.h"

static const char *const state_names[PODTABLE_STATES] = {
    [PODTABLE_PENDING] = "pending",         [PODTABLE_READY] = "ready",   [PODTABLE_UNREADY] = "unready",
    [PODTABLE_TERMINATING] = "terminating", [PODTABLE_FAILED] = "failed", [PODTABLE_UNKNOWN] = "unknown",
};

const char *podtable_state_name(unsigned state)
{
    return state_names[state < PODTABLE_STATES ? state : PODTABLE_UNKNOWN];
}

struct podtable *podtable_create(uint32_t max_pods, struct err *err)
{
    struct podtable *table = NULL;
    struct podtable_header *header;

    if (max_pods == 0 || max_pods > PODTABLE_PODS_LIMIT) {
        err_set(err, "pod table: %u pods: should be 1 to %u", max_pods, PODTABLE_PODS_LIMIT);
        return NULL;
    }
    table = calloc(1, sizeof(*table));
    if (table)
        table->order = calloc(max_pods, sizeof(const struct podtable_pod *));
    if (!table || !table->order) {
        err_set(err, "pod table: out of memory");
        goto failed;
    }
    if (shm_object_create(&table->object, podtable_bytes(max_pods), err) < 0) {
        err_context(err, "pod table");
        goto failed;
    }
    header = table->header = table->object.map;
    header->magic = PODTABLE_MAGIC;
    header->layout = PODTABLE_LAYOUT;
    header->bytes = table->object.bytes;
    table->max_pods = header->max_pods = max_pods;
    return table;
failed:
    if (table)
        free(table->order);
    free(table);
    return NULL;
}

void podtable_free(struct podtable *table)
{
    if (!table)
        return;
    shm_object_release(&table->object);
    free(table->order);
    free(table);
}

int podtable_worker_fd(const struct podtable *table)
{
    return table->object.fd_ro;
}

/* ---- the two orders ---- */

static int by_preference(const struct podtable_pod *a, const struct podtable_pod *b)
{
    if (a->counts != b->counts)
        return a->counts ? -1 : 1;
    if ((a->state == PODTABLE_FAILED) != (b->state == PODTABLE_FAILED))
        return a->state == PODTABLE_FAILED ? 1 : -1;
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_names(const void *a, const void *b)
{
    const struct podtable_pod *const *x = a, *const *y = b;
    int order = strcmp((*x)->name, (*y)->name);

    return order ? order : by_preference(*x, *y);
}

static int compare_addrs(const void *a, const void *b)
{
    const struct podtable_pod *const *x = a, *const *y = b;
    int order = (int)(*x)->addr.family - (int)(*y)->addr.family;

    if (order == 0)
        order = memcmp((*x)->addr.bytes, (*y)->addr.bytes, sizeof((*x)->addr.bytes));
    return order ? order : by_preference(*x, *y);
}

static void sort(struct podtable *table, const struct podtable_pod *pods, size_t n,
                 int (*compare)(const void *, const void *))
{
    for (size_t i = 0; i < n; i++)
        table->order[i] = &pods[i];
    qsort(table->order, n, sizeof(const struct podtable_pod *), compare);
}

/* ---- publishing ---- */

static void store_words(_Atomic uint64_t *to, const void *from, size_t words)
{
    const unsigned char *bytes = from;

    for (size_t i = 0; i < words; i++) {
        uint64_t word;

        memcpy(&word, bytes + i * WORD_BYTES, WORD_BYTES);
        atomic_store_explicit(&to[i], word, memory_order_relaxed);
    }
}

static void pack(struct podtable_entry *entry, const struct podtable_pod *pod)
{
    size_t len = strlen(pod->name);

    *entry = (struct podtable_entry){
        .id = pod->id,
        .family = pod->addr.family,
        .state = pod->state,
        .counts = pod->counts,
        .name_len = (uint8_t)len,
        .port = pod->port,
    };
    memcpy(entry->addr, pod->addr.bytes, sizeof(entry->addr));
    memcpy(entry->name, pod->name, len);
}

/* The word that holds both index numbers of an entry. */
#define INDEX_WORD (offsetof(struct podtable_entry, by_name) / WORD_BYTES)
_Static_assert(offsetof(struct podtable_entry, by_name) % WORD_BYTES == 0 &&
                   offsetof(struct podtable_entry, by_addr) == offsetof(struct podtable_entry, by_name) + 4,
               "both indexes make one word");

static void store_index(struct podtable_copy *copy, size_t k, uint32_t by_name, uint32_t by_addr)
{
    uint32_t both[2] = {by_name, by_addr};

    store_words(&copy->words[k * ENTRY_WORDS + INDEX_WORD], both, 1);
}

static uint32_t stored_by_name(const struct podtable_copy *copy, size_t k)
{
    uint64_t word = atomic_load_explicit(&copy->words[k * ENTRY_WORDS + INDEX_WORD], memory_order_relaxed);
    uint32_t both[2];

    memcpy(both, &word, sizeof(both));
    return both[0];
}

void podtable_fill(struct podtable *table, const struct podtable_pod *pods, size_t n)
{
    unsigned which = latch_begin_write(&table->header->latch);
    char *at = (char *)table->object.map + podtable_copy_at(table->max_pods, which);
    struct podtable_copy *copy = (void *)at;
    struct podtable_entry entry;

    must(n <= table->max_pods);
    atomic_store_explicit(&copy->count, n, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        pack(&entry, &pods[i]);
        store_words(&copy->words[i * ENTRY_WORDS], &entry, ENTRY_HEAD_WORDS + podtable_name_words(entry.name_len));
    }
    sort(table, pods, n, compare_names);
    for (size_t k = 0; k < n; k++)
        store_index(copy, k, (uint32_t)(table->order[k] - pods), 0);
    sort(table, pods, n, compare_addrs);
    for (size_t k = 0; k < n; k++)
        store_index(copy, k, stored_by_name(copy, k), (uint32_t)(table->order[k] - pods));
}

static int check_pod(const struct podtable_pod *pod, size_t i, struct err *err)
{
    size_t len = strnlen(pod->name, sizeof(pod->name));

    if (len == 0 || len > PODTABLE_NAME_MAX)
        return err_set(err, "pod table: pod %zu: its name should have 1 to %d bytes", i, PODTABLE_NAME_MAX);
    if (pod->id == 0)
        return err_set(err, "pod table: pod %s has no id", pod->name);
    if (pod->state >= PODTABLE_STATES)
        return err_set(err, "pod table: pod %s: %u is no state", pod->name, pod->state);
    if (pod->addr.family != 0 && pod->addr.family != 4 && pod->addr.family != 6)
        return err_set(err, "pod table: pod %s: address family %u, should be 4, 6 or 0 (none)", pod->name,
                       pod->addr.family);
    return 0;
}

/* Release: who reads that the list is complete again finds that list in the table. */
static void note_outcome(struct podtable *table, enum podtable_scrape outcome)
{
    atomic_store_explicit(&table->header->last_scrape, (uint64_t)outcome, memory_order_release);
}

int podtable_publish(struct podtable *table, const struct podtable_pod *pods, size_t n, int64_t now_ns, struct err *err)
{
    if (n > table->max_pods) {
        note_outcome(table, PODTABLE_SCRAPE_TOO_MANY);
        return err_set(err, "pod table: %zu pods, more than max_pods (%u)", n, table->max_pods);
    }
    for (size_t i = 0; i < n; i++)
        if (check_pod(&pods[i], i, err) < 0)
            return -1;
    podtable_fill(table, pods, n);
    /* The time first: who sees the new generation must not see it without a time, or with that of the old
     * list. */
    podtable_touch(table, now_ns);
    latch_publish(&table->header->latch);
    note_outcome(table, PODTABLE_SCRAPE_OK);
    return 0;
}

void podtable_touch(struct podtable *table, int64_t now_ns)
{
    atomic_store_explicit(&table->header->read_at_ns, now_ns, memory_order_relaxed);
}

uint64_t podtable_generation(const struct podtable *table)
{
    return latch_read_begin(&table->header->latch);
}

/* One writer, so adding needs no locked instruction. Release: what the scrape brought is visible before its
 * end is. */
static void count_up(_Atomic uint64_t *counter)
{
    uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, old + 1, memory_order_release);
}

void podtable_scrape_begin(struct podtable *table)
{
    count_up(&table->header->scrapes_begun);
}

void podtable_scrape_end(struct podtable *table, enum podtable_scrape outcome)
{
    /* A read that failed tells nothing about how long the list is. */
    if (outcome != PODTABLE_SCRAPE_FAILED)
        note_outcome(table, outcome);
    count_up(&table->header->scrapes_ended);
}
