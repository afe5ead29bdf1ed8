/* SPDX-License-Identifier: MIT */
/*
 * Table, pool and checker as a worker has them, and fake pods on loopback addresses, all in the test's own
 * loop: tests wait for events of either side. What a fake pod says is a script: its n-th request gets the
 * n-th line, later ones the last.
 */
#ifndef TESTS_UNIT_PROBE_RIG_H
#define TESTS_UNIT_PROBE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/clock.h>
#include <syncer/base/loop.h>
#include <syncer/net/link.h>
#include <syncer/probe/check.h>
#include <syncer/probe/pool.h>
#include <syncer/probe/probe.h>
#include <syncer/share/podtable.h>
#include <syncer/share/scoreboard.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define NO "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"

#define RIG_PODS 12
#define RIG_LINES 8
#define RIG_LIST 80       /* more entries than pods: several may be at one address */
#define RIG_GENERATION 5  /* of the configuration */
#define RIG_BLOCK 2       /* of the worker */
#define RIG_LONG_MS 20000 /* where time is not the matter */

enum fake_then { FAKE_KEEP, FAKE_CLOSE, FAKE_RESET };

struct fake_line {
    const char *bytes; /* NULL: says nothing */
    enum fake_then then;
};

#define SAY(bytes)       \
    {                    \
        bytes, FAKE_KEEP \
    }
#define SILENT          \
    {                   \
        NULL, FAKE_KEEP \
    }

/* One connection that was accepted. */
struct fake_conn {
    struct fake_pod *pod;
    struct fake_conn *next; /* the one accepted before */
    struct loop_io io;
    int fd; /* -1 once closed by either side */
    unsigned requests;
    size_t len;
    char in[8192];
};

struct fake_pod {
    struct rig *rig;
    char name[16];
    struct addr addr;
    uint16_t port;
    int fd;
    struct loop_io io;
    const char *greeting; /* said on accept */
    struct fake_line script[RIG_LINES];
    size_t lines;
    struct fake_line (*decide)(struct fake_conn *conn); /* in place of the script; the pod's `head` is the request */
    struct fake_conn *conns;                            /* all ever accepted, the newest first */
    unsigned n_conns, n_open, n_requests;
    char head[8192]; /* of the last request */
};

struct rig_settings { /* 0 = RIG_LONG_MS, and 16 connections a pod */
    int64_t connection_timeout_ms, request_deadline_ms, max_table_age_ms;
    int64_t sync_timeout_ms, patience_ms; /* 0 = 10 ms, 200 ms */
    uint32_t host_keepalives, max_keepalives, max_probe_rate, max_checks;
    bool tls, heed_control_probes, scout, origin_check;
};

struct rig {
    struct loop *loop;
    struct scoreboard *master, *board; /* the master's, and the worker's own */
    struct podtable *table;
    struct podtable_reader *reader;
    struct trust *trust;
    struct link_hub *hub;
    struct pool *pool;
    struct checker *checker;
    struct fake_pod pods[RIG_PODS];
    struct podtable_pod list[RIG_LIST]; /* the next list to be published; [i] is pods[i] at first */
    size_t n;
    unsigned down, up, unasked;
    unsigned refreshes; /* asked for */
    int refresh_rc;     /* what ask_refresh says */
    char refresh_name[CHECK_ORIGIN_MAX + 1];
};

void rig_open(struct rig *rig, const struct rig_settings *settings);
void rig_close(struct rig *rig);

/* One more pod, p1, p2 ... on 127.0.0.11, 127.0.0.12 ..., in the next list. */
struct fake_pod *rig_pod_script(struct rig *rig, const struct fake_line *script, size_t lines);
#define rig_pod(rig, ...)                                        \
    rig_pod_script(rig, (const struct fake_line[]){__VA_ARGS__}, \
                   sizeof((const struct fake_line[]){__VA_ARGS__}) / sizeof(struct fake_line))
void fake_refuse(struct fake_pod *pod); /* closes its port and all its connections */
void fake_listen(struct fake_pod *pod); /* again, at the same port */
void fake_send(struct fake_conn *conn, const char *bytes);
void fake_close(struct fake_conn *conn);

/* Publishes list[0 .. n) and tells the checker. */
void rig_publish(struct rig *rig);
void rig_publish_first(struct rig *rig, size_t n);
/* Publishes, and turns until every pod has a connection. */
void rig_warm_up(struct rig *rig);
/* A read of the source that changes nothing. */
void rig_scrape(struct rig *rig, enum podtable_scrape outcome);

#define rig_until(rig, condition) \
    while (!(condition))          \
    rig_turn(rig)
void rig_turn(struct rig *rig);
/* Turns for so long. */
void rig_pass(struct rig *rig, int64_t ms);

uint64_t rig_count(const struct rig *rig, enum scoreboard_metric metric);

/* ---- a probe of one's own ---- */

struct question {
    struct probe probe;
    struct probe_text *text;
    bool done;
    unsigned order; /* which one it was to end */
};

void question_start(struct question *q, struct rig *rig, size_t pod, const char *token);
void question_end(struct question *q);
/* Starts, waits, ends. */
enum probe_outcome rig_probe(struct rig *rig, size_t pod);

/* ---- a check ---- */

struct asked {
    struct check *check;
    bool done;
    int64_t began_ns, ended_ns;
    enum check_refusal refusal;
    enum verdict verdict;
    size_t peers, expected, n;
    const char *reason;
    struct {
        char name[16], reason[ERR_TEXT_BYTES];
        enum probe_outcome outcome;
        uint16_t code, attempts;
        bool finished, proven, unprotected;
        int64_t after_ns;
    } peer[RIG_PODS];
};

void rig_ask_for(struct rig *rig, struct asked *asked, const char *token, const char *origin, bool expect_absent);
/* For the token "t". */
void rig_ask(struct rig *rig, struct asked *asked, const char *origin, bool expect_absent);
/* Asks and waits. */
void rig_check(struct rig *rig, struct asked *asked, const char *origin);
/* The index in asked->peer of the pod; the test fails if it is none. */
size_t asked_peer(const struct asked *asked, const char *name);

#endif
