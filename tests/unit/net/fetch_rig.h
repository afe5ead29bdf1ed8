/* SPDX-License-Identifier: MIT */
/* One fetcher, one server that says every byte itself, and what came of the last transfer. */
#ifndef TESTS_UNIT_NET_FETCH_RIG_H
#define TESTS_UNIT_NET_FETCH_RIG_H

#include <syncer/net/fetch.h>

#include "certs.h"
#include "fake_server.h"

#define TOKEN "s3cr3t-t0ken"

/* What a callback does besides noting. */
enum act { ACT_NONE, ACT_CANCEL, ACT_REFUSE, ACT_AGAIN, ACT_FREE };

struct got {
    unsigned heads, pieces, dones;
    int status;
    char type[64], body[4096], fields[1024]; /* fields: lines of the final head */
    size_t body_len;
    struct fetch_result result;
    enum act at_head, at_data, at_done;
};

extern struct fetch_rig {
    struct loop *loop;
    struct fetcher *fetcher;
    struct fake_server server;
    struct certs certs;
    struct trust *trust;
    struct fetch *handle;
    struct fetch_request request; /* of `url` with TOKEN; a test changes it before start() */
    char url[128];
    struct got got;
} f;

/* They check on the way that heads come before data, and that no reason has the token in it. Their `arg`:
 * struct got. */
extern const struct fetch_events events;

void open_rig(void);
void close_rig(void);
#define Fetch(name) Test(fetch, name, .init = open_rig, .fini = close_rig)

/* A server, and its URL. */
void serve(fake_script *script);
/* The same with TLS; its certificate is for pods.test, which is then what is asked for. other_ca: it is not
 * trusted. */
void serve_tls(int version, bool other_ca, fake_script *script);

void start(void);
void turn(void);
#define until(condition) \
    while (!(condition)) \
    turn()
/* One transfer to its end. */
void run(void);
/* It came to a good end with 200 and this body. */
void expect_answer(const char *body);
/* The descriptor of the client's TCP connection, -1 if there is none. */
int fd_of_connection(void);

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK_HELLO OK_HEAD "Content-Length: 5\r\n\r\nhello"

/* Scripts: "hello" to each request; "hel", then on the test's word "lo". */
void hello(struct fake_conn *conn);
void in_pieces(struct fake_conn *conn);

#endif
