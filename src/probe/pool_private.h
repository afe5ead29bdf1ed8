/* SPDX-License-Identifier: MIT */
/*
 * Shared by pool.c (which pods there are), pool_pod.c (one of them), pool_supply.c (its connections), pool_link.c (one
 * connection), pool_exchange.c (what is said on it) and probe.c (one question).
 *
 *      pool --> pool_pod --> pool_link --> net/link
 *                 |  ^          |  ^
 *        waiting  v  |          v  | (NULL = orphan)
 *               probe ------> probe
 */
#ifndef SYNCER_PROBE_POOL_PRIVATE_H
#define SYNCER_PROBE_POOL_PRIVATE_H

#include <syncer/base/buf.h>
#include <syncer/base/clock.h>
#include <syncer/probe/pool.h>
#include <syncer/probe/probe.h>
#include <syncer/wire/http_response.h>

#define POOL_RECV_BYTES 16384
#define POOL_OPENING_GUESS_NS (5 * NS_PER_MS) /* of a pod to which none has been opened yet */
#define POOL_BODY_MAX 16384                   /* of an answer; a longer one is broken */

enum pool_link_state {
    POOL_LINK_OPENING,
    POOL_LINK_IDLE,
    POOL_LINK_BUSY, /* an exchange is under way, for a probe or an orphan */
};

/* One connection to a pod. It exists from the attempt to open it until it ends. */
struct pool_link {
    struct link *link;
    struct pool_pod *pod;
    struct pool_link *next, *prev; /* of the pod's links */
    enum pool_link_state state;
    int64_t began_ns;        /* when opening it began */
    int64_t opened_ns;       /* when it was open */
    int64_t idle_ns;         /* since when it is IDLE */
    uint32_t served;         /* exchanges before this one */
    struct loop_timer limit; /* BUSY without a probe: until it must be answered */

    /* the exchange of a BUSY link */
    struct probe *probe; /* NULL = orphan */
    struct probe_text *text;
    size_t sent;      /* bytes of text */
    int64_t asked_ns; /* when it began */
    bool orphan;      /* counted in the pod's n_orphans */
    bool kept;        /* it was not opened for this exchange: its end before the first byte proves nothing */
    bool answered;    /* a byte of the answer has come */
    int64_t limit_ns; /* when connection_timeout of this exchange is over */
    struct http_response response;
    struct buf head; /* bytes of an answer's head that has come in parts */
};

struct pool_pod {
    struct pool *pool;
    struct pool_pod *next, *prev; /* of all that exist */
    unsigned refs;                /* of the pool while it counts, of checks, links and probes under way */
    uint64_t id;
    struct addr addr;
    uint16_t port;
    uint64_t mark; /* the pool's: it is marked */
    bool gone, down, proven;
    int64_t hung_ns;           /* when it last left a question without an answer to the end of its limit */
    int64_t short_ns;          /* when a connection could last not be begun for want of memory or descriptors */
    int64_t distrust_until_ns; /* it has sent what nobody asked for: no connection is kept meanwhile */

    uint32_t control_duty;       /* in which duty of guard.c it was last asked; 0 = in none */
    uint32_t control_failures;   /* in a row */
    int64_t control_due_ns;      /* of its next control probe in that; INT64_MAX while one is under way */
    enum scoreboard_guard guard; /* what the last one found, as far as this worker has looked */
    int64_t guard_look_ns;       /* when to look again */

    struct pool_link *links; /* ring-free list: first */
    uint32_t n_links, n_opening, n_idle, n_orphans;
    int64_t opening_ns;     /* how long it took to open the last one */
    struct loop_timer more; /* set while a probe waits and a further one may be worth it then */
    uint32_t last_life,
        life;            /* answers after which the pod ended a connection: the last one, and if that is the rule */
    int64_t answered_ns; /* when its last whole answer came */
    struct link *spare;  /* a closed one, whose TLS session the next connection resumes */
    struct probe *waiting_first, *waiting_last;
    uint32_t n_waiting;

    uint32_t failures;        /* connections in a row that could not be opened, with none that works */
    int64_t first_failure_ns; /* of that row */
    int64_t retry_ns;         /* beside one that works, no further one is opened before */
    int64_t backoff_ns;       /* before the next attempt in the background; 0 after an answer */
    struct loop_timer reopen;
    int64_t turn_ns;            /* max_probe_rate: when a probe may go out; behind now if none has for a while */
    struct loop_timer turn;     /* set while one waits for that */
    enum probe_outcome failure; /* how the last one failed: PROBE_CONNECT, PROBE_TLS or PROBE_SHORT */
    char *reason;               /* NULL: none, or memory was out */
    char name[];                /* thousands may come at once: no more memory is touched than they need */
};

