/* SPDX-License-Identifier: MIT */
/*
 * Files whose change is an event of the loop (inotify). What counts is what a path leads to: every folder that the
 * kernel passes when it resolves the path is watched, for the one name that it looks up there. So a file that is renamed
 * over, a symbolic link that is turned elsewhere at any place of the path (ConfigMap and Secret mounts swap `..data`), and
 * a folder that goes and comes back are all seen; other files of these folders are not.
 *
 * After an event it waits until 150 ms have passed without another one, 1 s at most, and looks at all files: one has
 * changed if its content has. Knows nothing of what the files are for. Not for network file systems, whose other
 * clients' changes the kernel does not report.
 */
#ifndef SYNCER_BASE_FILEWATCH_H
#define SYNCER_BASE_FILEWATCH_H

#include <stddef.h>

#include <syncer/base/err.h>
#include <syncer/base/loop.h>

#define FILEWATCH_FILES_MAX 32

struct filewatch;

/* What one look has found. Borrowed during the call. */
struct filewatch_news {
    const char *changed[FILEWATCH_FILES_MAX]; /* there, with other content than when it was last looked at */
    size_t n_changed;
    const char *gone[FILEWATCH_FILES_MAX]; /* not there any more; its content of before is kept in mind */
    size_t n_gone;
};

/* `on_news` is called from the loop, once a look that has found something, or other trouble than before. NULL if memory is out. Opens nothing before
 * there is a file to watch. */
struct filewatch *filewatch_new(struct loop *loop, void (*on_news)(void *arg, const struct filewatch_news *news),
                                void *arg, struct err *err);
/* NULL is fine. */
void filewatch_free(struct filewatch *watch);

/* These files from now on, and no others; paths are copied, more than FILEWATCH_FILES_MAX left out. One that was among
 * them before is still compared with what it was; a new one with what it is now. No files: nothing is watched at all. */
void filewatch_set(struct filewatch *watch, const char *const *paths, size_t n);

/* What the files hold at this moment is known to the owner, who is about to read them: only later changes are news. */
void filewatch_note(struct filewatch *watch);

/* Why some change may go unnoticed (the user's limit of watches or instances, a folder that must not be read), as found
 * when the folders were last gone through; "" if none may. Borrowed. */
const char *filewatch_trouble(const struct filewatch *watch);

#endif
