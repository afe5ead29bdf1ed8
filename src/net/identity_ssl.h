/* SPDX-License-Identifier: MIT */
/* For stream.c: the one other file that touches OpenSSL's side of an accepted connection. */
#ifndef SYNCER_NET_IDENTITY_SSL_H
#define SYNCER_NET_IDENTITY_SSL_H

#include <openssl/ssl.h>

#include <syncer/net/identity.h>

/* The server's end of a connection on `fd`, its handshake to come. NULL if memory is out. */
SSL *identity_accept(struct identity *identity, int fd);

#endif
