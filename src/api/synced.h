/* SPDX-License-Identifier: MIT */
/*
 * A check as a request, for the files that serve it:
 *
 *      synced.c            the handler, and the answer
 *      synced_request.c    header fields and query
 *      synced_verbose.c    the body with an entry a pod, and the words about a pod
 */
#ifndef SYNCER_SRC_API_SYNCED_H
#define SYNCER_SRC_API_SYNCED_H

#include "api_private.h"

#define TRACEPARENT_BYTES 55

/* As the values of the parameter are numbered. */
enum strict { STRICT_NO, STRICT_ALL, STRICT_MAJORITY };

/* One request under way: what the answer needs after the request's bytes are gone. */
struct synced {
    struct api *api;
    struct http_exchange *x;
    struct check *check;
    enum strict strict;
    bool verbose, expect_absent;
    char origin[CHECK_ORIGIN_MAX + 1];
    char traceparent[TRACEPARENT_BYTES + 1]; /* "" = none */
};

/* --- synced_request.c; what returns a text: NULL, or what is wrong and what would be right, a literal --- */

/* Borrowed from the request. */
const char *synced_read_token(struct http_exchange *x, const char **token, size_t *len);
/* Gives the exchange its id: the caller's, or a new one. */
void synced_read_request_id(struct http_exchange *x, const char *token, size_t token_len);
const char *synced_read_origin(struct synced *s, const char *token, size_t token_len);
const char *synced_read_query(struct synced *s);
void synced_read_traceparent(struct synced *s);

/* --- synced_verbose.c --- */

/* The body of a check that is done, on the heap; it releases itself. NULL if memory is out: the answer has no body then. */
struct http_producer *synced_verbose_new(const struct synced *s);

#endif
