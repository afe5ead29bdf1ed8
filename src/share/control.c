/* SPDX-License-Identifier: MIT */
/* Messages between master and worker: one struct a datagram, checked by whoever receives it. */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include <syncer/base/must.h>
#include <syncer/share/control.h>

#define HEAD_BYTES 1
#define MALFORMED_MAX 64 /* passed over in one call: a peer gone wild must not keep us here */

/* Whether a message of that kind speaks of a pod. */
static bool has_name(unsigned kind)
{
    return kind == CONTROL_REFRESH || kind == CONTROL_UNKNOWN;
}

int control_pair(int fds[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return err_set_errno(err, errno, "control socket");
    return 0;
}

int control_send(int fd, enum control_kind kind, const char *name)
{
    char bytes[HEAD_BYTES + CONTROL_NAME_MAX];
    size_t len = name ? strlen(name) : 0;
    ssize_t sent;

    must(kind > 0 && kind < CONTROL_KINDS && (len > 0) == has_name(kind));
    if (len > CONTROL_NAME_MAX) {
        errno = EMSGSIZE; /* cut, it would be another pod's name */
        return -1;
    }
    bytes[0] = (char)kind;
    if (len > 0)
        memcpy(bytes + HEAD_BYTES, name, len);
    do
        sent = send(fd, bytes, HEAD_BYTES + len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

static int parse(const char *bytes, size_t len, struct control_message *message)
{
    unsigned char kind = (unsigned char)bytes[0];

    if (kind == 0 || kind >= CONTROL_KINDS || len > HEAD_BYTES + CONTROL_NAME_MAX ||
        (len > HEAD_BYTES) != has_name(kind) || memchr(bytes + HEAD_BYTES, '\0', len - HEAD_BYTES))
        return -1;
    message->kind = (enum control_kind)kind;
    memcpy(message->name, bytes + HEAD_BYTES, len - HEAD_BYTES);
    message->name[len - HEAD_BYTES] = '\0';
    return 0;
}

/* recv() says 0 for an empty datagram too. */
static bool is_empty_datagram(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};

    return poll(&look, 1, 0) == 0;
}

enum control_received control_receive(int fd, struct control_message *message)
{
    char bytes[HEAD_BYTES + CONTROL_NAME_MAX + 1]; /* one more: a longer datagram is told by it */

    for (int malformed = 0; malformed < MALFORMED_MAX;) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? CONTROL_NONE : CONTROL_GONE;
        if (got == 0 && !is_empty_datagram(fd))
            return CONTROL_GONE;
        if (got > 0 && parse(bytes, (size_t)got, message) == 0)
            return CONTROL_GOT;
        malformed++;
    }
    return CONTROL_NONE;
}
