/* SPDX-License-Identifier: MIT */
/* What a process says about itself to the kernel, right after it has begun, and what the kernel says about it. Any process. */
#ifndef SYNCER_BASE_PROCESS_H
#define SYNCER_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* No core is written, and no process of the same user may look into this one: its memory holds tokens. An
 * exec undoes half of it, so each process calls this itself. */
void process_hide(void);

/* The name that ps and top show. One that was started through a descriptor has that descriptor's number for a
 * name before Linux 6.14. */
void process_set_name(const char *name);

/* Large blocks go back to the kernel when they are freed, and zeroed ones cost nothing until they are written to, however
 * often they come and go. Left to itself, malloc(3) moves them into the heap once the first has been freed: after some
 * reloads the master held 31 MB, of which 3 are in use. */
void process_trim_heap(void);

/* User and system time since the process began. */
int64_t process_cpu_ns(void);
/* 0 if the kernel does not tell. */
uint64_t process_resident_bytes(void);
/* How many descriptors it may have open. */
uint64_t process_max_fds(void);

/* Counts the open descriptors, some hundreds a call, so that thousands do not hold up a loop. All zero at first. */
struct process_fd_count {
    int dir; /* the descriptor of /proc/self/fd + 1 while a count is under way; 0 = none is */
    uint64_t so_far;
};
/* Goes on counting. True if the count is complete and in *n: the next call begins another one. */
bool process_count_fds(struct process_fd_count *count, uint64_t *n);
/* Gives up a count that may be under way. */
void process_count_end(struct process_fd_count *count);

#endif
