/* SPDX-License-Identifier: MIT */
/*
 * One check: does every pod that counts, but the origin, accept the token? From a snapshot of the table through probes to
 * the verdict. Worker only.
 *
 *      check_start -> [snapshot -> origin -> ask, wait, ask again ...] -> on_done
 *
 * A check follows the table while it runs: a pod that leaves it or changes its address no longer counts, one that comes
 * is asked before Synced is said. Checks that run at the same time for the same token, origin and expectation share
 * their probes; each keeps its own deadline, patience and result. An origin that the table doesn't know proves it to be
 * behind: Synced is not said before the refresh, which the owner is asked for, has come or failed.
 */
#ifndef SYNCER_PROBE_CHECK_H
#define SYNCER_PROBE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/probe/pool.h>
#include <syncer/probe/probe.h>
#include <syncer/probe/schedule.h>
#include <syncer/probe/verdict.h>

/* Why there is no verdict; names as in X-Token-Error. */
enum check_refusal {
    CHECK_ACCEPTED,
    CHECK_NO_POD_LIST,   /* none read yet, or too old to be trusted without verification */
    CHECK_NO_PODS,       /* nobody to ask, and the origin is not known either */
    CHECK_TOO_MANY_PODS, /* the list was longer than max_pods: some pods are not known */
    CHECK_OVERLOADED,    /* max_checks, or memory */
    CHECK_REFUSALS
};

/* All checks of a worker. */
struct checker;
struct check;

struct checker_settings {
    struct loop *loop;
    struct pool *pool; /* borrowed, as the next two */
    struct podtable_reader *table;
    struct scoreboard *board;
    struct schedule_settings schedule;
    int64_t request_deadline_ns;
    uint32_t max_checks;
    bool origin_check;        /* the origin is asked, too, if those who were asked first don't have the token */
    bool heed_control_probes; /* a 200 counts only from a pod that is known to refuse a made-up token */
    int64_t max_table_age_ns; /* an older list is none; 0 = any age will do */
    /* The origin `name` is not in the table: have the list read again. 0, or -1 if the question could not be sent now. */
    int (*ask_refresh)(void *arg, const char *name);
    void *arg;
};

#define CHECK_ORIGIN_MAX 253

struct check_request {
    const char *token; /* copied, and wiped at the end */
    size_t token_len;
    const char *origin; /* a pod's name, its IP, or "-" */
    bool expect_absent; /* wait for 401 instead of 200 */
    const char *fields; /* field lines for the probes, each with its CRLF; "" = none; copied */
    int64_t began_ns;   /* the deadline counts from here */
    void (*on_done)(struct check *check, void *arg); /* once, from the loop; the check ends when it returns */
    void *arg;
};

/* NULL with the reason. */
struct checker *checker_new(const struct checker_settings *settings, struct err *err);
/* No check may be under way. NULL is fine. */
void checker_free(struct checker *checker);

/* The table has changed, or a read of its source has ended: brings pool and checks up to date. */
void checker_table_changed(struct checker *checker);
/* To ask_refresh: there will be none, the last one has not brought this name. */
void checker_origin_unknown(struct checker *checker, const char *name);

/* Begins a check. NULL with why not. */
struct check *check_start(struct checker *checker, const struct check_request *request, enum check_refusal *refusal);
/* Its client is gone: ends it without on_done. */
void check_cancel(struct check *check);

/* ---- the result, within on_done ---- */

/* CHECK_ACCEPTED if there is a verdict. */
enum check_refusal check_refusal(const struct check *check);
enum verdict check_verdict(const struct check *check);
/* Why the verdict came before all peers had finished: "origin-without-token" (origin_check), else "". */
const char *check_reason(const struct check *check);
/* ns from its beginning to its end. */
int64_t check_duration_ns(const struct check *check);

struct check_peer_result {
    struct pool_pod *pod;
    enum probe_outcome outcome; /* the last one */
    uint16_t code;
    uint16_t attempts; /* probes that were sent */
    bool finished;
    bool unprotected;          /* it says 200 to a made-up token too */
    int64_t expected_after_ns; /* from the check's beginning until the state that was waited for; -1 = never */
};
/* Peers that count, and how many of them are in the expected state. */
size_t check_peers(const struct check *check);
size_t check_expected(const struct check *check);
/* Walks them: *at starts at 0; false at the end. */
bool check_next_peer(const struct check *check, size_t *at, struct check_peer_result *out);
bool check_expects_absent(const struct check *check);

#endif
