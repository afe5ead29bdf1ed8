/* SPDX-License-Identifier: MIT */
/*
 * Packing and unpacking what a worker inherits. Both ends are one binary, so the form is plain structs of
 * fixed widths; the worker checks them as if a stranger had written them, since a wrong descriptor number
 * would be used in silence.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/share/heritage.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* linux/memfd.h; newer than the libc */
#endif
#define HERITAGE_MAGIC UINT64_C(0x65676174697265e8) /* no text: a file given by mistake is told apart */
#define HERITAGE_LAYOUT 2u
#define HERITAGE_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define FLAG_ACCEPT_AT_ONCE 1u
#define FLAGS_KNOWN FLAG_ACCEPT_AT_ONCE

/* Followed by n_listeners of struct packed_listener and config_len bytes of text; nothing behind them. */
struct packed_head {
    uint64_t magic;
    uint32_t layout;
    uint32_t flags;
    uint64_t generation;
    uint32_t slot;
    uint32_t block;
    int32_t table_fd;
    int32_t scoreboard_fd;
    int32_t control_fd;
    uint32_t n_listeners;
    uint64_t config_len;
};

struct packed_listener {
    int32_t fd;
    uint32_t admin; /* 0 or 1 */
    char address[HERITAGE_ADDRESS_BYTES];
};

_Static_assert(sizeof(int) == sizeof(int32_t), "a descriptor fits its field");

static size_t packed_bytes(const struct packed_head *head)
{
    return sizeof(*head) + head->n_listeners * sizeof(struct packed_listener) + (size_t)head->config_len;
}

/* ---- what both ends demand ---- */

#define FDS_MAX (3 + HERITAGE_LISTENERS_MAX)

/* All descriptors, in the order of the struct. Returns how many. Async-signal-safe. */
static size_t list_fds(const struct heritage *heritage, int fds[FDS_MAX])
{
    size_t n = 0;

    fds[n++] = heritage->table_fd;
    fds[n++] = heritage->scoreboard_fd;
    fds[n++] = heritage->control_fd;
    for (size_t i = 0; i < heritage->n_listeners; i++)
        fds[n++] = heritage->listeners[i].fd;
    return n;
}

static const char *fd_label(const struct heritage *heritage, size_t i)
{
    static const char *const names[] = {"pod table", "scoreboard", "control socket"};

    return i < 3 ? names[i] : heritage->listeners[i - 3].address;
}

/* `memfd` is the heritage itself, or -1 before it is made. */
static int check_fds(const struct heritage *heritage, int memfd, struct err *err)
{
    int fds[FDS_MAX];
    size_t n = list_fds(heritage, fds);

    for (size_t i = 0; i < n; i++) {
        if (fds[i] < 0 || fcntl(fds[i], F_GETFD) < 0)
            return err_set(err, "heritage: %s: descriptor %d is not open", fd_label(heritage, i), fds[i]);
        if (fds[i] == memfd)
            return err_set(err, "heritage: %s: descriptor %d is the heritage itself", fd_label(heritage, i), memfd);
        for (size_t k = 0; k < i; k++)
            if (fds[k] == fds[i])
                return err_set(err, "heritage: %s and %s: both descriptor %d", fd_label(heritage, k),
                               fd_label(heritage, i), fds[i]);
    }
    return 0;
}

static int check(const struct heritage *heritage, int memfd, struct err *err)
{
    for (size_t i = 0; i < heritage->n_listeners; i++) {
        size_t len = strnlen(heritage->listeners[i].address, HERITAGE_ADDRESS_BYTES);

        if (len == 0 || len == HERITAGE_ADDRESS_BYTES)
            return err_set(err, "heritage: listener %zu: its address should have 1 to %d bytes", i,
                           HERITAGE_ADDRESS_BYTES - 1);
    }
    if (heritage->config_len > 0 && memchr(heritage->config, '\0', heritage->config_len))
        return err_set(err, "heritage: NUL in the configuration");
    return check_fds(heritage, memfd, err);
}

static int check_counts(size_t n_listeners, uint64_t config_len, struct err *err)
{
    if (n_listeners > HERITAGE_LISTENERS_MAX)
        return err_set(err, "heritage: %zu listeners, at most %d", n_listeners, HERITAGE_LISTENERS_MAX);
    if (config_len > HERITAGE_CONFIG_MAX)
        return err_set(err, "heritage: %ju bytes of configuration, at most %zu", (uintmax_t)config_len,
                       HERITAGE_CONFIG_MAX);
    return 0;
}

/* ---- the master ---- */

static int write_parts(int fd, const struct heritage *heritage, struct err *err)
{
    struct packed_head head = {
        .magic = HERITAGE_MAGIC,
        .layout = HERITAGE_LAYOUT,
        .flags = heritage->accept_at_once ? FLAG_ACCEPT_AT_ONCE : 0,
        .generation = heritage->generation,
        .slot = heritage->slot,
        .block = heritage->block,
        .table_fd = heritage->table_fd,
        .scoreboard_fd = heritage->scoreboard_fd,
        .control_fd = heritage->control_fd,
        .n_listeners = (uint32_t)heritage->n_listeners,
        .config_len = heritage->config_len,
    };
    int rc = fd_write_all(fd, &head, sizeof(head));

    for (size_t i = 0; rc == 0 && i < heritage->n_listeners; i++) {
        struct packed_listener listener = {.fd = heritage->listeners[i].fd, .admin = heritage->listeners[i].admin};

        /* Not a plain copy: what stands behind the NUL is the master's memory, which must not reach a worker. */
        memcpy(listener.address, heritage->listeners[i].address, strlen(heritage->listeners[i].address));
        rc = fd_write_all(fd, &listener, sizeof(listener));
    }
    if (rc == 0 && heritage->config_len > 0)
        rc = fd_write_all(fd, heritage->config, heritage->config_len);
    return rc == 0 ? 0 : err_set_errno(err, errno, "heritage: cannot be written");
}

