/* SPDX-License-Identifier: MIT */
/* Descriptors: every one is O_CLOEXEC, -1 when closed, and owned by one struct. */
#ifndef SYNCER_BASE_FD_H
#define SYNCER_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <syncer/base/buf.h>
#include <syncer/base/err.h>

/* Puts /dev/null where 0, 1 or 2 is closed: else one of them would become a socket or shared memory, and log lines would be
 * written there. First thing in a process. 0 or -1 with errno. */
int fd_guard_standard(void);

/* Closes *fd if it is open and sets it to -1. Keeps errno. */
void fd_close(int *fd);

/* 0 or -1 with errno. */
int fd_set_cloexec(int fd, bool on);

/* Reads a whole regular file of at most buf->limit bytes, appending to `buf`. 0, or -1 with the reason (path named,
 * "larger than N bytes" where that is it). Opens it anew each time. */
int fd_read_file(const char *path, struct buf *buf, struct err *err);

/* Writes all bytes; for files and memfds only. 0 or -1 with errno. */
int fd_write_all(int fd, const void *data, size_t n);

/* Raises the soft limit of open files to the hard limit. Returns the limit now in force. */
uint64_t fd_raise_limit(void);
/* The soft limit; 0 if it is not known. */
uint64_t fd_limit(void);

#endif
