/* SPDX-License-Identifier: MIT */
/* The way to a file, folder by folder, as inotify watches. For filewatch.c. */
#ifndef SYNCER_SRC_BASE_FILEWATCH_WAY_H
#define SYNCER_SRC_BASE_FILEWATCH_WAY_H

#include <stdbool.h>
#include <stddef.h>

#include <syncer/base/err.h>

/* A name in a folder: one step of the way to some file. */
struct way_place {
    int wd; /* the folder's; one a folder, whatever the way to it */
    char *name;
};

/* All zero is an empty set. */
struct way_places {
    struct way_place *items;
    size_t n;
};

/* Whether `name` (NULL: any) in the folder `wd` is one. */
bool way_has(const struct way_places *places, int wd, const char *name);

void way_release(struct way_places *places);

/* Goes from the root to the absolute `path` as the kernel does, as far as there is something; each folder on
 * the way is watched by `inotify_fd`, and its name added to `places`, before the name is looked up. What
 * can't be watched is told in `trouble`. */
void way_walk(struct way_places *places, int inotify_fd, const char *path, struct err *trouble);

#endif
