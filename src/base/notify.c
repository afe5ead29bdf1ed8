/* SPDX-License-Identifier: MIT */
/* The socket of sd_notify(3). libsystemd is not needed for a datagram. */
#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/fd.h>
#include <syncer/base/notify.h>

static int connect_to(const char *name, struct err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd;

    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(addr.sun_path))
        return err_set(err, "NOTIFY_SOCKET: \"%.110s\" should be an absolute path or an abstract name after @", name);
    memcpy(addr.sun_path, name, len);
    if (name[0] == '@')
        addr.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
        return fd;
    err_set_errno(err, errno, "NOTIFY_SOCKET: %.110s", name);
    fd_close(&fd);
    return -1;
}

/* 0 if the watchdog is not ours: the variables of a parent's are inherited, too. */
static int64_t watchdog_ns(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    char *end = NULL;
    long long n;

    if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
        return 0;
    n = strtoll(usec, &end, 10);
    return *end == '\0' && n > 0 && n < INT64_MAX / 1000 ? n * 1000 : 0;
}

int notify_open(struct notify *notify, struct err *err)
{
    const char *name = getenv("NOTIFY_SOCKET");
    int rc = 0;

    *notify = (struct notify){.fd = -1, .watchdog_ns = watchdog_ns()};
    if (name && *name) {
        notify->fd = connect_to(name, err);
        rc = notify->fd < 0 ? -1 : 0;
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return rc;
}

void notify_close(struct notify *notify)
{
    fd_close(&notify->fd);
}

void notify_send(const struct notify *notify, const char *message)
{
    if (notify->fd >= 0)
        (void)!send(notify->fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT);
}
