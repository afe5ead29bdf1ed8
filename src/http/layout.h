/* SPDX-License-Identifier: MIT */
/*
 * The three structs of this layer, for its own files: a server has connections, and a connection has an
 * exchange while a request is in progress. All of one thread, the worker's.
 */
#ifndef SYNCER_SRC_HTTP_LAYOUT_H
#define SYNCER_SRC_HTTP_LAYOUT_H

#include <syncer/base/clock.h>
#include <syncer/http/exchange.h>
#include <syncer/http/server.h>
#include <syncer/net/stream.h>

/* The buffer of a request: as long as most, so that it need not grow; it is refilled for the body and for
 * pipelined requests. */
#define IN_FIRST_BYTES 4096
#define IN_MAX_BYTES 32768

/* Of the connections beyond max_connections: so many are waited for after their "503", until the client closes or the
 * limit of lingering is over. With more, each ends once what it has sent by then has been read. */
#define MAX_REFUSED_LINGER 256

/* One request from its first byte to the last byte of its answer. 7 KB: only as many as there are requests in
 * progress. */
struct http_exchange {
    struct conn *conn;
    struct http_exchange *next_free;

    struct buf in;  /* bytes read; before `start` done with */
    size_t start;   /* where this request begins: its slices count from here */
    size_t in_peak; /* `in` was never longer since it was wiped: it held tokens so far */
    struct http_request req;
    struct http_body body;
    bool body_done;   /* all of the body has come, and is thrown away */
    struct buf path;  /* decoded, if it had an escape, but none of a slash; else empty */
    int64_t began_ns; /* when the head was complete */
    void *data;       /* the handler's */
    void (*on_abort)(struct http_exchange *x);

    /* for the access log */
    char id[HTTP_EXCHANGE_ID_MAX + 1]; /* "" = none */
    const char *result, *route;        /* literals; NULL = none */
    bool query_shown;

    int status;                     /* 0 = no answer begun */
    bool answered;                  /* `out` and `out_body` are complete */
    bool close;                     /* the connection ends with this answer */
    struct buf out;                 /* head of the answer, and a body that was copied */
    struct buf out_body;            /* a body whose memory was taken over, or the slice at hand */
    size_t sent;                    /* of out and out_body together */
    uint64_t sent_before;           /* with slices that are out */
    struct http_producer *producer; /* of the slices that are still to come; NULL = none */
    bool chunked;                   /* how these are framed */
};

enum conn_state {
    CONN_IDLE,    /* no byte of a request yet, no exchange */
    CONN_HEAD,    /* some bytes of a head */
    CONN_BODY,    /* waits for the end of a chunked body */
    CONN_ROUTE,   /* a request is complete */
    CONN_HANDLER, /* a handler has the exchange */
    CONN_WRITE,   /* the answer is complete */
    CONN_LOG,     /* the answer is out */
    CONN_LINGER,  /* sending is shut; what the client still sends is thrown away; no exchange */
};

/* How long a state may last, from phase_ns on. */
enum conn_limit { LIMIT_NONE, LIMIT_IDLE, LIMIT_CLIENT, LIMIT_LINGER, CONN_LIMITS };

struct conn {
    struct http_server *server;
    struct http_door *door;
    struct conn *next, *prev;
    struct stream stream;
    struct loop_io io;
    struct loop_timer timer; /* set at or before deadline_ns: it is moved only when it is due, not with each request */
    struct loop_task task;   /* goes on in the next turn, or with an answer that a handler gave later */
    struct http_exchange *x; /* NULL while idle and lingering */
    int64_t deadline_ns;     /* of the present wait; INT64_MAX = none */
    int64_t phase_ns;        /* when the state that is waited in began; a head's: its first byte */
    uint32_t spent;          /* of this turn's budget, in bytes */
    uint32_t lingered;       /* bytes thrown away while lingering */
    enum conn_state state;
    bool running;  /* conn_run() is on the stack */
    bool readable; /* the descriptor has more, as far as is known */
    bool eof;      /* the client has ended its sending */
    bool busy;     /* counts in n_busy */
    bool refused;  /* beyond max_connections: only here to be told so */
};

struct listener {
    struct listener *next;
    struct http_server *server;
    struct http_door *door;
    int fd; /* not ours */
    struct loop_io io;
};

struct http_server {
    struct loop *loop;
    struct http_settings settings;
    const struct http_events *events;
    void *arg;
    int64_t limit_ns[CONN_LIMITS];

    struct conn *conns; /* newest first */
    size_t n_conns, n_refused, n_busy;
    struct http_exchange *free_exchanges;
    size_t n_free;

    struct listener *listeners;
    struct loop_timer pause;         /* set while the listeners are out of the loop: see accept.c */
    unsigned take_anyway, take_next; /* although others have fewer clients: now, and after the next wait for them */
    bool say_close;

    struct loop_task turn; /* posted after a step of a handshake: the next one not before it has run */
    struct loop_task empty;
    void (*on_empty)(void *arg);
    void *on_empty_arg;

    int64_t date_s; /* the second that `date` tells */
    char date[CLOCK_HTTP_DATE_BYTES];
};

/* --- exchange.c --- */

/* An exchange for `conn`, with room in `in`. NULL if memory is out. */
struct http_exchange *exchange_take(struct conn *conn);
/* Wipes and gives it back; conn->x is NULL then. Nothing if it is NULL already. */
void exchange_give_back(struct conn *conn);
/* Frees those that are kept for later. */
void exchange_free_all(struct http_server *server);
/* This request is done with: ready for the one behind it. `in` keeps what has come of that. */
void exchange_next(struct http_exchange *x);
/* Releases the producer, if there is one. */
void exchange_drop_producer(struct http_exchange *x);
/* Throws away what has come of the body. DONE (body_done), MORE or BAD. */
enum http_progress exchange_skip_body(struct http_exchange *x);
/* Decodes the path. false if memory is out. */
bool exchange_decode_path(struct http_exchange *x);
/* Is no body to be sent, whatever its length? Known as soon as the method is. */
bool exchange_is_head(const struct http_exchange *x);

/* --- access.c --- */

/* The line of an answer that is out. */
void access_log(const struct http_exchange *x);

/* --- answer.c --- */

/* What was at hand is out: makes the next slice. False if the answer is complete. */
bool answer_next_slice(struct http_exchange *x);
/* The server's own answer of an error. `allow` is the Allow field, or NULL. */
void answer_error(struct http_exchange *x, int status, const char *allow, const char *detail);

/* --- conn.c --- */

/* Descriptors or memory are out (an errno). */
void conn_tell_starved(const struct http_server *server, int error);
/* A connection that has been accepted; takes the stream. */
void conn_new(const struct listener *listener, struct stream *stream, bool refused);
/* Ends it at once: aborts a handler, closes, frees. */
void conn_free(struct conn *conn);
/* Lets it go on, at once or, from within a handler, afterwards. */
void conn_answered(struct conn *conn);

/* --- accept.c --- */

/* Accepts what waits in the listeners' queues now. */
void accept_last(struct http_server *server);
/* Takes all listeners out for good and frees them. */
void accept_stop(struct http_server *server);
/* After the pause: puts them in again. */
void accept_resume(struct loop_timer *timer);

#endif
