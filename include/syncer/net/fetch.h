/* SPDX-License-Identifier: MIT */
/*
 * Whole transfers by libcurl in the event loop: GET of one URL, the body handed on as it arrives. For the API
 * server of Kubernetes and for syncerctl; never for probes. No redirects, no proxy, no cookies, no files,
 * http and https only. Master, ctl.
 */
#ifndef SYNCER_NET_FETCH_H
#define SYNCER_NET_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/net/trust.h>

struct fetcher; /* one multi handle and its kept connections */
struct fetch;   /* one transfer */

struct fetch_request {
    const char *url;    /* absolute; an IPv6 host in brackets */
    const char *bearer; /* token for Authorization: Bearer, NULL = none; never shown in any reason */
    const char *accept; /* NULL = application/json */
    /* More of them, each "Name: value", NULL behind the last; NULL = none. Wiped with the transfer. */
    const char *const *fields;
    struct trust *trust;        /* shared by the transfer until it is gone; NULL for http only */
    const char *server_name;    /* name (or IP) the certificate must have, NULL = the URL's host */
    const char *unix_socket;    /* NULL = TCP */
    int64_t connect_timeout_ms; /* 0 = 5 s */
    int64_t timeout_ms;         /* of the whole transfer; 0 = none (a watch) */
    int64_t idle_timeout_ms;    /* no byte for so long ends it; 0 = none */
};

enum fetch_end {
    FETCH_COMPLETE,   /* a whole answer, whatever its status */
    FETCH_NO_CONNECT, /* no connection, or none in time */
    FETCH_TLS,        /* the handshake, or the certificate */
    FETCH_TIMEOUT,
    FETCH_BROKEN,  /* ended before a whole answer, or no HTTP */
    FETCH_REFUSED, /* on_data said stop */
    FETCH_LOCAL,   /* no memory, no descriptor */
};

struct fetch_result {
    enum fetch_end end;
    int status;                    /* 0 if no head came */
    int64_t retry_after_ms;        /* of Retry-After in seconds, bounded to 1 h; -1 = none */
    int64_t certificate_expires_s; /* of the server's, as link_certificate_expiry(); 0 where a kept connection served */
    char reason[400];              /* for a person; "" when complete */
};

struct fetch_events {
    /* A line of the final answer's head, without its end; before on_head. NULL = nobody wants to know. */
    void (*on_field)(void *arg, const char *line, size_t len);
    /* The head of the final answer is complete: at once, not with the body's first byte; no interim one (1xx). */
    void (*on_head)(void *arg, int status, const char *content_type /* "" = none */);
    /* Body bytes in order. Other than 0 ends the transfer with FETCH_REFUSED. */
    int (*on_data)(void *arg, const char *data, size_t len);
    /* The end, once, from the loop; *handle of fetch_start() is NULL already. */
    void (*on_done)(void *arg, const struct fetch_result *result);
};

/* user_agent: such as "syncer/1.0.0 (linux/amd64)". NULL with the reason. */
struct fetcher *fetcher_new(struct loop *loop, const char *user_agent, struct err *err);
/* Cancels what is under way without on_done. Not from within on_head and on_data; from on_done it is fine.
 * NULL too. */
void fetcher_free(struct fetcher *fetcher);

/* Begins; *handle is set until the end. Strings are copied. 0, or -1 with the reason and no callback. */
int fetch_start(struct fetcher *fetcher, const struct fetch_request *request, const struct fetch_events *events,
                void *arg, struct fetch **handle, struct err *err);
/* Ends it without on_done. *handle may be NULL; it is NULL afterwards. */
void fetch_cancel(struct fetch **handle);

/* What is started from now on gets a new connection; what is under way goes on. After the CA or the
 * credentials have changed. */
void fetcher_forget_connections(struct fetcher *fetcher);

#endif
