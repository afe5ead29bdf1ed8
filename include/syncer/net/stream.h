/* SPDX-License-Identifier: MIT */
/*
 * An accepted connection as a stream of bytes: non-blocking, owned by one http connection. The door behind which TLS
 * would be. Worker only.
 */
#ifndef SYNCER_NET_STREAM_H
#define SYNCER_NET_STREAM_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <syncer/base/addr.h>

#define STREAM_AGAIN (-1) /* wait for the descriptor */
#define STREAM_ERROR (-2) /* the connection is gone */

struct stream {
    int fd; /* -1 when closed */
    struct addr peer; /* family 0 on a unix socket */
};

/* Accepts one connection: 0; STREAM_AGAIN if there is none; STREAM_ERROR with errno (EMFILE and the like). Sets
 * TCP_NODELAY. Connections that died in the queue are passed over. */
int stream_accept(struct stream *stream, int listen_fd);

/* Bytes read, 0 at the end of the client's sending, STREAM_AGAIN or STREAM_ERROR. */
ssize_t stream_read(struct stream *stream, void *buf, size_t room);

/* Bytes written (perhaps fewer), STREAM_AGAIN or STREAM_ERROR. Never raises SIGPIPE, never changes `iov`. */
ssize_t stream_writev(struct stream *stream, struct iovec *iov, int n);

/* No more will be written (half close), for a lingering close. */
void stream_shutdown(struct stream *stream);

/* Idempotent. */
void stream_close(struct stream *stream);

#endif
