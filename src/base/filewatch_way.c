/* SPDX-License-Identifier: MIT */
/*
 * The way to a file. Each folder gets its watch before a name is looked up in it: what is found may be old
 * when it is used, but then an event says so.
 */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <syncer/base/macros.h>

#include "filewatch_way.h"

#define PLACES_MAX 1024
#define LINKS_MAX 40 /* on one way, as the kernel's own limit */

/* Not IN_MODIFY: a file that is being written is of no use before it is closed. */
#define MASK                                                                                             \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | \
     IN_MOVE_SELF | IN_ONLYDIR)

struct walk {
    struct way_places *places;
    int inotify_fd;
    struct err *trouble;
    char done[PATH_MAX]; /* the folder where it has come to, without links in its path; "" = the root */
    char rest[PATH_MAX]; /* still to go */
    int links;
};

bool way_has(const struct way_places *places, int wd, const char *name)
{
    for (size_t i = 0; i < places->n; i++)
        if (places->items[i].wd == wd && (!name || strcmp(places->items[i].name, name) == 0))
            return true;
    return false;
}

/* No leak: way_release() frees the list and each name in it. */
ANALYZER_LEAKS_OFF
static int add(struct way_places *places, int wd, const char *name)
{
    struct way_place *items;
    char *copy;

    if (way_has(places, wd, name))
        return 0;
    if (places->n == PLACES_MAX)
        return -1;
    items = realloc(places->items, (places->n + 1) * sizeof(*items));
    if (!items)
        return -1;
    places->items = items;
    copy = strdup(name);
    if (!copy)
        return -1;
    items[places->n++] = (struct way_place){wd, copy};
    return 0;
}
ANALYZER_LEAKS_ON

void way_release(struct way_places *places)
{
    for (size_t i = 0; i < places->n; i++)
        free(places->items[i].name);
    free(places->items);
    *places = (struct way_places){0};
}

/* A folder above the last that must not be read is passed over: only its being renamed goes unseen. */
static void tell_trouble(struct walk *walk, const char *folder, int errnum)
{
    if (errnum == ENOSPC)
        err_set(walk->trouble, "%s: the limit of inotify watches is reached (fs.inotify.max_user_watches)", folder);
    else if (errnum != EACCES || !walk->rest[0])
        err_set_errno(walk->trouble, errnum, "%s", folder);
}

/* 0, or -1 if the folder is gone again, which is no trouble: the one above it is watched. */
static int watch(struct walk *walk, const char *name)
{
    const char *folder = walk->done[0] ? walk->done : "/";
    int wd = inotify_add_watch(walk->inotify_fd, folder, MASK);

    if (wd >= 0) {
        if (add(walk->places, wd, name) < 0)
            err_set(walk->trouble, "%s: no room for one more folder", folder);
        return 0;
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return -1;
    tell_trouble(walk, folder, errno);
    return 0;
}

/* Takes the first name off `rest`; false if there is none any more. */
static bool take_name(char *rest, char name[NAME_MAX + 1])
{
    size_t from = strspn(rest, "/"), len = strcspn(rest + from, "/"), next = from + len;

    if (len == 0 || len > NAME_MAX)
        return false;
    memcpy(name, rest + from, len);
    name[len] = '\0';
    next += strspn(rest + next, "/");
    memmove(rest, rest + next, strlen(rest + next) + 1);
    return true;
}

/* The link's target is the way now. False if it is too long or winds for ever. */
static bool follow(struct walk *walk, const char *target)
{
    char joined[2 * PATH_MAX];
    int len = snprintf(joined, sizeof(joined), "%s/%s", target, walk->rest);

    if (len < 0 || len >= PATH_MAX || ++walk->links > LINKS_MAX)
        return false;
    if (target[0] == '/')
        walk->done[0] = '\0';
    memcpy(walk->rest, joined, (size_t)len + 1);
    return true;
}

/* Into what has that name. False: the way ends there. */
static bool enter(struct walk *walk, const char *name)
{
    char full[PATH_MAX], target[PATH_MAX];
    ssize_t len;

    if (watch(walk, name) < 0 || snprintf(full, sizeof(full), "%s/%s", walk->done, name) >= (int)sizeof(full))
        return false;
    len = readlink(full, target, sizeof(target) - 1);
    if (len >= 0) {
        target[len] = '\0';
        return follow(walk, target);
    }
    if (errno != EINVAL)
        return false; /* there is nothing yet */
    memcpy(walk->done, full, strlen(full) + 1);
    return true;
}

static bool step(struct walk *walk)
{
    char name[NAME_MAX + 1];

    if (!take_name(walk->rest, name))
        return false;
    if (strcmp(name, "..") == 0) {
        if (walk->done[0])
            *strrchr(walk->done, '/') = '\0';
        return true;
    }
    return strcmp(name, ".") == 0 || enter(walk, name);
}

void way_walk(struct way_places *places, int inotify_fd, const char *path, struct err *trouble)
{
    struct walk walk = {.places = places, .inotify_fd = inotify_fd, .trouble = trouble};

    if (snprintf(walk.rest, sizeof(walk.rest), "%s", path) >= (int)sizeof(walk.rest))
        return;
    while (step(&walk))
        ;
}
