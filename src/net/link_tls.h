/* SPDX-License-Identifier: MIT */
/* The TLS of an open link without libcurl in between. link.c only. */
#ifndef SYNCER_NET_LINK_TLS_H
#define SYNCER_NET_LINK_TLS_H

#include <stdbool.h>
#include <sys/types.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

/* The connection that libcurl has made and goes on to own, over its socket *fd, whose place must outlive it. NULL: it can't be
 * had, and libcurl is asked as before. */
SSL *link_tls_take(CURL *easy, int *fd);

/* As link_send() and link_recv(). */
ssize_t link_tls_send(SSL *ssl, const void *data, size_t len);
ssize_t link_tls_recv(SSL *ssl, void *buf, size_t room);

/* As link_has_read_ahead(). */
bool link_tls_has_read_ahead(SSL *ssl);

#endif
