/* SPDX-License-Identifier: MIT */
/* What is done with descriptors of any kind, and reading a small file whole. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <syncer/base/fd.h>

#define READ_STEP_BYTES 4096

int fd_guard_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR); /* not O_CLOEXEC: the children need them too */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

void fd_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd); /* never repeated on EINTR: on Linux the descriptor is gone by then */
    *fd = -1;
    errno = saved;
}

int fd_set_cloexec(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFD);

    return flags < 0 ? -1 : fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

static ssize_t read_again(int fd, void *to, size_t n)
{
    ssize_t got;

    do
        got = read(fd, to, n);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Reads to the end. The size that fstat gives is no more than a hint: files of proc and sys say 0. */
static int read_to_end(int fd, const char *path, size_t hint, struct buf *buf, struct err *err)
{
    for (;;) {
        size_t left = buf->limit - buf->len;
        size_t step = hint > READ_STEP_BYTES ? hint : READ_STEP_BYTES;
        char one_more;
        char *to = &one_more;
        ssize_t got;

        if (step > left)
            step = left;
        if (left > 0 && !(to = buf_reserve(buf, step)))
            return err_set(err, "%s: out of memory", path);
        got = read_again(fd, to, left > 0 ? step : 1);
        if (got < 0)
            return err_set_errno(err, errno, "%s", path);
        if (got == 0)
            return 0;
        if (left == 0)
            return err_set(err, "%s: larger than %zu bytes", path, buf->limit);
        buf->len += (size_t)got;
        hint = 0;
    }
}

int fd_read_file(const char *path, struct buf *buf, struct err *err)
{
    size_t before = buf->len;
    struct stat st;
    int rc = -1;
    /* O_NONBLOCK: a FIFO by mistake must not stop the process before it is found not to be a file. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) != 0)
        err_set_errno(err, errno, "%s", path);
    else if (!S_ISREG(st.st_mode))
        err_set(err, "%s: not a regular file", path);
    else
        rc = read_to_end(fd, path, (size_t)st.st_size, buf, err);
    if (rc != 0)
        buf->len = before;
    fd_close(&fd);
    return rc;
}

int fd_write_all(int fd, const void *data, size_t n)
{
    const char *from = data;

    while (n > 0) {
        ssize_t done = write(fd, from, n);

        if (done < 0 && errno != EINTR)
            return -1;
        if (done > 0) {
            from += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

uint64_t fd_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

uint64_t fd_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur;
}
