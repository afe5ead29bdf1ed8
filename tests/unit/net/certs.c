/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "certs.h"

struct issuer {
    X509 *cert;
    EVP_PKEY *key;
};

static void extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    cr_assert(extension && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* A certificate of a new key for an hour, signed by `issuer` or, NULL, by itself. */
static struct issuer make(const char *cn, const char *names, const struct issuer *issuer)
{
    static long serial;
    struct issuer made = {.cert = X509_new(), .key = EVP_EC_gen("P-256")};
    X509_NAME *subject = X509_get_subject_name(made.cert);

    cr_assert(made.cert && made.key);
    X509_set_version(made.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.cert), 3600);
    X509_set_pubkey(made.cert, made.key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(made.cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
    if (!issuer)
        extend(made.cert, NID_basic_constraints, "critical,CA:TRUE");
    if (names)
        extend(made.cert, NID_subject_alt_name, names);
    cr_assert_gt(X509_sign(made.cert, issuer ? issuer->key : made.key, EVP_sha256()), 0);
    return made;
}

static void release(struct issuer *made)
{
    X509_free(made->cert);
    EVP_PKEY_free(made->key);
}

static FILE *create(const struct certs *certs, const char *name, char path[96])
{
    FILE *file;

    snprintf(path, 96, "%.60s/%.30s", certs->dir, name);
    file = fopen(path, "we");
    cr_assert(file);
    return file;
}

static void write_certs(const struct certs *certs, const char *name, char path[96], X509 *first, X509 *second)
{
    FILE *file = create(certs, name, path);

    cr_assert_eq(PEM_write_X509(file, first), 1);
    if (second)
        cr_assert_eq(PEM_write_X509(file, second), 1);
    fclose(file);
}

static void write_key(const struct certs *certs, const char *name, char path[96], EVP_PKEY *key)
{
    FILE *file = create(certs, name, path);

    cr_assert_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

void certs_make(struct certs *certs)
{
    struct issuer ca = make("Test CA", NULL, NULL), other = make("Other CA", NULL, NULL);
    struct issuer server = make("server", "DNS:pods.test,IP:127.0.0.9", &ca), client = make("client", NULL, &ca);

    snprintf(certs->dir, sizeof(certs->dir), "/tmp/syncer-certs-XXXXXX");
    cr_assert(mkdtemp(certs->dir));
    write_certs(certs, "ca.pem", certs->ca, ca.cert, NULL);
    write_certs(certs, "other.pem", certs->other_ca, other.cert, NULL);
    write_certs(certs, "server.pem", certs->server, server.cert, ca.cert);
    write_certs(certs, "client.pem", certs->client, client.cert, ca.cert);
    write_key(certs, "server.key", certs->server_key, server.key);
    write_key(certs, "client.key", certs->client_key, client.key);
    release(&ca);
    release(&other);
    release(&server);
    release(&client);
}

void certs_remove(struct certs *certs)
{
    DIR *dir = opendir(certs->dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(certs->dir);
}

char *certs_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, 16384);

    cr_assert(file && text);
    cr_assert_lt(fread(text, 1, 16384, file), 16384);
    fclose(file);
    return text;
}

void certs_write(const struct certs *certs, const char *name, const char *text, char path[96])
{
    FILE *file = create(certs, name, path);

    cr_assert_geq(fputs(text, file), 0);
    fclose(file);
}
