/* SPDX-License-Identifier: MIT */
/*
 * Files watched through the folders on the way to them. An event only says that it is time to look: then all
 * paths are gone through anew, which folder by folder first adds the watch and then looks the name up, so
 * that nothing can change unseen in between, and the files are compared with what they were. Lost events (a
 * full queue) therefore cost nothing.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/fd.h>
#include <syncer/base/filewatch.h>
#include <syncer/base/macros.h>

#include "file_state.h"
#include "filewatch_way.h"

#define QUIET_NS (150 * NS_PER_MS) /* no event for so long: things have settled */
#define LATEST_NS NS_PER_S         /* after the first event, settled or not */

struct watched_file {
    char *path;              /* absolute */
    struct file_state known; /* as its owner has it, or will read it */
    bool gone;               /* and that is said */
};

struct filewatch {
    struct loop *loop;
    void (*on_news)(void *arg, const struct filewatch_news *news);
    void *arg;
    struct loop_io io; /* of inotify; fd -1 while there is none */
    int fd;
    struct loop_timer timer; /* the next look */
    int64_t first_event_ns;  /* since the last look; valid while the timer is set */
    struct watched_file files[FILEWATCH_FILES_MAX];
    size_t n_files;
    struct way_places places;
    struct err trouble;
};

/* ---- looks ---- */

static void walk_all(struct filewatch *watch)
{
    struct way_places before = watch->places, now = {0};

    if (watch->fd < 0)
        return;
    err_clear(&watch->trouble);
    for (size_t i = 0; i < watch->n_files; i++)
        way_walk(&now, watch->fd, watch->files[i].path, &watch->trouble);
    for (size_t i = 0; i < before.n; i++)
        if (!way_has(&now, before.items[i].wd, NULL))
            inotify_rm_watch(watch->fd, before.items[i].wd); /* fails for those that went by themselves */
    way_release(&before);
    watch->places = now;
}

static void look_at(struct watched_file *file, struct filewatch_news *news)
{
    struct file_state now;

    file_state_read(&now, file->path, &file->known);
    if (!now.exists) {
        if (file->known.exists && !file->gone)
            news->gone[news->n_gone++] = file->path;
        file->gone = true;
        return;
    }
    if (!file_state_equal(&file->known, &now))
        news->changed[news->n_changed++] = file->path;
    file->known = now;
    file->gone = false;
}

static void on_due(struct loop_timer *timer)
{
    struct filewatch *watch = container_of(timer, struct filewatch, timer);
    struct filewatch_news news = {.n_changed = 0};
    struct err before = watch->trouble;

    walk_all(watch);
    for (size_t i = 0; i < watch->n_files; i++)
        look_at(&watch->files[i], &news);
    if (news.n_changed > 0 || news.n_gone > 0 || strcmp(before.text, watch->trouble.text) != 0)
        watch->on_news(watch->arg, &news);
}

static void look_soon(struct filewatch *watch)
{
    int64_t now = loop_now_ns(watch->loop), due = now + QUIET_NS;

    if (!watch->timer.set)
        watch->first_event_ns = now;
    if (due > watch->first_event_ns + LATEST_NS)
        due = watch->first_event_ns + LATEST_NS;
    loop_timer_set(&watch->timer, due);
}

/* ---- events ---- */

static bool concerns_us(const struct filewatch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    return way_has(&watch->places, event->wd, event->len > 0 ? event->name : NULL);
}

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct filewatch *watch = container_of(io, struct filewatch, io);
    char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t got = read(io->fd, buf, sizeof(buf)); /* once a turn: a folder in which much happens holds nothing up */

    (void)events;
    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *event = (const struct inotify_event *)(const void *)(buf + at);

        if (concerns_us(watch, event))
            look_soon(watch);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}

/* ---- the set ---- */

static void open_inotify(struct filewatch *watch)
{
    if (watch->fd >= 0)
        return;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd >= 0 && loop_io_add(watch->loop, &watch->io, watch->fd, EPOLLIN, on_readable) == 0)
        return;
    if (errno == EMFILE)
        err_set(&watch->trouble, "no inotify instance is left (fs.inotify.max_user_instances, RLIMIT_NOFILE)");
    else
        err_set_errno(&watch->trouble, errno, "inotify");
    fd_close(&watch->fd);
}

static void close_inotify(struct filewatch *watch)
{
    loop_timer_cancel(&watch->timer);
    loop_io_delete(&watch->io);
    fd_close(&watch->fd);
    way_release(&watch->places);
    err_clear(&watch->trouble);
}

/* The path from the root on; NULL if there is none. The caller frees it. */
static char *absolute(const char *path)
{
    char *folder, *joined = NULL;

    if (path[0] == '/')
        return strdup(path);
    folder = getcwd(NULL, 0);
    if (folder && asprintf(&joined, "%s/%s", folder, path) < 0)
        joined = NULL;
    free(folder);
    return joined;
}

static const struct watched_file *find(const struct watched_file *files, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(files[i].path, path) == 0)
            return &files[i];
    return NULL;
}

static void keep_or_read(struct watched_file *file, const struct watched_file *before)
{
    if (before) {
        file->known = before->known;
        file->gone = before->gone;
    } else {
        file_state_read(&file->known, file->path, NULL);
    }
}

void filewatch_set(struct filewatch *watch, const char *const *paths, size_t n)
{
    struct watched_file old[FILEWATCH_FILES_MAX];
    size_t n_old = watch->n_files;

    memcpy(old, watch->files, sizeof(old));
    watch->n_files = 0;
    if (n > 0)
        open_inotify(watch);
    for (size_t i = 0; i < n && watch->n_files < FILEWATCH_FILES_MAX; i++) {
        struct watched_file *file = &watch->files[watch->n_files];

        *file = (struct watched_file){.path = absolute(paths[i])};
        if (file->path && !find(watch->files, watch->n_files, file->path))
            watch->n_files++;
        else
            free(file->path);
    }
    walk_all(watch); /* before the files are read: what changes from now on is seen */
    for (size_t i = 0; i < watch->n_files; i++)
        keep_or_read(&watch->files[i], find(old, n_old, watch->files[i].path));
    for (size_t i = 0; i < n_old; i++)
        free(old[i].path);
    if (n == 0)
        close_inotify(watch);
}

void filewatch_note(struct filewatch *watch)
{
    for (size_t i = 0; i < watch->n_files; i++) {
        struct file_state now;

        file_state_read(&now, watch->files[i].path, &watch->files[i].known);
        watch->files[i].known = now;
        watch->files[i].gone = false;
    }
}

const char *filewatch_trouble(const struct filewatch *watch)
{
    return watch->trouble.text;
}

/* ---- life ---- */

struct filewatch *filewatch_new(struct loop *loop, void (*on_news)(void *arg, const struct filewatch_news *news),
                                void *arg, struct err *err)
{
    struct filewatch *watch = calloc(1, sizeof(*watch));

    if (!watch) {
        err_set(err, "file watch: out of memory");
        return NULL;
    }
    watch->loop = loop;
    watch->on_news = on_news;
    watch->arg = arg;
    watch->fd = watch->io.fd = -1;
    loop_timer_init(&watch->timer, loop, LOOP_EARLY, on_due);
    return watch;
}

void filewatch_free(struct filewatch *watch)
{
    if (!watch)
        return;
    filewatch_set(watch, NULL, 0);
    free(watch);
}
