/* SPDX-License-Identifier: MIT */
/*
 * The state of a file. A kubelet writes all files of a ConfigMap anew when one key changes, so another inode
 * alone says nothing; the content does. It is kept as a hash, since it may be a private key.
 */
#include <config.h>

#include <string.h>

#include <syncer/base/buf.h>
#include <syncer/base/fd.h>

#include "file_state.h"

#define CONTENT_MAX ((size_t)4 * 1024 * 1024) /* a larger file is judged by inode and times */

/* ctime can't be set by hand: who writes within one tick of the clock and puts mtime and size back is seen. */
static bool is_untouched(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void hash_content(const char *path, char hash[KEYED_HASH_BYTES])
{
    struct buf content;

    hash[0] = '\0';
    buf_init(&content, CONTENT_MAX);
    if (fd_read_file(path, &content, NULL) == 0)
        keyed_hash(content.data, content.len, hash);
    buf_wipe(&content);
}

void file_state_read(struct file_state *state, const char *path, const struct file_state *old)
{
    *state = (struct file_state){0};
    state->exists = stat(path, &state->stat) == 0;
    if (!state->exists)
        return;
    if (old && old->exists && old->hash[0] && is_untouched(&old->stat, &state->stat))
        memcpy(state->hash, old->hash, sizeof(state->hash));
    else
        hash_content(path, state->hash);
}

bool file_state_equal(const struct file_state *a, const struct file_state *b)
{
    if (!a->exists || !b->exists)
        return false;
    if (a->hash[0] && b->hash[0])
        return strcmp(a->hash, b->hash) == 0;
    return is_untouched(&a->stat, &b->stat) && !a->hash[0] == !b->hash[0];
}
