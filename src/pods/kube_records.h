/* SPDX-License-Identifier: MIT */
/*
 * The objects of one collection as lists and watch have brought them, found by uid. Pure apart from its
 * memory, all of which is taken at the beginning: what is never written to costs none.
 *
 * A list is read while the watch goes on, so the two may overtake each other. What holds then:
 *
 *   - An object of a list is taken as it comes, not at the list's end: it is a true state of that object, and
 *     a later one than what was known when the list began. Only an object that the watch has spoken of since is
 *     taken from the list if its version is higher.
 *   - What the watch says, be it that an object is gone, is passed over if its version is lower than what is
 *     known: the list was ahead.
 *   - What the watch has deleted stays so, although a page of the list may still have it, unless in a later
 *     version: an object that leaves the selector and enters it again is deleted and added with one uid.
 *   - What a complete list does not have is gone, unless the watch has brought it since, in a version after
 *     the list's.
 *
 * Versions of objects of one resource may be compared as numbers (KEP-5504, Kubernetes 1.35; all servers that
 * keep their objects in etcd did so before). Where one is no number nothing is older than anything: the watch
 * wins over a list, and the next list mends what that got wrong.
 *
 * After a restored backup all versions are lower than before. That does no harm: only what came since the
 * list began is compared with the list.
 */
#ifndef SYNCER_SRC_PODS_KUBE_RECORDS_H
#define SYNCER_SRC_PODS_KUBE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kube_objects.h"

/* The first part of every record. */
struct kube_record {
    char uid[KUBE_UID_BYTES];
    uint64_t version; /* 0: none that can be compared */
    /* kube_records.c's own */
    uint32_t seen; /* the list that had it last */
    uint32_t told; /* the list during which the watch spoke of it last */
    uint32_t next; /* in its chain, + 1; 0 = the last */
    bool gone;     /* deleted during the list under way, in `version`: kept until its end */
};

enum kube_put {
    KUBE_PUT_SAME, /* known, or older than what is known */
    KUBE_PUT_CHANGED,
    KUBE_PUT_FULL, /* no room: nothing was done */
};

struct kube_records {
    char *data; /* n records of `size` bytes */
    size_t size, room, n;
    uint32_t *heads; /* of the chains, + 1; 0 = none */
    uint32_t n_heads;
    uint32_t list; /* number of the list under way, or of the last one */
    bool listing;
    bool news;                          /* the list under way has brought what the watch has not */
    void (*drop)(struct kube_record *); /* frees what a record holds; NULL = it holds nothing */
};

/* Room for `room` records of `size` bytes, each of which begins with a struct kube_record. 0, or -1 if memory
 * is out. */
int kube_records_init(struct kube_records *records, size_t size, size_t room, void (*drop)(struct kube_record *));
void kube_records_release(struct kube_records *records);
/* Forgets all of them, and a list under way. */
void kube_records_clear(struct kube_records *records);

/* The number that a resourceVersion is, or 0: it is none. */
uint64_t kube_version_number(const char *version);

/* From the list under way, or from the watch. The record is copied; what it holds is owned by the copy if it
 * was CHANGED and is still the caller's otherwise. */
enum kube_put kube_records_put_listed(struct kube_records *records, const struct kube_record *record);
enum kube_put kube_records_put_watched(struct kube_records *records, const struct kube_record *record);
/* The watch says that it is gone, in that version (0: none). Whether it was there. */
bool kube_records_remove(struct kube_records *records, const char *uid, uint64_t version);

/* Around a list. The end of a complete one tells its version (0: none), removes what is not there any more,
 * and says whether the list knew anything that the watch had not told. */
void kube_records_list_begin(struct kube_records *records);
bool kube_records_list_end(struct kube_records *records, uint64_t version);
void kube_records_list_abort(struct kube_records *records);

/* The i-th of n, in no order; NULL if that one is gone. Borrowed until the next change. */
struct kube_record *kube_records_at(const struct kube_records *records, size_t i);

#endif
