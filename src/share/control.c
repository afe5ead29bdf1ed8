/* SPDX-License-Identifier: MIT */
/* Messages between master and worker: one struct a datagram, checked by whoever receives it. */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <syncer/share/control.h>

#define HEAD_BYTES 1

int control_pair(int fds[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return err_set_errno(err, errno, "control socket");
    return 0;
}

int control_send(int fd, enum control_kind kind, const char *name)
{
    char bytes[HEAD_BYTES + CONTROL_NAME_MAX];
    size_t len = name ? strnlen(name, CONTROL_NAME_MAX) : 0;
    ssize_t sent;

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
        memchr(bytes + HEAD_BYTES, '\0', len - HEAD_BYTES))
        return -1;
    message->kind = (enum control_kind)kind;
    memcpy(message->name, bytes + HEAD_BYTES, len - HEAD_BYTES);
    message->name[len - HEAD_BYTES] = '\0';
    return 0;
}

enum control_received control_receive(int fd, struct control_message *message)
{
    char bytes[HEAD_BYTES + CONTROL_NAME_MAX + 1]; /* one more: a longer datagram is told by it */

    for (;;) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? CONTROL_NONE : CONTROL_GONE;
        if (got == 0)
            return CONTROL_GONE;
        if (parse(bytes, (size_t)got, message) == 0)
            return CONTROL_GOT;
    }
}
