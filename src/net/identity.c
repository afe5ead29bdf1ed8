/* SPDX-License-Identifier: MIT */
/* The SSL_CTX of the listening sockets. What happens on a connection is stream.c's. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "identity_ssl.h"
#include "openssl_error.h"

struct identity {
    SSL_CTX *ctx;
};

/* "http/1.1" or nothing: a client that offers only others is told so. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* An encrypted key is an error, not a question on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)rwflag, (void)arg;
    if (size > 0)
        buf[0] = '\0';
    return 0;
}

static void set_rules(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    /* The answer of a slice is offered again from another address; idle clients hold no buffers. */
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    /* A read is over with a record, also one that brings no bytes: who sends key updates without end (RFC 8446 section
     * 4.6.3) would keep OpenSSL reading for as long. */
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
}

static int demand_certificates(SSL_CTX *ctx, const char *ca_file, struct err *err)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);

    if (!names)
        return openssl_file_failed(err, "listen_tls_client_ca", ca_file);
    SSL_CTX_set_client_CA_list(ctx, names);
    if (SSL_CTX_load_verify_file(ctx, ca_file) != 1)
        return openssl_file_failed(err, "listen_tls_client_ca", ca_file);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return 0;
}

static int load(SSL_CTX *ctx, const char *cert_file, const char *key_file, const char *ca_file, struct err *err)
{
    ERR_clear_error();
    if (openssl_file_check(err, "listen_tls_cert", cert_file) < 0 ||
        openssl_file_check(err, "listen_tls_key", key_file) < 0 ||
        openssl_file_check(err, "listen_tls_client_ca", ca_file) < 0)
        return -1;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return openssl_file_failed(err, "listen_tls_cert", cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return openssl_file_failed(err, "listen_tls_key", key_file);
    return ca_file ? demand_certificates(ctx, ca_file, err) : 0;
}

struct identity *identity_new(const char *cert_file, const char *key_file, const char *client_ca_file, struct err *err)
{
    struct identity *identity = calloc(1, sizeof(*identity));

    if (identity)
        identity->ctx = SSL_CTX_new(TLS_server_method());
    if (!identity || !identity->ctx) {
        err_set(err, "listen_tls_cert: out of memory");
        identity_free(identity);
        return NULL;
    }
    set_rules(identity->ctx);
    if (load(identity->ctx, cert_file, key_file, client_ca_file, err) < 0) {
        identity_free(identity);
        return NULL;
    }
    return identity;
}

void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    SSL_CTX_free(identity->ctx);
    free(identity);
}

SSL *identity_accept(struct identity *identity, int fd)
{
    SSL *ssl = SSL_new(identity->ctx);

    if (ssl && SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    if (ssl)
        SSL_set_accept_state(ssl);
    ERR_clear_error();
    return ssl;
}
