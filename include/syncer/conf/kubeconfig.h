/* SPDX-License-Identifier: MIT */
/*
 * The reader of kubeconfig files: of all clusters and users in them, what the current context names. Knows the files and
 * what may stand in them; reads no file that they name, and connects to nothing. Values of keys that it does not know
 * are passed over, those that it can't honour (exec plugins, proxies, passwords, impersonation) are errors that say what
 * to do instead. It holds secrets: they are wiped on release, and no error shows one. Master only.
 * https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
#ifndef SYNCER_CONF_KUBECONFIG_H
#define SYNCER_CONF_KUBECONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include <syncer/base/buf.h>
#include <syncer/base/err.h>

#define KUBECONFIG_MAX_BYTES ((size_t)1024 * 1024) /* of a file */
#define KUBECONFIG_MAX_FILES 16
#define KUBECONFIG_MAX_ENTRIES 4096 /* clusters, contexts and users of all files */

/* A CA, a certificate, a key or a token: in a file, or inline. */
struct kubeconfig_part {
    char *origin;    /* "FILE:LINE: KEY", for errors; NULL = there is none, and the rest is empty */
    char *path;      /* of the file; NULL = inline. A relative one has the kubeconfig's folder in front */
    struct buf data; /* inline, without its base64 */
};

struct kubeconfig {
    char *server;          /* "https://host[:port][/path]", no slash at its end; http on loopback only */
    char *tls_server_name; /* NULL = the server's host */
    char *namespace;       /* of the context; NULL = none */
    bool insecure;         /* any certificate will do; there is no CA then */
    struct kubeconfig_part ca, token;
    struct kubeconfig_part cert, key; /* both or none */
};

struct kubeconfig_text {
    const char *name; /* path of the file: errors call it so, and its folder is that of relative paths */
    const char *text;
    size_t len;
};

/* Empty: nothing is in it, and kubeconfig_release() may be called. */
void kubeconfig_init(struct kubeconfig *kubeconfig);

/* Reads texts as if they were one file; where two have the same entry, the first one's counts. 0, or -1 with the reason
 * ("NAME:LINE: KEY: ..."); then it is empty. */
int kubeconfig_parse(struct kubeconfig *kubeconfig, const struct kubeconfig_text *texts, size_t n, struct err *err);

/* kubeconfig_parse() of a file. */
int kubeconfig_read(struct kubeconfig *kubeconfig, const char *path, struct err *err);

/* kubeconfig_parse() of files with ':' between them, as in the variable KUBECONFIG; those that do not exist are passed
 * over as long as there is one. */
int kubeconfig_read_list(struct kubeconfig *kubeconfig, const char *paths, struct err *err);

/* Wipes and frees what is in it; it is empty then. */
void kubeconfig_release(struct kubeconfig *kubeconfig);

#endif
