/* SPDX-License-Identifier: MIT */
/*
 * One X509_STORE for all connections. libcurl would read its bundle anew for each one (0.83 ms of CPU with a
 * shared store, 18 ms with the system's bundle), so it is told of none, and the store is put into each
 * SSL_CTX instead.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <syncer/base/addr.h>

#include "openssl_error.h"
#include "trust_curl.h"

struct trust {
    unsigned users;
    bool verify;
    X509_STORE *store;
    X509 *cert; /* shown to the other side; NULL = none */
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
};

/* ---- files ---- */

/* The setting that errors name: bytes that are given come from none. */
#define SETTING(pem, name) ((pem) ? NULL : (name))

static BIO *open_pem(const char *file, const struct buf *pem)
{
    return pem ? BIO_new_mem_buf(pem->data, (int)pem->len) : BIO_new_file(file, "r");
}

/* All certificates of a bundle; text between them is no fault, a damaged one is. */
static int add_bundle(X509_STORE *store, const char *name, const struct buf *pem, struct err *err)
{
    BIO *in = open_pem(name, pem);
    X509 *cert;
    int n = 0, added = 1;

    while (in && added == 1 && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
        added = X509_STORE_add_cert(store, cert);
        X509_free(cert);
        n++;
    }
    BIO_free(in);
    if (added != 1 || n == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return openssl_file_failed(err, NULL, name);
    ERR_clear_error();
    return 0;
}

static int load_store(struct trust *trust, const struct trust_settings *settings, struct err *err)
{
    const char *file = settings->ca_file;

    trust->store = X509_STORE_new();
    if (!trust->store)
        return err_set(err, "CA store: out of memory");
    if (settings->ca_pem)
        return add_bundle(trust->store, file, settings->ca_pem, err);
    if (file)
        return X509_STORE_load_file(trust->store, file) == 1 ? 0 : openssl_file_failed(err, "tls_ca", file);
    if (X509_STORE_set_default_paths(trust->store) != 1)
        return openssl_file_failed(err, "tls_ca", "the system's certificates");
    return 0;
}

/* The certificates behind the first, to the end of the file; text between them is no fault, a damaged one is. */
static int load_issuers(struct trust *trust, BIO *in, const char *setting, const char *file, struct err *err)
{
    X509 *cert;

    while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)))
        if (!sk_X509_push(trust->chain, cert)) {
            X509_free(cert);
            return err_set(err, "%s: out of memory", file);
        }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return openssl_file_failed(err, setting, file);
    ERR_clear_error();
    return 0;
}

static int load_chain(struct trust *trust, const struct trust_settings *settings, struct err *err)
{
    const char *file = settings->cert_file, *setting = SETTING(settings->cert_pem, "tls_cert");
    BIO *in = open_pem(file, settings->cert_pem);
    int rc;

    trust->cert = in ? PEM_read_bio_X509_AUX(in, NULL, NULL, NULL) : NULL;
    trust->chain = sk_X509_new_null();
    if (trust->cert && trust->chain)
        rc = load_issuers(trust, in, setting, file, err);
    else
        rc = openssl_file_failed(err, setting, file);
    BIO_free(in);
    return rc;
}

static int load_key(struct trust *trust, const struct trust_settings *settings, struct err *err)
{
    const char *file = settings->key_file, *setting = SETTING(settings->key_pem, "tls_key");
    BIO *in = open_pem(file, settings->key_pem);
    char no_passphrase[] = ""; /* an encrypted key is an error, not a question on the terminal */

    trust->key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, no_passphrase) : NULL;
    BIO_free(in);
    if (!trust->key)
        return openssl_file_failed(err, setting, file);
    if (X509_check_private_key(trust->cert, trust->key) != 1) {
        ERR_clear_error();
        err_set(err, "%s: is not the key of %s", file, settings->cert_pem ? settings->cert_file : "tls_cert");
        return setting ? err_context(err, "%s", setting) : -1;
    }
    return 0;
}

static int check_files(const struct trust_settings *settings, struct err *err)
{
    if (!settings->ca_pem && openssl_file_check(err, "tls_ca", settings->ca_file) < 0)
        return -1;
    if (!settings->cert_pem && openssl_file_check(err, "tls_cert", settings->cert_file) < 0)
        return -1;
    return settings->key_pem ? 0 : openssl_file_check(err, "tls_key", settings->key_file);
}

struct trust *trust_new(const struct trust_settings *settings, struct err *err)
{
    struct trust *trust = calloc(1, sizeof(*trust));
    int rc = -1;

