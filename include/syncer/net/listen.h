/* SPDX-License-Identifier: MIT */
/*
 * Addresses to listen on, and the sockets for them: opened by the master, kept over reloads, handed to workers. Never
 * resolves a name, never logs. Master (open, close) and main (parse, to check a configuration).
 */
#ifndef SYNCER_NET_LISTEN_H
#define SYNCER_NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <syncer/base/err.h>

#define LISTEN_BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

struct listen_address {
    struct sockaddr_storage sockaddr;
    socklen_t len;
};

/* Parses "0.0.0.0:8080", "[::]:8080" or "unix:/path". 0, or -1 with what would be right. */
int listen_parse(const char *text, struct listen_address *out, struct err *err);

/* A bound, listening, non-blocking, O_CLOEXEC socket for `text`. SO_REUSEADDR; IPV6_V6ONLY on "[::]:..." so that
 * 0.0.0.0 beside it binds. A unix path: a socket file that nobody listens on any more is replaced, any other file is an
 * error; mode 0660. Its number (the caller's), or -1 with the reason; *in_use tells the error "address in use" apart
 * (exit code 69). */
int listen_open(const char *text, bool *in_use, struct err *err);

/* Closes the socket; removes the file of a unix socket if it is still the one that was made. */
void listen_close(const char *text, int *fd);

#endif
