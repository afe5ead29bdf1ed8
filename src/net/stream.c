/* SPDX-License-Identifier: MIT */
/* Accepted connections: the socket calls with their errors brought down to "wait" and "gone". */
#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <syncer/base/fd.h>
#include <syncer/net/stream.h>

static void set_peer(struct addr *peer, const struct sockaddr_storage *from)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

    *peer = (struct addr){0};
    if (from->ss_family == AF_INET) {
        peer->family = 4;
        memcpy(peer->bytes, &v4->sin_addr, 4);
    } else if (from->ss_family == AF_INET6 && memcmp(&v6->sin6_addr, mapped, sizeof(mapped)) == 0) {
        peer->family = 4;
        memcpy(peer->bytes, v6->sin6_addr.s6_addr + sizeof(mapped), 4);
    } else if (from->ss_family == AF_INET6) {
        peer->family = 6;
        memcpy(peer->bytes, &v6->sin6_addr, 16);
    }
}

/* Did accept() hand us the error of a connection that is dead already? It is off the queue then (accept(2),
 * "Error handling"). EPERM: a firewall rule. */
static bool died_in_queue(int error)
{
    switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
    case EPERM:
    case EINTR:
        return true;
    default:
        return false;
    }
}

int stream_accept(struct stream *stream, int listen_fd)
{
    struct sockaddr_storage from = {0};
    socklen_t len;

    *stream = (struct stream){.fd = -1};
    do {
        len = sizeof(from);
        stream->fd = accept4(listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (stream->fd < 0 && died_in_queue(errno));
    if (stream->fd < 0)
        return errno == EAGAIN ? STREAM_AGAIN : STREAM_ERROR;
    set_peer(&stream->peer, &from);
    if (stream->peer.family != 0) /* a failure would cost speed only */
        setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return 0;
}

static ssize_t outcome(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN ? STREAM_AGAIN : STREAM_ERROR;
}

ssize_t stream_read(struct stream *stream, void *buf, size_t room)
{
    ssize_t n;

    do
        n = recv(stream->fd, buf, room, 0);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

ssize_t stream_writev(struct stream *stream, struct iovec *iov, int n)
{
    const struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    do
        sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return outcome(sent);
}

void stream_shutdown(struct stream *stream)
{
    shutdown(stream->fd, SHUT_WR); /* fails only where the other side is gone already */
}

void stream_close(struct stream *stream)
{
    fd_close(&stream->fd);
}
