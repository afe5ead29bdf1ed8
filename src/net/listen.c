/* SPDX-License-Identifier: MIT */
/* Listening sockets. What is done with a failure, and which address is needed, is left to the master. */
#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <syncer/base/addr.h>
#include <syncer/base/fd.h>
#include <syncer/base/macros.h>
#include <syncer/net/listen.h>
#include <syncer/wire/http_scan.h>

#define UNIX_PREFIX "unix:"
#define UNIX_MODE 0660

/* The socket files that this process has made and not removed yet, so that it removes its own only: another
 * process may have put one of its own under the name meanwhile. Beyond this many a file is left behind, and
 * replaced by the next start. */
#define MAX_FILES 64
static struct socket_file {
    int fd; /* 0 = free: a listening socket never gets that number */
    dev_t dev;
    ino_t ino;
} files[MAX_FILES];

/* --- addresses --- */

static int parse_port(const char *text, in_port_t *port)
{
    uint64_t n;

    if (http_parse_length(text, strlen(text), &n) != 0 || n > UINT16_MAX)
        return -1;
    *port = htons((uint16_t)n);
    return 0;
}

static int parse_ip(const char *text, struct listen_address *out)
{
    const char *colon = strrchr(text, ':');
    struct addr addr = {0};
    in_port_t port;
    bool bracketed;

    if (!colon || parse_port(colon + 1, &port) != 0)
        return -1;
    bracketed = text[0] == '[' && colon[-1] == ']';
    if (addr_parse(&addr, text + bracketed, (size_t)(colon - text) - 2 * (size_t)bracketed) != 0)
        return -1;
    if (bracketed != (memchr(text, ':', (size_t)(colon - text)) != NULL))
        return -1; /* IPv6 without brackets, or brackets around IPv4 */
    if (addr.family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&out->sockaddr;

        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        memcpy(&v4->sin_addr, addr.bytes, 4);
        out->len = sizeof(*v4);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->sockaddr;

        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        memcpy(&v6->sin6_addr, addr.bytes, 16);
        out->len = sizeof(*v6);
    }
    return 0;
}

static int parse_unix(const char *path, struct listen_address *out, struct err *err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->sockaddr;

    if (path[0] != '/')
        return err_set(err, "a unix socket should be an absolute path, such as unix:/run/syncer/http.sock");
    if (strlen(path) >= sizeof(un->sun_path))
        return err_set(err, "the path of a unix socket should have at most %zu bytes", sizeof(un->sun_path) - 1);
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(un->sun_path, path, strlen(path));
    out->len = sizeof(*un);
    return 0;
}

int listen_parse(const char *text, struct listen_address *out, struct err *err)
{
    *out = (struct listen_address){0};
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return parse_unix(text + strlen(UNIX_PREFIX), out, err);
    if (parse_ip(text, out) != 0)
        return err_set(
            err, "\"%s\" should be an IP address and a port, such as 0.0.0.0:8080 or [::]:8080, or unix:/PATH", text);
    return 0;
}

/* --- socket files --- */

/* Removes a socket file on which nobody listens any more: its owner was killed, then. 0, or -1 with errno. */
static int remove_abandoned(const struct sockaddr_un *un)
{
    struct stat st;
    int fd, rc;

    if (lstat(un->sun_path, &st) != 0)
        return errno == ENOENT ? 0 : -1;
    if (!S_ISSOCK(st.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    rc = connect(fd, (const struct sockaddr *)un, sizeof(*un));
    if (rc != 0 && errno == ECONNREFUSED)
        rc = unlink(un->sun_path);
    else if (rc == 0 || errno == EAGAIN) { /* EAGAIN: somebody does, and has a full queue */
        errno = EADDRINUSE;
        rc = -1;
    }
    fd_close(&fd);
    return rc;
}

/* The entry of a descriptor, or a free one; NULL if there is none. */
static struct socket_file *file_of(int fd)
{
    struct socket_file *free_one = NULL;

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (files[i].fd == fd)
            return &files[i];
        if (files[i].fd == 0 && !free_one)
            free_one = &files[i];
    }
    return free_one;
}

/* Where the number is known already, its socket was closed without a word. */
static void remember_file(int fd, const char *path)
{
    struct socket_file *file = file_of(fd);
    struct stat st;

    if (file && lstat(path, &st) == 0)
        *file = (struct socket_file){.fd = fd, .dev = st.st_dev, .ino = st.st_ino};
}

static void remove_file(int fd, const char *path)
{
    struct socket_file *file = file_of(fd);
    struct stat st;

    if (!file || file->fd != fd)
        return;
    if (lstat(path, &st) == 0 && st.st_dev == file->dev && st.st_ino == file->ino)
        unlink(path);
    *file = (struct socket_file){0};
}

/* Linux takes the mode of the file from the socket's, less the umask. So it is right from the first moment, and by no second
 * call, which would follow the name to wherever it leads by then. 0, or -1 with errno. */
static int bind_with_mode(int fd, const struct sockaddr_un *un)
{
    mode_t mask = umask(~UNIX_MODE & 0777);
    int rc = fchmod(fd, UNIX_MODE);

    if (rc == 0)
        rc = bind(fd, (const struct sockaddr *)un, sizeof(*un));
    umask(mask);
    return rc;
}

/* 0, or -1 with errno. */
static int bind_unix(int fd, const struct sockaddr_un *un)
{
    int rc = bind_with_mode(fd, un);

    if (rc != 0 && errno == EADDRINUSE && remove_abandoned(un) == 0)
        rc = bind_with_mode(fd, un);
    if (rc == 0)
        remember_file(fd, un->sun_path);
    return rc;
}

/* --- sockets --- */

/* 0, or -1 with errno. */
static int bind_and_listen(int fd, const struct listen_address *address)
{
    int family = address->sockaddr.ss_family;

    if (family == AF_UNIX) {
        if (bind_unix(fd, (const struct sockaddr_un *)&address->sockaddr) != 0)
            return -1;
        return listen(fd, LISTEN_BACKLOG);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0)
        return -1;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int)) != 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)&address->sockaddr, address->len) != 0)
        return -1;
    return listen(fd, LISTEN_BACKLOG);
}

int listen_open(const char *text, bool *in_use, struct err *err)
{
    struct listen_address address;
    int fd;

    *in_use = false;
    if (listen_parse(text, &address, err) != 0)
        return -1;
    fd = socket(address.sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot listen on %s", text);
    if (bind_and_listen(fd, &address) != 0) {
        *in_use = errno == EADDRINUSE;
        err_set_errno(err, errno, "cannot listen on %s", text);
        listen_close(text, &fd);
    }
    return fd;
}

void listen_close(const char *text, int *fd)
{
    if (*fd < 0)
        return;
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        remove_file(*fd, text + strlen(UNIX_PREFIX));
    fd_close(fd);
}