struct pool {
    struct pool_settings settings;
    char *request_head;
    size_t request_head_len;
    struct pool_events events;
    void *arg;
    struct pool_pod **pods; /* that count, sorted by id */
    struct pool_pod *all;   /* those too that left, as long as somebody holds them */
    size_t n;
    size_t n_open; /* connections, of all pods */
    uint64_t generation, mark;
    struct loop_timer surplus;  /* set while more connections are open than are to be kept */
    struct loop_task open;      /* first connections, some of them a turn */
    size_t open_at;             /* the pod that is next for it */
    char recv[POOL_RECV_BYTES]; /* one read at a time */
};

struct probe_text {
    unsigned refs;
    bool made_up; /* a control probe's: its answer says nothing of a token */
    size_t token_at, token_len;
    size_t len;
    char bytes[];
};

void probe_text_hold(struct probe_text *text);

/* --- pool.c --- */

/* Connections have been opened or have ended. */
void pool_set_open(struct pool *pool, size_t n);

/* --- pool_pod.c --- */

/* A new one of the pool, not held yet. NULL if memory is out. */
struct pool_pod *pool_pod_new(struct pool *pool, const struct podtable_pod *entry);
/* It does not count any more: idle connections go at once; one that is in use ends with its exchange. The caller holds it. */
void pool_pod_leave(struct pool_pod *pod);
void pool_pod_set_reason(struct pool_pod *pod, const char *reason);

/* --- pool_supply.c --- */

/* Begins to open a connection, or tries again a little later. */
void pool_pod_open(struct pool_pod *pod);
void pool_supply_reopen_due(struct loop_timer *timer);
void pool_supply_turn_due(struct loop_timer *timer);
void pool_supply_more_due(struct loop_timer *timer);
/* Gives waiting probes to idle links, and opens further ones for those that are left and have waited long enough. */
void pool_pod_dispatch(struct pool_pod *pod);
/* A connection could not be opened. */
void pool_pod_failed(struct pool_pod *pod, enum link_failure failure, const char *reason);
/* A connection was opened, which took so long. */
void pool_pod_opened(struct pool_pod *pod, int64_t took_ns);
/* A connection has ended; `served`: after answers. Sees to it that there will be one again. */
void pool_pod_ended(struct pool_pod *pod, bool served);
/* The pod has said that it ends a connection after so many answers. */
void pool_pod_note_life(struct pool_pod *pod, uint32_t served);
/* An answer has come on `pl`, which may have few left: sees to it that there will be another connection then. */
void pool_pod_open_ahead(struct pool_pod *pod, const struct pool_link *pl);
/* A question has had no answer since then to the end of its limit. The caller holds the pod, and its idle links may be gone
 * afterwards. */
void pool_pod_hung(struct pool_pod *pod, int64_t since_ns);
/* A whole answer has come; `proves`: 200 to a real token. */
void pool_pod_answered(struct pool_pod *pod, bool proves);

/* --- pool_link.c --- */

/* Begins to open one more. 0, or -1 with the reason. */
int pool_link_open(struct pool_pod *pod, struct err *err);
/* Ends it whatever it does; an exchange's probe must have been taken away before. */
void pool_link_close(struct pool_link *pl);
void pool_link_set_state(struct pool_link *pl, enum pool_link_state state);
void pool_link_to_front(struct pool_link *pl);
/* Nothing has come on an idle connection. False if something had, or its end: it is closed now. */
bool pool_link_is_quiet(struct pool_link *pl);
/* Something came that nobody had asked for. The caller holds the pod; an idle link may be gone afterwards. */
void pool_link_note_unasked(struct pool_pod *pod);
/* Lets go of what belongs to the exchange alone. */
void pool_link_end_exchange(struct pool_link *pl);

/* --- pool_exchange.c --- */

/* An idle link takes the probe's question. false: the link had ended (and is closed now), take another one. */
bool pool_exchange_begin(struct pool_link *pl, struct probe *probe);
/* Bytes, room to send, or the end may have come. */
void pool_exchange_event(struct pool_link *pl);
/* The probe leaves the exchange, which goes on as an orphan or, past its time, ends with the link. */
void pool_exchange_orphan(struct pool_link *pl);

/* --- probe.c --- */

/* The pod has answered others since: that this one waits says nothing against it. */
bool probe_waits_in_order(const struct probe *probe);
/* It has waited for its turn: its time begins now. */
void probe_restart_clock(struct probe *probe);
/* Back into the pod's queue, at its front. */
void probe_requeue(struct probe *probe);
/* Into the queue, out of it. */
void probe_enqueue(struct probe *probe);
void probe_dequeue(struct probe *probe);
/* 200 = present, 401 = absent, else PROBE_STATUS. */
enum probe_outcome probe_outcome_of(int status);
/* The end: takes it out of everything and tells its owner. */
void probe_finish(struct probe *probe, enum probe_outcome outcome, uint16_t code);

#endif
