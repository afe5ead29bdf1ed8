/* SPDX-License-Identifier: MIT */
/*
 * Descriptor 2 is shared with whoever started the process, and O_NONBLOCK belongs to what is shared, so it is never set
 * there. Each kind of file has its own way round that.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <syncer/base/fd.h>

#include "log_sink.h"

enum kind {
    KIND_CLOSED,
    KIND_DIRECT, /* a write returns at once by itself: files, and what was opened anew without blocking */
    KIND_SOCKET, /* systemd's journal, for one */
    KIND_POLLED, /* may not be opened anew, such as another user's pipe */
};

static struct {
    enum kind kind;
    int own_fd; /* opened anew, or -1 */
} sink = {.own_fd = -1};

void log_sink_close(void)
{
    fd_close(&sink.own_fd);
    sink.kind = KIND_CLOSED;
}

void log_sink_open(void)
{
    struct stat st;

    log_sink_close();
    if (fstat(STDERR_FILENO, &st) != 0) {
        sink.kind = KIND_POLLED;
    } else if (S_ISSOCK(st.st_mode)) {
        sink.kind = KIND_SOCKET;
    } else if (S_ISREG(st.st_mode)) {
        sink.kind = KIND_DIRECT; /* opened anew it would have an offset of its own and write over the others' lines */
    } else {
        sink.own_fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        sink.kind = sink.own_fd >= 0 ? KIND_DIRECT : KIND_POLLED;
    }
}

static int sink_fd(void)
{
    return sink.own_fd >= 0 ? sink.own_fd : STDERR_FILENO;
}

void log_sink_wait(int ms)
{
    struct pollfd fd = {.fd = sink_fd(), .events = POLLOUT};

    poll(&fd, 1, ms);
}

ssize_t log_sink_write(const void *data, size_t n)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t done;

    if (sink.kind == KIND_CLOSED)
        log_sink_open();
    if (sink.kind == KIND_POLLED && poll(&ready, 1, 0) == 0)
        return 0;
    if (sink.kind == KIND_SOCKET)
        done = send(STDERR_FILENO, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        done = write(sink_fd(), data, n);
    if (done < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ? 0 : -1;
    return done;
}