/* Never to be executed, where the kernel knows how to say so (6.3): some are set up to refuse any other
 * memfd. */
static int open_memfd(void)
{
    int fd = memfd_create("syncer-heritage", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("syncer-heritage", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

int heritage_write(const struct heritage *heritage, struct err *err)
{
    int fd = -1;

    if (check_counts(heritage->n_listeners, heritage->config_len, err) < 0 || check(heritage, -1, err) < 0)
        return -1;
    fd = open_memfd();
    if (fd < 0) {
        err_set_errno(err, errno, "heritage: memfd_create");
    } else if (write_parts(fd, heritage, err) < 0) {
        fd_close(&fd);
    } else if (fcntl(fd, F_ADD_SEALS, HERITAGE_SEALS) < 0) {
        err_set_errno(err, errno, "heritage: cannot be sealed");
        fd_close(&fd);
    }
    return fd;
}

int heritage_let_pass(const struct heritage *heritage, int memfd)
{
    int fds[FDS_MAX];
    size_t n = list_fds(heritage, fds);

    /* What a library opened without CLOEXEC (libcurl does). Kernels before 5.11 refuse it: then that remains. */
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < n; i++)
        if (fd_set_cloexec(fds[i], false) < 0)
            return -1;
    return fd_set_cloexec(memfd, false);
}

/* ---- the worker ---- */

/* Reads exactly n bytes at an offset; the file's own position is shared with the master and is left alone. */
static int read_at(int fd, void *to, size_t n, off_t at, struct err *err)
{
    char *p = to;

    while (n > 0) {
        ssize_t got = pread(fd, p, n, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, errno, "heritage: descriptor %d", fd);
        if (got == 0)
            return err_set(err, "heritage: descriptor %d ends too early", fd);
        p += got;
        n -= (size_t)got;
        at += got;
    }
    return 0;
}

static int read_head(int fd, struct packed_head *head, struct err *err)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0)
        return err_set_errno(err, errno, "heritage: descriptor %d is no memfd", fd);
    if ((seals & HERITAGE_SEALS) != HERITAGE_SEALS)
        return err_set(err, "heritage: descriptor %d is not sealed", fd);
    if (read_at(fd, head, sizeof(*head), 0, err) < 0)
        return -1;
    if (head->magic != HERITAGE_MAGIC || head->layout != HERITAGE_LAYOUT)
        return err_set(err, "heritage: descriptor %d holds another program's or version's", fd);
    if (head->flags & ~FLAGS_KNOWN)
        return err_set(err, "heritage: unknown flags %#x", head->flags & ~FLAGS_KNOWN);
    if (check_counts(head->n_listeners, head->config_len, err) < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return err_set_errno(err, errno, "heritage: descriptor %d", fd);
    if (st.st_size < 0 || (size_t)st.st_size != packed_bytes(head))
        return err_set(err, "heritage: %jd bytes, should be %zu", (intmax_t)st.st_size, packed_bytes(head));
    return 0;
}

static int read_rest(struct heritage *heritage, int fd, const struct packed_head *head, struct err *err)
{
    off_t at = sizeof(*head);

    for (size_t i = 0; i < head->n_listeners; i++) {
        struct packed_listener listener;

        if (read_at(fd, &listener, sizeof(listener), at, err) < 0)
            return -1;
        if (listener.admin > 1)
            return err_set(err, "heritage: listener %zu: its kind should be 0 or 1", i);
        heritage->listeners[i].fd = listener.fd;
        heritage->listeners[i].admin = listener.admin;
        memcpy(heritage->listeners[i].address, listener.address, sizeof(listener.address));
        at += (off_t)sizeof(listener);
    }
    heritage->config = malloc((size_t)head->config_len + 1);
    if (!heritage->config)
        return err_set(err, "heritage: out of memory");
    heritage->config_len = (size_t)head->config_len;
    heritage->config[heritage->config_len] = '\0';
    return read_at(fd, heritage->config, heritage->config_len, at, err);
}

static int set_cloexec(const struct heritage *heritage, struct err *err)
{
    int fds[FDS_MAX];
    size_t n = list_fds(heritage, fds);

    for (size_t i = 0; i < n; i++)
        if (fd_set_cloexec(fds[i], true) < 0)
            return err_set_errno(err, errno, "heritage: %s", fd_label(heritage, i));
    return 0;
}

int heritage_read(struct heritage *heritage, int fd, struct err *err)
{
    struct packed_head head = {0};

    *heritage = (struct heritage){.table_fd = -1, .scoreboard_fd = -1, .control_fd = -1};
    if (read_head(fd, &head, err) < 0)
        return -1;
    heritage->slot = head.slot;
    heritage->block = head.block;
    heritage->generation = head.generation;
    heritage->accept_at_once = head.flags & FLAG_ACCEPT_AT_ONCE;
    heritage->table_fd = head.table_fd;
    heritage->scoreboard_fd = head.scoreboard_fd;
    heritage->control_fd = head.control_fd;
    heritage->n_listeners = head.n_listeners;
    if (read_rest(heritage, fd, &head, err) < 0 || check(heritage, fd, err) < 0 || set_cloexec(heritage, err) < 0) {
        heritage_release(heritage);
        return -1;
    }
    return 0;
}

void heritage_release(struct heritage *heritage)
{
    free(heritage->config);
    heritage->config = NULL;
    heritage->config_len = 0;
}
