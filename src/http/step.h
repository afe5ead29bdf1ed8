/* SPDX-License-Identifier: MIT */
/*
 * The way of a request: a connection has a state, each state a step, and conn_run() takes step after step
 * until one has to wait.
 *
 *      idle -> head -> [body] -> route -> [handler] -> write -> log -> idle, or head if more has come,
 *      or linger
 */
#ifndef SYNCER_SRC_HTTP_STEP_H
#define SYNCER_SRC_HTTP_STEP_H

#include "layout.h"

enum go {
    GO_ON,   /* to the step of the state, which may be another by now */
    GO_WAIT, /* for the descriptor, a deadline, or a handler */
    GO_END,  /* the connection is over */
};

/* What one connection may do before the others get their turn: bytes read and written, a request counting as
 * 4 KB. */
#define TURN_BUDGET (64 * 1024)
#define REQUEST_COST (4 * 1024)

/* --- conn.c --- */

void conn_enter(struct conn *conn, enum conn_state state);
void conn_set_busy(struct conn *conn, bool busy);

/* --- conn_request.c --- */

enum go step_idle(struct conn *conn);
enum go step_head(struct conn *conn);
enum go step_body(struct conn *conn);
enum go step_route(struct conn *conn);
/* Is there a request, or at least its first byte? In CONN_HEAD and CONN_BODY. An empty line, or half of one, is none:
 * clients may send one behind a body (RFC 9112 section 2.2), and would take an answer to it for that to their next
 * request. */
bool conn_is_asked(const struct conn *conn);
/* Answers an error after which nothing can be read as a request any more. Always GO_ON. */
enum go conn_refuse(struct conn *conn, int status, const char *why);

/* --- conn_answer.c --- */

enum go step_write(struct conn *conn);
enum go step_log(struct conn *conn);
enum go step_linger(struct conn *conn);

#endif
