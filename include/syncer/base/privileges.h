/* SPDX-License-Identifier: MIT */
/* Giving up root for good, once what needs it has been opened. Master, before it has children. */
#ifndef SYNCER_BASE_PRIVILEGES_H
#define SYNCER_BASE_PRIVILEGES_H

#include <sys/types.h>

#include <syncer/base/err.h>

struct user_ids {
    uid_t uid;
    gid_t gid;
    const char *name; /* whose other groups are taken too; borrowed, NULL = none are */
};

/* `text`: NAME (with the groups that it is in), NAME:GROUP, or numbers in their places. Root is refused. 0,
 * or -1 with the reason. */
int privileges_find(const char *text, struct user_ids *out, struct err *err);

/* Root becomes that user and can never be root again, nor can what it executes (PR_SET_NO_NEW_PRIVS). 0, or
 * -1 with the reason: then the process may be halfway and should end. */
int privileges_drop(const struct user_ids *ids, struct err *err);

#endif