    if (!trust) {
        err_set(err, "CA store: out of memory");
        return NULL;
    }
    trust->users = 1;
    trust->verify = settings->verify;
    ERR_clear_error();
    if (check_files(settings, err) == 0 && load_store(trust, settings, err) == 0)
        rc = settings->cert_file ? load_chain(trust, settings, err) : 0;
    if (rc == 0 && settings->cert_file)
        rc = load_key(trust, settings, err);
    if (rc < 0) {
        trust_free(trust);
        trust = NULL;
    }
    return trust;
}

struct trust *trust_share(struct trust *trust)
{
    if (trust)
        trust->users++;
    return trust;
}

void trust_free(struct trust *trust)
{
    if (!trust || --trust->users > 0)
        return;
    X509_STORE_free(trust->store);
    X509_free(trust->cert);
    sk_X509_pop_free(trust->chain, X509_free);
    EVP_PKEY_free(trust->key);
    free(trust);
}

/* ---- the names in a certificate, for a person ---- */

static void add_name(struct trust_use *use, const char *name, size_t len)
{
    size_t at = strlen(use->names);

    if (at + len + 3 > sizeof(use->names))
        return;
    if (at > 0) {
        memcpy(use->names + at, ", ", 2);
        at += 2;
    }
    for (size_t i = 0; i < len; i++)
        use->names[at + i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
    use->names[at + len] = '\0';
}

static void add_ip(struct trust_use *use, const ASN1_OCTET_STRING *ip)
{
    struct addr addr = {.family = ASN1_STRING_length(ip) == 4 ? 4 : 6};
    char text[ADDR_TEXT_BYTES];

    if (ASN1_STRING_length(ip) != 4 && ASN1_STRING_length(ip) != 16)
        return;
    memcpy(addr.bytes, ASN1_STRING_get0_data(ip), (size_t)ASN1_STRING_length(ip));
    addr_format(&addr, text);
    add_name(use, text, strlen(text));
}

static void note_names(struct trust_use *use, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

    use->names[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS)
            add_name(use, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                     (size_t)ASN1_STRING_length(name->d.dNSName));
        else if (name->type == GEN_IPADD)
            add_ip(use, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
    if (!use->names[0])
        X509_NAME_oneline(X509_get_subject_name(cert), use->names, sizeof(use->names));
}

/* ---- libcurl ---- */

/* Days and seconds since the epoch: time_t may have no room for a certificate without an end (RFC 5280 section 4.1.2.5). */
static void note_expiry(struct trust_use *use, const X509 *cert)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    use->expires_s = 0;
    if (epoch && ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(cert)) == 1 && days >= 0 && seconds >= 0)
        use->expires_s = (int64_t)days * 86400 + seconds;
    ASN1_TIME_free(epoch);
}

/* In place of OpenSSL's own verification, which it calls: the one moment at which the certificate is in hand
 * even if it is then refused. Where nothing is verified, it is only looked at. */
static int verify(X509_STORE_CTX *store, void *arg)
{
    struct trust_use *use = arg;
    X509 *cert = X509_STORE_CTX_get0_cert(store);

    if (cert) {
        note_names(use, cert);
        note_expiry(use, cert);
    }
    return use->trust->verify ? X509_verify_cert(store) : 1;
}

/* CURLOPT_SSL_CTX_FUNCTION: for each new connection. */
static CURLcode on_ssl_ctx(CURL *easy, void *ssl_ctx, void *arg)
{
    struct trust_use *use = arg;
    const struct trust *trust = use->trust;
    SSL_CTX *ctx = ssl_ctx;

    (void)easy;
    /* The other side can't make us verify again: `use` may have gone while the connection is kept. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    if (use->by_record)
        SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    if (trust->verify && SSL_CTX_set1_verify_cert_store(ctx, trust->store) != 1)
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set_cert_verify_callback(ctx, verify, use);
    if (trust->cert && SSL_CTX_use_cert_and_key(ctx, trust->cert, trust->key, trust->chain, 1) != 1)
        return CURLE_SSL_CERTPROBLEM;
    return CURLE_OK;
}

int trust_apply(struct trust_use *use, const struct trust *trust, CURL *easy, struct err *err)
{
    long verify_it = trust->verify;
    CURLcode code = CURLE_OK;

    use->trust = trust;
    use->names[0] = '\0';
    use->expires_s = 0;
#define SET(option, value) code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code
    SET(CURLOPT_SSL_VERIFYPEER, verify_it);
    SET(CURLOPT_SSL_VERIFYHOST, verify_it ? 2L : 0L);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL); /* Debian's default disables the cache of the CA store */
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
    SET(CURLOPT_SSL_CTX_DATA, use);
#undef SET
    return code == CURLE_OK ? 0 : err_set(err, "libcurl: %s", curl_easy_strerror(code));
}
