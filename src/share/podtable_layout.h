/* SPDX-License-Identifier: MIT */
/*
 * How the pod table lies in memory; known to its writer, its reader and their tests only.
 *
 *      header | copy 0: count, entries[max_pods] | copy 1: the same
 *
 * No pointers, offsets follow from max_pods. The header's first fields are written once, before any worker
 * exists; the copies are relaxed atomic words under the latch. Any change here is a new PODTABLE_LAYOUT.
 */
#ifndef SYNCER_SRC_SHARE_PODTABLE_LAYOUT_H
#define SYNCER_SRC_SHARE_PODTABLE_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/share/latch.h>
#include <syncer/share/podtable.h>

#include "shm_object.h"

#define PODTABLE_MAGIC UINT64_C(0x73646f70636e7973) /* "syncpods" in memory, little-endian */
#define PODTABLE_LAYOUT 1u
#define CACHE_LINE_BYTES 64

struct podtable_header {
    uint64_t magic;
    uint32_t layout;
    uint32_t max_pods;
    uint64_t bytes;                                /* of the whole object */
    _Alignas(CACHE_LINE_BYTES) struct latch latch; /* its sequence is the generation */
    /* Outside the copies, since they move without a new generation; on their own line, since readers poll the
     * latch. */
    _Alignas(CACHE_LINE_BYTES) _Atomic int64_t read_at_ns; /* 0 = never */
    _Atomic uint64_t scrapes_begun;
    _Atomic uint64_t scrapes_ended;
    _Atomic uint64_t last_scrape; /* enum podtable_scrape: OK or TOO_MANY */
};

/* One pod, as it is packed into words. The indexes share the entries' room: entry k tells which pod is the
 * k-th by name and by address, so that the master sorts once and no worker has to. */
struct podtable_entry {
    uint64_t id;
    uint8_t addr[16];
    uint8_t family;
    uint8_t state;
    uint8_t counts;
    uint8_t name_len;
    uint16_t port;
    uint16_t unused;
    uint32_t by_name;
    uint32_t by_addr;
    char name[256]; /* only the words that name_len covers are written and read */
};

#define WORD_BYTES sizeof(uint64_t)
#define ENTRY_WORDS (sizeof(struct podtable_entry) / WORD_BYTES)
#define ENTRY_HEAD_WORDS (offsetof(struct podtable_entry, name) / WORD_BYTES)

_Static_assert(sizeof(struct podtable_entry) % WORD_BYTES == 0, "entries are whole words");
_Static_assert(offsetof(struct podtable_entry, name) % WORD_BYTES == 0, "names start at a word");
_Static_assert(sizeof(_Atomic uint64_t) == WORD_BYTES, "an atomic word is a word");

struct podtable_copy {
    _Atomic uint64_t count;
    _Atomic uint64_t words[]; /* max_pods * ENTRY_WORDS */
};

static inline size_t podtable_copy_bytes(uint32_t max_pods)
{
    size_t bytes = sizeof(struct podtable_copy) + (size_t)max_pods * sizeof(struct podtable_entry);

    return (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
}

static inline size_t podtable_bytes(uint32_t max_pods)
{
    return sizeof(struct podtable_header) + 2 * podtable_copy_bytes(max_pods);
}

/* Offset of a copy from the start of the object. */
static inline size_t podtable_copy_at(uint32_t max_pods, unsigned which)
{
    return sizeof(struct podtable_header) + which * podtable_copy_bytes(max_pods);
}

static inline size_t podtable_name_words(size_t name_len)
{
    return (name_len + WORD_BYTES - 1) / WORD_BYTES;
}

struct podtable {
    struct shm_object object;
    struct podtable_header *header;
    const struct podtable_pod **order; /* room for sorting max_pods, so that publishing needs no memory */
    uint32_t max_pods;                 /* the header's, from memory that nobody else writes */
};

/* The filling half of podtable_publish(), without the turn of the latch. The list has been checked. */
void podtable_fill(struct podtable *table, const struct podtable_pod *pods, size_t n);

struct podtable_list {
    struct podtable_snapshot view;
    struct podtable_pod *pods; /* what the view's pointers point to */
    uint32_t *by_name, *by_addr;
    size_t room;
    uint32_t holders; /* while there are any, it is not filled anew */
};

struct podtable_reader {
    struct shm_object object;
    const struct podtable_header *header;
    uint32_t max_pods;                             /* checked at attaching; the header's is not read again */
    struct podtable_list *current;                 /* the list in use */
    struct podtable_list *spare;                   /* the one to be filled next; NULL = to be made */
    struct podtable_list *held[PODTABLE_HELD_MAX]; /* those that have holders; NULL = a free place */
};

#endif
