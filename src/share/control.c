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
#define MESSAGE_MAX (HEAD_BYTES + CONTROL_NAME_MAX + 1 + CONTROL_TEXT_MAX)
#define MALFORMED_MAX 64 /* passed over in one call: a peer gone wild must not keep us here */

/* Whether a message of that kind speaks of a pod. */
static bool has_name(unsigned kind)
{
    return kind == CONTROL_REFRESH || kind == CONTROL_UNKNOWN || kind == CONTROL_DOWN;
}

int control_pair(int fds[2], struct err *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return err_set_errno(err, errno, "control socket");
    return 0;
}

static int send_bytes(int fd, const char *bytes, size_t len)
{
    ssize_t sent;

    do
        sent = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

int control_send(int fd, enum control_kind kind, const char *name)
{
    char bytes[HEAD_BYTES + CONTROL_NAME_MAX];
    size_t len = name ? strlen(name) : 0;

    must(kind > 0 && kind < CONTROL_KINDS && kind != CONTROL_DOWN && (len > 0) == has_name(kind));
    if (len > CONTROL_NAME_MAX) {
        errno = EMSGSIZE; /* cut, it would be another pod's name */
        return -1;
    }
    bytes[0] = (char)kind;
    if (len > 0)
        memcpy(bytes + HEAD_BYTES, name, len);
    return send_bytes(fd, bytes, HEAD_BYTES + len);
}

int control_send_down(int fd, const char *name, const char *text)
{
    char bytes[MESSAGE_MAX];
    size_t len = strlen(name), text_len = strnlen(text, CONTROL_TEXT_MAX);

    must(len > 0 && len <= CONTROL_NAME_MAX);
    bytes[0] = CONTROL_DOWN;
    memcpy(bytes + HEAD_BYTES, name, len + 1);
    memcpy(bytes + HEAD_BYTES + len + 1, text, text_len);
    return send_bytes(fd, bytes, HEAD_BYTES + len + 1 + text_len);
}

static int copy_text(char *out, size_t max, const char *bytes, size_t len)
{
    if (len > max || memchr(bytes, '\0', len))
        return -1;
    memcpy(out, bytes, len);
    out[len] = '\0';
    return 0;
}

/* Of CONTROL_DOWN the text stands behind the name and a NUL. */
static int parse(const char *bytes, size_t len, struct control_message *message)
{
    unsigned char kind = (unsigned char)bytes[0];
    const char *name = bytes + HEAD_BYTES, *text = bytes + len;
    size_t name_len = len - HEAD_BYTES;

    if (kind == 0 || kind >= CONTROL_KINDS)
        return -1;
    if (kind == CONTROL_DOWN) {
        name_len = strnlen(name, name_len);
        if (name + name_len == text)
            return -1;
        text = name + name_len + 1;
    }
    if ((name_len > 0) != has_name(kind) || copy_text(message->name, CONTROL_NAME_MAX, name, name_len) < 0)
        return -1;
    message->kind = (enum control_kind)kind;
    return copy_text(message->text, CONTROL_TEXT_MAX, text, (size_t)(bytes + len - text));
}

/* recv() says 0 for an empty datagram too. */
static bool is_empty_datagram(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};

    return poll(&look, 1, 0) == 0;
}

enum control_received control_receive(int fd, struct control_message *message)
{
    char bytes[MESSAGE_MAX + 1]; /* one more: a longer datagram is told by it */

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
