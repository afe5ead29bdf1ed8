/* SPDX-License-Identifier: MIT */
/* Which files are taken, and that what is wrong with one is said with its setting and its name. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <syncer/net/trust.h>

#include "certs.h"

static struct certs certs;

static void make(void)
{
    certs_make(&certs);
}

static void drop(void)
{
    certs_remove(&certs);
}

TestSuite(trust, .timeout = 10, .init = make, .fini = drop);

static void taken(const struct trust_settings *settings)
{
    struct err err = {""};
    struct trust *trust = trust_new(settings, &err);

    cr_expect(trust, "%s", err.text);
    trust_free(trust);
}

/* The reason must name the setting and the file, and say `why`. */
static void refused(const struct trust_settings *settings, const char *setting, const char *file, const char *why)
{
    struct err err = {""};

    cr_expect_null(trust_new(settings, &err));
    cr_expect(strncmp(err.text, setting, strlen(setting)) == 0 && strstr(err.text, file) && strstr(err.text, why), "%s",
              err.text);
}

Test(trust, good_files)
{
    taken(&(struct trust_settings){.verify = true, .ca_file = certs.ca});
    taken(&(struct trust_settings){.verify = true});
    taken(&(struct trust_settings){
        .verify = true, .ca_file = certs.ca, .cert_file = certs.client, .key_file = certs.client_key});
    taken(&(struct trust_settings){.verify = false, .cert_file = certs.client, .key_file = certs.client_key});
}

Test(trust, what_is_not_there)
{
    struct trust_settings settings = {.verify = true, .ca_file = "/nonexistent/ca.pem"};

    refused(&settings, "tls_ca: ", "/nonexistent/ca.pem", "o such file");
    settings = (struct trust_settings){.cert_file = "/nonexistent/c.pem", .key_file = certs.client_key};
    refused(&settings, "tls_cert: ", "/nonexistent/c.pem", "o such file");
    settings = (struct trust_settings){.cert_file = certs.client, .key_file = "/nonexistent/k.pem"};
    refused(&settings, "tls_key: ", "/nonexistent/k.pem", "o such file");
}

/* Its opening would wait for somebody who writes. */
Test(trust, a_fifo_is_no_file)
{
    char fifo[96];

    snprintf(fifo, sizeof(fifo), "%.80s/fifo", certs.dir);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    refused(&(struct trust_settings){.ca_file = fifo}, "tls_ca: ", fifo, "not a regular file");
    refused(&(struct trust_settings){.cert_file = fifo, .key_file = certs.client_key}, "tls_cert: ", fifo,
            "not a regular file");
    refused(&(struct trust_settings){.cert_file = certs.client, .key_file = fifo}, "tls_key: ", fifo,
            "not a regular file");
    unlink(fifo);
}

Test(trust, a_key_of_another_certificate)
{
    struct trust_settings settings = {.cert_file = certs.client, .key_file = certs.server_key};

    refused(&settings, "tls_key: ", certs.server_key, "is not the key of tls_cert");
}

/* The file with one line of its `n`-th certificate spoilt. */
static void spoil(const char *file, unsigned n, const char *name, char path[96])
{
    char *text = certs_read(file), *at = text;

    for (unsigned i = 0; i <= n; i++)
        at = strstr(at, "-----BEGIN CERTIFICATE-----\n") + 28;
    memset(at + 20, '*', 8);
    certs_write(&certs, name, text, path);
    free(text);
}

Test(trust, damaged_certificates)
{
    struct trust_settings settings = {.verify = true};
    char path[96];

    spoil(certs.client, 0, "leaf.pem", path);
    settings.cert_file = path;
    settings.key_file = certs.client_key;
    refused(&settings, "tls_cert: ", path, "");
    spoil(certs.client, 1, "issuer.pem", path);
    refused(&settings, "tls_cert: ", path, "");
    settings.cert_file = NULL;
    spoil(certs.ca, 0, "bundle.pem", path);
    settings.ca_file = path;
    refused(&settings, "tls_ca: ", path, "");
}

Test(trust, a_chain_that_is_cut)
{
    struct trust_settings settings = {.key_file = certs.client_key};
    char *text = certs_read(certs.client), path[96];

    text[strlen(text) - 100] = '\0';
    certs_write(&certs, "cut.pem", text, path);
    settings.cert_file = path;
    refused(&settings, "tls_cert: ", path, "");
    free(text);
}

Test(trust, text_around_certificates)
{
    struct trust_settings settings = {.key_file = certs.client_key};
    char *text = certs_read(certs.client), with_text[16384], path[96];

    snprintf(with_text, sizeof(with_text), "subject: client\n%s\nthat was all\n", text);
    certs_write(&certs, "text.pem", with_text, path);
    settings.cert_file = path;
    taken(&settings);
    free(text);
}
