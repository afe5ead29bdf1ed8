/* SPDX-License-Identifier: MIT */
/*
 * Who we are towards clients over TLS: certificate and key, and the CA that their certificates must come from. Read
 * completely when made; to read the files again is to make another one. TLS 1.2 and 1.3 (RFC 9325), HTTP/1.1 alone by ALPN
 * (RFC 7301), no renegotiation, no compression, no session tickets: each worker would have keys of its own for them, and
 * gateways keep their connections. Worker; main to check a configuration.
 */
#ifndef SYNCER_NET_IDENTITY_H
#define SYNCER_NET_IDENTITY_H

#include <syncer/base/err.h>

struct identity;

/* PEM files; client_ca NULL: no certificate is asked for. NULL with the reason, which names setting and file. */
struct identity *identity_new(const char *cert_file, const char *key_file, const char *client_ca_file, struct err *err);
/* Connections made with it may live on. NULL is fine. */
void identity_free(struct identity *identity);

#endif
