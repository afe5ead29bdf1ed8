/* SPDX-License-Identifier: MIT */
/* A real server on 127.0.0.1 and raw clients, all in the test's own loop: tests wait for events of either
 * side. */
#ifndef TESTS_UNIT_HTTP_RIG_H
#define TESTS_UNIT_HTTP_RIG_H

#include <stdbool.h>
#include <stddef.h>

#include <syncer/base/loop.h>
#include <syncer/http/server.h>

#define RIG_BIG_BYTES 8388608

/* Paths: "/" empty; "/text" "hello\n"; "/token" what came as X-Auth-Token: "COUNT VALUE"; "/big"
 * RIG_BIG_BYTES;
 * "/slices" as `slices` says;
 * "/later" is kept in `later` for the test to answer. */
struct rig {
    struct loop *loop;
    struct http_server *server;
    struct http_door door;
    int listen_fd;
    unsigned accepted, refused, closed, answered;
    bool has_enough; /* what the server is told: see struct http_events */
    int last_status; /* of the last answer that is out */
    struct http_exchange *later[8];
    unsigned n_later, aborted;
    struct {
        unsigned n;   /* slices of a body; the first byte of each is its number: '0', '1' ... */
        size_t bytes; /* of each; 0 = these are empty but the last */
        bool fail;    /* the last one does not fit */
        unsigned made, released;
    } slices;
    bool empty;
};

/* Fields other than zero replace the defaults: 5 s, 5 s, and a door for 4096 connections, which may be changed later. */
void rig_open(struct rig *rig, const struct http_settings *settings);
void rig_close(struct rig *rig);

struct client {
    struct rig *rig;
    struct loop_io io;
    int fd;
    bool eof, reset;
    size_t len;
    char data[65536]; /* what came, NUL-terminated; what does not fit is only counted */
    size_t received;
};

struct client *client_open(struct rig *rig);
/* Through another listening socket. */
struct client *client_open_at(struct rig *rig, int listen_fd);
void client_send(struct client *client, const char *text);
void client_send_bytes(struct client *client, const char *data, size_t len);
void client_close(struct client *client);

/* Turns until the condition holds. */
#define rig_until(rig, condition) \
    while (!(condition))          \
    rig_turn(rig)
void rig_turn(struct rig *rig);

/* Turns until `n` whole answers have come; they stand one behind the other. To HEAD requests the bodies are
 * missing. */
void client_wait_answers(struct client *client, unsigned n, bool head);
/* Turns until the server has ended the connection. */
void client_wait_end(struct client *client);

/* Of the n-th answer (from 0), which must have come: its status, or its text from the status line on. */
int client_status(const struct client *client, unsigned n, bool head);
const char *client_answer(const struct client *client, unsigned n, bool head);
unsigned client_answers(const struct client *client, bool head);
/* Does the n-th answer have this line in its head? */
bool client_has(const struct client *client, unsigned n, const char *line);

#endif
