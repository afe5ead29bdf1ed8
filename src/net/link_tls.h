/* SPDX-License-Identifier: MIT */
/* The TLS of an open link without libcurl in between. link.c only. */
#ifndef SYNCER_NET_LINK_TLS_H
#define SYNCER_NET_LINK_TLS_H

#include <stdbool.h>
#include <sys/types.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

/* Reads that bring no bytes, one after the other: session tickets, of which one or two follow a handshake, and key updates.
 * Who sends them without end would keep OpenSSL reading, and everybody waiting, for as long. Hence trust_use's by_record. */
#define LINK_TLS_EMPTY_MAX 8

struct link_socket {
    int fd;   /* until libcurl has closed it */
    bool dry; /* the last read found nothing */
};

/* The connection that libcurl has made and goes on to own, over its socket, whose place must outlive it. NULL: it can't be
 * had, and libcurl is asked as before. */
SSL *link_tls_take(CURL *easy, struct link_socket *socket);

/* As link_send() and link_recv(). */
ssize_t link_tls_send(SSL *ssl, const void *data, size_t len);
ssize_t link_tls_recv(SSL *ssl, void *buf, size_t room);

/* As link_has_read_ahead(). */
bool link_tls_has_read_ahead(SSL *ssl);

#endif
