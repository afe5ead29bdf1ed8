/* SPDX-License-Identifier: MIT */
/* Accepted connections: the calls of sockets and of OpenSSL with their errors brought down to "wait" and
 * "gone". */
#include <config.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include <syncer/base/fd.h>
#include <syncer/net/stream.h>

#include "identity_ssl.h"
#include "openssl_error.h"

#define RECORD_BYTES ((size_t)16 * 1024) /* RFC 8446 section 5.1 */

static void set_peer(struct addr *peer, const struct sockaddr_storage *from)
{
    *peer = (struct addr){0};
    if (from->ss_family == AF_INET)
        addr_set_v4(peer, &((const struct sockaddr_in *)from)->sin_addr);
    else if (from->ss_family == AF_INET6)
        addr_set_v6(peer, &((const struct sockaddr_in6 *)from)->sin6_addr);
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

int stream_accept(struct stream *stream, int listen_fd, struct identity *identity)
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
    if (stream->peer.family == 0)
        return 0;
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* a failure would cost speed only */
    if (identity && !(stream->tls = identity_accept(identity, stream->fd))) {
        fd_close(&stream->fd);
        errno = ENOMEM;
        return STREAM_ERROR;
    }
    return 0;
}

/* ---- TLS ---- */

/* Of a call that failed. `natural`: what it waits for if OpenSSL wants nothing else. */
static ssize_t tls_outcome(struct stream *stream, int rc, uint32_t natural)
{
    uint32_t wants;

    switch (SSL_get_error(stream->tls, rc)) {
    case SSL_ERROR_WANT_READ:
        wants = EPOLLIN;
        break;
    case SSL_ERROR_WANT_WRITE:
        wants = EPOLLOUT;
        break;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return STREAM_ERROR;
    }
    stream->wants = wants == natural ? 0 : wants;
    return STREAM_AGAIN;
}

/* Until there is no room or nothing more has come: OpenSSL keeps what is left of a record, and no event would
 * tell. */
static ssize_t tls_read(struct stream *stream, char *buf, size_t room)
{
    size_t got, done = 0;
    ssize_t rc = 0;

    while (done < room) {
        ERR_clear_error();
        if (SSL_read_ex(stream->tls, buf + done, room - done, &got) != 1) {
            rc = tls_outcome(stream, 0, EPOLLIN);
            break;
        }
        done += got;
    }
    return done > 0 ? (ssize_t)done : rc; /* an end, or an error, is there for the next call, too */
}

/* Head and body in one record, where they fit. */
static ssize_t tls_write(struct stream *stream, const struct iovec *iov, int n)
{
    char record[RECORD_BYTES];
    size_t len = 0, sent;

    for (int i = 0; i < n; i++) {
        size_t part = iov[i].iov_len < sizeof(record) - len ? iov[i].iov_len : sizeof(record) - len;

        memcpy(record + len, iov[i].iov_base, part);
        len += part;
    }
    if (len == 0)
        return 0;
    ERR_clear_error();
    if (SSL_write_ex(stream->tls, record, len, &sent) == 1)
        return (ssize_t)sent;
    return tls_outcome(stream, 0, EPOLLOUT) == STREAM_AGAIN ? STREAM_AGAIN : STREAM_ERROR;
}

bool stream_is_shaking(const struct stream *stream)
{
    return stream->tls && !SSL_is_init_finished(stream->tls);
}

const char *stream_reason(void)
{
    const char *reason = openssl_reason();

    return reason ? reason : "the client has gone";
}

/* ---- either ---- */

static ssize_t outcome(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN ? STREAM_AGAIN : STREAM_ERROR;
}

ssize_t stream_read(struct stream *stream, void *buf, size_t room)
{
    ssize_t n;

    stream->wants = 0;
    if (stream->tls)
        return tls_read(stream, buf, room);
    do
        n = recv(stream->fd, buf, room, 0);
    while (n < 0 && errno == EINTR);
    return outcome(n);
}

ssize_t stream_writev(struct stream *stream, struct iovec *iov, int n)
{
    const struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    stream->wants = 0;
    if (stream->tls)
        return tls_write(stream, iov, n);
    do
        sent = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return outcome(sent);
}

/* What the client still sends is thrown away by the caller: no need to decipher it. */
void stream_shutdown(struct stream *stream)
{
    stream->wants = 0;
    if (stream->tls) {
        ERR_clear_error();
        SSL_shutdown(stream->tls); /* close_notify; fails only where the other side is gone already */
        SSL_free(stream->tls);
        stream->tls = NULL;
    }
    shutdown(stream->fd, SHUT_WR);
}

void stream_close(struct stream *stream)
{
    if (stream->tls) {
        SSL_free(stream->tls);
        stream->tls = NULL;
    }
    fd_close(&stream->fd);
}
