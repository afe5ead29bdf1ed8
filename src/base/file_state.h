/* SPDX-License-Identifier: MIT */
/* Whether a file is still what it was: by its inode and times where these tell, else by its content. For
 * filewatch.c. */
#ifndef SYNCER_SRC_BASE_FILE_STATE_H
#define SYNCER_SRC_BASE_FILE_STATE_H

#include <stdbool.h>
#include <sys/stat.h>

#include <syncer/base/random.h>

struct file_state {
    bool exists;
    struct stat stat;
    char hash[KEYED_HASH_BYTES]; /* of the content; "" = it could not be read */
};

/* What `path` leads to now. `old`, if not NULL, is what it was: its hash is taken over where the file has not
 * been touched since. */
void file_state_read(struct file_state *state, const char *path, const struct file_state *old);

/* Whether both exist and hold the same; of what can't be read, whether it is the same untouched file. */
bool file_state_equal(const struct file_state *a, const struct file_state *b);

#endif
