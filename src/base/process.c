/* SPDX-License-Identifier: MIT */
/* A few system calls, in one place because master and worker need the same. */
#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/process.h>

/* glibc's own to begin with: mallopt(3). */
#define OWN_MAPPING_BYTES (128 * 1024)

/* Directory entries at a time, some 170; twice a call, so that a small count takes one call. */
#define FDS_BYTES 4096

void process_hide(void)
{
    const struct rlimit none = {0, 0};

    /* The limit alone is not enough: the kernel ignores it where cores go to a program (core(5)). execve(2)
     * makes a process dumpable again. */
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
}

void process_trim_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES);
}

void process_set_name(const char *name)
{
    prctl(PR_SET_NAME, name, 0UL, 0UL, 0UL);
}

int64_t process_cpu_ns(void)
{
    struct timespec used = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * NS_PER_S + used.tv_nsec;
}

/* "SIZE RESIDENT ..." in pages: proc_pid_statm(5). */
uint64_t process_resident_bytes(void)
{
    char text[128] = "", *at;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return 0;
    strtoull(text, &at, 10);
    return strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t process_max_fds(void)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

/* A directory's own two entries and the descriptor that reads it are none of those that are meant. */
#define NOT_MEANT 3

/* Counts some entries. 0 at the end of the directory, -1 if it cannot be read. */
static ssize_t count_some(struct process_fd_count *count)
{
    char entries[FDS_BYTES];
    ssize_t got = getdents64(count->dir - 1, entries, sizeof(entries)), at = 0;

    for (; at < got; at += ((const struct dirent64 *)(const void *)(entries + at))->d_reclen)
        count->so_far++;
    return got;
}

bool process_count_fds(struct process_fd_count *count, uint64_t *n)
{
    ssize_t got;

    if (count->dir == 0) {
        count->dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) + 1;
        count->so_far = 0;
    }
    if (count->dir == 0)
        return false;
    got = count_some(count);
    if (got > 0)
        got = count_some(count);
    if (got > 0)
        return false;
    process_count_end(count);
    if (got < 0 || count->so_far < NOT_MEANT)
        return false;
    *n = count->so_far - NOT_MEANT;
    return true;
}

void process_count_end(struct process_fd_count *count)
{
    if (count->dir != 0)
        close(count->dir - 1);
    count->dir = 0;
}
