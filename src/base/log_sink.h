/* SPDX-License-Identifier: MIT */
/* Where log lines go: descriptor 2, written without ever waiting for its reader. For log.c only. */
#ifndef SYNCER_SRC_BASE_LOG_SINK_H
#define SYNCER_SRC_BASE_LOG_SINK_H

#include <stddef.h>
#include <sys/types.h>

/* Looks anew at what descriptor 2 is. */
void log_sink_open(void);
void log_sink_close(void);

/* Writes at most `n` bytes, n <= PIPE_BUF, at once or not at all where the kernel allows that promise (pipes, sockets).
 * The bytes written; 0 if it would wait; -1 if what is buffered will never get out. Opens the sink if needed. */
ssize_t log_sink_write(const void *data, size_t n);

/* Waits at most `ms` until a write may succeed. */
void log_sink_wait(int ms);

#endif
