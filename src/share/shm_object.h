/* SPDX-License-Identifier: MIT */
/* A nameless piece of shared memory: what the pod table and the scoreboard are made in. Private to this
 * layer. */
#ifndef SYNCER_SRC_SHARE_SHM_OBJECT_H
#define SYNCER_SRC_SHARE_SHM_OBJECT_H

#include <stddef.h>

#include <syncer/base/err.h>

struct shm_object {
    void *map;    /* zeroed at first; NULL if not made */
    size_t bytes; /* of the mapping */
    int fd;       /* read and write, or -1 */
    int fd_ro;    /* the same object, read only, or -1 */
};

/* Master: makes and maps `bytes` (> 0), all of them allocated. 0, or -1 with the reason and nothing left. */
int shm_object_create(struct shm_object *object, size_t bytes, struct err *err);

/* Worker: maps the object behind `fd`, whose size must be at least `least`; `fd` itself is not kept. prot as
 * mmap's. */
int shm_object_attach(struct shm_object *object, int fd, int prot, size_t least, struct err *err);

/* Unmaps and closes; half-made objects too. */
void shm_object_release(struct shm_object *object);

#endif
