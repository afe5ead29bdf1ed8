/* SPDX-License-Identifier: MIT */
/* A dense array with chains over it: iterated whole at each selection, found by uid at each event. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "kube_records.h"

#define NO_RECORD UINT32_MAX

static struct kube_record *at(const struct kube_records *records, size_t i)
{
    return (struct kube_record *)(void *)(records->data + i * records->size);
}

/* FNV-1a. The uids come from the API server, which makes them at random. */
static uint32_t *head_of(const struct kube_records *records, const char *uid)
{
    uint32_t hash = UINT32_C(2166136261);

    for (; *uid; uid++)
        hash = (hash ^ (unsigned char)*uid) * UINT32_C(16777619);
    return &records->heads[hash % records->n_heads];
}

static uint32_t find(const struct kube_records *records, const char *uid)
{
    uint32_t i = *head_of(records, uid);

    while (i != 0 && strcmp(at(records, i - 1)->uid, uid) != 0)
        i = at(records, i - 1)->next;
    return i == 0 ? NO_RECORD : i - 1;
}

/* The link that leads to record i. */
static uint32_t *link_to(const struct kube_records *records, uint32_t i)
{
    uint32_t *link = head_of(records, at(records, i)->uid);

    while (*link != i + 1)
        link = &at(records, *link - 1)->next;
    return link;
}

/* The last record takes its place. */
static void delete_at(struct kube_records *records, uint32_t i)
{
    struct kube_record *record = at(records, i);
    uint32_t last = (uint32_t)records->n - 1;

    *link_to(records, i) = record->next;
    if (records->drop)
        records->drop(record);
    if (i != last) {
        *link_to(records, last) = i + 1;
        memcpy(record, at(records, last), records->size);
    }
    records->n--;
}

int kube_records_init(struct kube_records *records, size_t size, size_t room, void (*drop)(struct kube_record *))
{
    *records = (struct kube_records){
        .data = calloc(room, size),
        .size = size,
        .room = room,
        .heads = calloc(room, sizeof(*records->heads)),
        .n_heads = (uint32_t)room,
        .drop = drop,
    };
    return records->data && records->heads ? 0 : -1;
}

void kube_records_clear(struct kube_records *records)
{
    while (records->n > 0)
        delete_at(records, (uint32_t)records->n - 1);
    records->listing = records->news = false;
}

void kube_records_release(struct kube_records *records)
{
    if (records->data && records->heads)
        kube_records_clear(records);
    free(records->data);
    free(records->heads);
    *records = (struct kube_records){0};
}

uint64_t kube_version_number(const char *version)
{
    size_t digits = strspn(version, "0123456789");

    /* Up to 19 digits are below 2^64. */
    if (digits == 0 || digits > 19 || version[digits] != '\0')
        return 0;
    return strtoull(version, NULL, 10);
}

static bool is_older(uint64_t a, uint64_t b)
{
    return a != 0 && b != 0 && a < b;
}

/* Puts it in the place of `old`, or behind all others. */
static enum kube_put put(struct kube_records *records, const struct kube_record *record, uint32_t old, uint32_t seen,
                         uint32_t told)
{
    struct kube_record *to;
    uint32_t *head;

    if (old == NO_RECORD && records->n == records->room)
        return KUBE_PUT_FULL;
    if (old == NO_RECORD) {
        to = at(records, records->n);
        memcpy(to, record, records->size);
        head = head_of(records, record->uid);
        to->next = *head;
        *head = (uint32_t)++records->n;
    } else {
        uint32_t next = at(records, old)->next;

        to = at(records, old);
        if (records->drop)
            records->drop(to);
        memcpy(to, record, records->size);
        to->next = next;
    }
    to->seen = seen;
    to->told = told;
    to->gone = false;
    return KUBE_PUT_CHANGED;
}

static bool is_same(const struct kube_record *a, const struct kube_record *b)
{
    return a->version != 0 && a->version == b->version;
}

enum kube_put kube_records_put_listed(struct kube_records *records, const struct kube_record *record)
{
    uint32_t i = find(records, record->uid);
    struct kube_record *old = i == NO_RECORD ? NULL : at(records, i);
    enum kube_put result;

    if (old) {
        bool keep = is_same(record, old) || (old->told == records->list && !is_older(old->version, record->version));

        if (old->gone)
            keep = !is_older(old->version, record->version);
        old->seen = records->list;
        if (keep)
            return KUBE_PUT_SAME;
    }
    result = put(records, record, i, records->list, old ? old->told : 0);
    records->news |= result == KUBE_PUT_CHANGED;
    return result;
}

enum kube_put kube_records_put_watched(struct kube_records *records, const struct kube_record *record)
{
    uint32_t i = find(records, record->uid), told = records->listing ? records->list : 0;
    struct kube_record *old = i == NO_RECORD ? NULL : at(records, i);

    if (old && is_older(record->version, old->version))
        return KUBE_PUT_SAME;
    if (old && is_same(record, old)) {
        old->told = told;
        return KUBE_PUT_SAME;
    }
    return put(records, record, i, old ? old->seen : 0, told);
}

bool kube_records_remove(struct kube_records *records, const char *uid, uint64_t version)
{
    uint32_t i = find(records, uid);
    struct kube_record *record = i == NO_RECORD ? NULL : at(records, i);

    if (!record || record->gone || is_older(version, record->version))
        return false;
    if (records->listing) {
        record->gone = true;
        record->version = version;
    } else {
        delete_at(records, i);
    }
    return true;
}

void kube_records_list_begin(struct kube_records *records)
{
    kube_records_list_abort(records);
    records->list++;
    records->listing = true;
    records->news = false;
}

/* Is it there after a list of that version? */
static bool stays(const struct kube_records *records, const struct kube_record *record, uint64_t version)
{
    if (record->gone)
        return false;
    return record->seen == records->list ||
           (record->told == records->list && (version == 0 || record->version == 0 || record->version > version));
}

bool kube_records_list_end(struct kube_records *records, uint64_t version)
{
    for (size_t i = records->n; i > 0; i--) {
        const struct kube_record *record = at(records, i - 1);

        if (stays(records, record, version))
            continue;
        records->news |= !record->gone;
        delete_at(records, (uint32_t)i - 1);
    }
    records->listing = false;
    return records->news;
}

void kube_records_list_abort(struct kube_records *records)
{
    for (size_t i = records->n; i > 0 && records->listing; i--)
        if (at(records, i - 1)->gone)
            delete_at(records, (uint32_t)i - 1);
    records->listing = false;
}

struct kube_record *kube_records_at(const struct kube_records *records, size_t i)
{
    struct kube_record *record = at(records, i);

    return record->gone ? NULL : record;
}
