/* SPDX-License-Identifier: MIT */
/*
 * Whom we trust and who we are, towards pods or an API server: the CA store (an X509_STORE made once, shared
 * by all connections, never libcurl's own copy) and the client certificate. Read completely when made.
 * Master, worker, ctl.
 */
#ifndef SYNCER_NET_TRUST_H
#define SYNCER_NET_TRUST_H

#include <stdbool.h>

#include <syncer/base/buf.h>
#include <syncer/base/err.h>

struct trust;

struct trust_settings {
    bool verify;           /* false: any certificate will do */
    const char *ca_file;   /* PEM bundle; NULL = the system's */
    const char *cert_file; /* PEM chain shown to the other side, with key_file; NULL = none */
    const char *key_file;
    /* What would be in those files; where it is given, the file's name only tells a person what it is. */
    const struct buf *ca_pem, *cert_pem, *key_pem;
};

/* Reads all files. NULL with the reason, which names file and setting. */
struct trust *trust_new(const struct trust_settings *settings, struct err *err);

/* One more user: each calls trust_free() once. Returns `trust`, which may be NULL. */
struct trust *trust_share(struct trust *trust);

/* The last user's call frees it. Connections made with it may live on. NULL is fine. */
void trust_free(struct trust *trust);

#endif
