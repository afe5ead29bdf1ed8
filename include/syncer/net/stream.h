/* SPDX-License-Identifier: MIT */
/*
 * An accepted connection as a stream of bytes, plain or TLS: non-blocking, owned by one http connection. A handshake is
 * part of the first reads. Worker only.
 */
#ifndef SYNCER_NET_STREAM_H
#define SYNCER_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <syncer/base/addr.h>
#include <syncer/net/identity.h>

#define STREAM_AGAIN (-1) /* wait for the descriptor */
#define STREAM_ERROR (-2) /* the connection is gone */

struct stream {
    int fd;             /* -1 when closed */
    struct addr peer;   /* family 0 on a unix socket */
    struct ssl_st *tls; /* NULL = plain */
    /* After STREAM_AGAIN: what the descriptor must be ready for, EPOLLIN or EPOLLOUT, if it is not what the call was for (a
     * read may have to write); else 0. */
    uint32_t wants;
};

/* Accepts one connection, over TLS if `identity` is not NULL, but for a unix socket, where the file's mode protects: 0; STREAM_AGAIN if there is none; STREAM_ERROR with errno (EMFILE and the like). Sets
 * TCP_NODELAY. Connections that died in the queue are passed over. */
int stream_accept(struct stream *stream, int listen_fd, struct identity *identity);

/* Is a TLS handshake under way? */
bool stream_is_shaking(const struct stream *stream);
/* Why the handshake failed, after STREAM_ERROR: a text of OpenSSL's, never NULL. */
const char *stream_reason(void);

/* Bytes read, 0 at the end of the client's sending, STREAM_AGAIN or STREAM_ERROR. Fewer than there is room for: whatever
 * comes next makes the descriptor readable. */
ssize_t stream_read(struct stream *stream, void *buf, size_t room);

/* Bytes written (perhaps fewer), STREAM_AGAIN or STREAM_ERROR. Never raises SIGPIPE, never changes `iov`. */
ssize_t stream_writev(struct stream *stream, struct iovec *iov, int n);

/* No more will be written (half close), for a lingering close. */
void stream_shutdown(struct stream *stream);

/* Idempotent. */
void stream_close(struct stream *stream);

#endif
