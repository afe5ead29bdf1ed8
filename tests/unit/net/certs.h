/* SPDX-License-Identifier: MIT */
/* Certificates for one test, in files of a folder of its own. */
#ifndef TESTS_UNIT_NET_CERTS_H
#define TESTS_UNIT_NET_CERTS_H

struct certs {
    char dir[64];
    char ca[96], other_ca[96];       /* PEM; nothing is signed by the other one */
    char server[96], server_key[96]; /* for DNS:pods.test and IP:127.0.0.9; server and CA in one file */
    char client[96], client_key[96]; /* CN=client */
};

void certs_make(struct certs *certs);
void certs_remove(struct certs *certs);

/* The file's text in memory, NUL-terminated; the caller frees. */
char *certs_read(const char *file);
/* Writes `text` into the folder and puts the path into `path`. */
void certs_write(const struct certs *certs, const char *name, const char *text, char path[96]);

#endif
