/* SPDX-License-Identifier: MIT */
/*
 * A server of a test's own: a child process that does what a script says, one connection after the other,
 * with blocking calls. It is another process so that a test may use up its own descriptors. Ends with the
 * test, also with one that fails.
 */
#ifndef TESTS_UNIT_NET_FAKE_SERVER_H
#define TESTS_UNIT_NET_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FAKE_HEAD_BYTES 4096

/* What the child saw; shared memory. What belongs to an answer that has arrived is there. */
struct fake_seen {
    unsigned connections, requests;
    unsigned resumed, bad_handshakes; /* TLS */
    char client[64];                  /* the last client certificate's CN; "" = none came */
    char head[FAKE_HEAD_BYTES];       /* of the last request, NUL-terminated */
};

/* TLS as a server does it; NULL for plain. */
struct fake_tls {
    const char *cert, *key;
    const char *client_ca; /* asks for a certificate of this CA; NULL = asks for none */
    int version;           /* TLS1_2_VERSION, or 0 = what OpenSSL likes best */
};

struct fake_server {
    pid_t pid;
    uint16_t port;
    int go_fd;
    struct fake_seen *seen;
};

struct fake_conn {
    int fd, go_fd;
    struct ssl_st *ssl; /* NULL = plain */
    unsigned number;    /* of the connections, from 1 */
    struct fake_seen *seen;
};

/* In the child, for each connection whose handshake went well; closed when it returns. */
typedef void fake_script(struct fake_conn *conn);

/* `host`: "127.0.0.1", "::1" or the path of a unix socket. */
void fake_server_start(struct fake_server *server, const char *host, const struct fake_tls *tls, fake_script *script);
void fake_server_stop(struct fake_server *server);
/* Lets one fake_await_go() return. */
void fake_server_go(struct fake_server *server);

/* ---- for scripts ---- */

/* Reads one head up to its empty line. False at the end of the connection. */
bool fake_read_head(struct fake_conn *conn);
void fake_write(struct fake_conn *conn, const char *text);
void fake_write_bytes(struct fake_conn *conn, const void *data, size_t len);
/* TLS: says close_notify and leaves the connection open. */
void fake_close_notify(struct fake_conn *conn);
/* TLS 1.3: one more session ticket goes out with the next write. */
void fake_ticket(struct fake_conn *conn);
/* TLS 1.3: so many key updates, all in one piece. */
void fake_update_keys(struct fake_conn *conn, int n);
/* Waits until the test says so. */
void fake_await_go(struct fake_conn *conn);
/* Waits for the other side's end. */
void fake_await_end(struct fake_conn *conn);

#endif
