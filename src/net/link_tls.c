/* SPDX-License-Identifier: MIT */
/*
 * libcurl's way from curl_easy_recv() to the socket looks for the connection among all of its multi handle, goes through two
 * filters and comes back the same way, for each record's head and body: a third of what a probe cost. Once it has made the
 * connection nothing in between is needed. CURLINFO_TLS_SSL_PTR gives the SSL that it goes on to own
 * (https://curl.se/libcurl/c/CURLINFO_TLS_SSL_PTR.html); its BIO is replaced by one that only knows the socket. libcurl
 * closes by the same SSL, so close_notify goes out by that BIO as well.
 */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include <syncer/net/link.h>

#include "link_tls.h"

/* ---- the socket: as BIO_s_socket(), but a connection that is gone raises no SIGPIPE ---- */

static int on_read(BIO *bio, char *data, int room)
{
    struct link_socket *socket = BIO_get_data(bio);
    ssize_t n = recv(socket->fd, data, (size_t)room, 0);

    socket->dry = n < 0;
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static int on_write(BIO *bio, const char *data, int len)
{
    const struct link_socket *socket = BIO_get_data(bio);
    ssize_t n = send(socket->fd, data, (size_t)len, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)n;
}

static long on_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    (void)bio;
    return command == BIO_CTRL_FLUSH; /* nothing is kept back */
}

static int on_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static const BIO_METHOD *socket_method(void)
{
    static BIO_METHOD *method;

    if (method)
        return method;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "link");
    if (!method)
        return NULL;
    BIO_meth_set_read(method, on_read);
    BIO_meth_set_write(method, on_write);
    BIO_meth_set_ctrl(method, on_ctrl);
    BIO_meth_set_create(method, on_create);
    return method;
}

SSL *link_tls_take(CURL *easy, struct link_socket *socket)
{
    struct curl_tlssessioninfo *info = NULL;
    const BIO_METHOD *method = socket_method();
    BIO *bio;

    if (!method || curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || !info || !info->internals ||
        info->backend != CURLSSLBACKEND_OPENSSL)
        return NULL;
    bio = BIO_new(method);
    if (!bio)
        return NULL;
    BIO_set_data(bio, socket);
    SSL_set_bio(info->internals, bio, bio);
    SSL_set_read_ahead(info->internals, 1); /* a record's head and body by one call */
    return info->internals;
}

/* ---- bytes ---- */

/* SSL_get_error() takes an error that somebody else has left behind for this call's. The look is cheaper than the clearing. */
static void clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static ssize_t outcome(SSL *ssl, int rc)
{
    switch (SSL_get_error(ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return LINK_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL: /* a FIN without close_notify is an end like any other, as it is to libcurl */
        return BIO_test_flags(SSL_get_rbio(ssl), BIO_FLAGS_IN_EOF) ? 0 : LINK_ENDED;
    default:
        clear_errors();
        return LINK_ENDED;
    }
}

ssize_t link_tls_send(SSL *ssl, const void *data, size_t len)
{
    size_t sent;
    ssize_t n;

    clear_errors();
    if (SSL_write_ex(ssl, data, len, &sent) == 1)
        return (ssize_t)sent;
    n = outcome(ssl, 0);
    return n == LINK_AGAIN ? LINK_AGAIN : LINK_ENDED;
}

ssize_t link_tls_recv(SSL *ssl, void *buf, size_t room)
{
    struct link_socket *socket = BIO_get_data(SSL_get_rbio(ssl));
    size_t got;

    for (int reads = 0; reads < LINK_TLS_EMPTY_MAX; reads++) {
        ssize_t n;

        clear_errors();
        socket->dry = false;
        if (SSL_read_ex(ssl, buf, room, &got) == 1)
            return (ssize_t)got;
        n = outcome(ssl, 0);
        if (n != LINK_AGAIN || socket->dry)
            return n;
    }
    return LINK_ENDED;
}

/* SSL_has_pending() does not count a record's head, which has been taken out of the buffer by then. */
bool link_tls_has_read_ahead(SSL *ssl)
{
    return SSL_has_pending(ssl) || strcmp(SSL_rstate_string(ssl), "RB") == 0;
}
