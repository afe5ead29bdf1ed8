/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "explain.h"
#include "term.h"

#define GROUPS_MAX 32
#define NAMES_MAX 5 /* shown of a group */

/* ---- one entry ---- */

static void text(const struct json_doc *doc, json_value v, const char *key, char *out, size_t room)
{
    if (json_str(doc, json_get(doc, v, key), out, room) < 0)
        out[0] = '\0';
}

static int64_t number(const struct json_doc *doc, json_value v, const char *key)
{
    int64_t n = 0;

    return json_int(doc, json_get(doc, v, key), &n) == 0 ? n : 0;
}

int peer_read(const struct json_doc *doc, json_value v, struct peer *peer)
{
    *peer = (struct peer){.us = -1};
    if (json_type(doc, v) != JSON_OBJECT)
        return -1;
    text(doc, v, "name", peer->name, sizeof(peer->name));
    text(doc, v, "address", peer->address, sizeof(peer->address));
    text(doc, v, "result", peer->result, sizeof(peer->result));
    text(doc, v, "reason", peer->reason, sizeof(peer->reason));
    peer->port = number(doc, v, "port");
    peer->code = number(doc, v, "code");
    peer->attempts = number(doc, v, "attempts");
    peer->unexpected = json_thousandths(doc, json_get(doc, v, "ms"), &peer->us) < 0;
    return 0;
}

/* ---- one sentence ---- */

/* Of one pod and of several: the verb, and what it means. A redirect is the mistake that everybody makes once. */
static const struct {
    int64_t first, last;
    const char *one, *many;
} statuses[] = {
    {300, 399, "its probe location still has error_page 401, where 401 should be the answer",
     "their probe location still has error_page 401, where 401 should be the answer"},
    {400, 400, "it finds the request malformed: is the token longer than large_client_header_buffers takes?",
     "they find the request malformed: is the token longer than large_client_header_buffers takes?"},
    {403, 403, "its location is closed to syncer: allow, deny, or a web application firewall",
     "their location is closed to syncer: allow, deny, or a web application firewall"},
    {404, 404, "`path` or `host` is not its probe location's", "`path` or `host` is not their probe location's"},
    {421, 421, "`host` is not its server_name", "`host` is not their server_name"},
    {429, 429, "limit_req holds on its probe location, which should be without",
     "limit_req holds on their probe location, which should be without"},
    {503, 503, "limit_req holds on its probe location, or it is overloaded",
     "limit_req holds on their probe location, or they are overloaded"},
    {0, 999, "its probe location should say 200 or 401, nothing else",
     "their probe location should say 200 or 401, nothing else"},
};

static void explain_status(struct buf *out, int64_t code, bool many)
{
    size_t i = 0;

    while (i < ARRAY_LEN(statuses) - 1 && (code < statuses[i].first || code > statuses[i].last))
        i++;
    buf_addf(out, "answer%s %" PRId64 ": %s", many ? "" : "s", code, many ? statuses[i].many : statuses[i].one);
}

/* With the server's reason behind. */
static const struct {
    const char *result, *one, *many;
} outcomes[] = {
    {"tls", "fails in TLS: its certificate should be for tls_server_name (or host) and by tls_ca",
     "fail in TLS: their certificates should be for tls_server_name (or host) and by tls_ca"},
    {"connect", "takes no connection: does it live, is `port` right, does a network policy let syncer through?",
     "take no connection: do they live, is `port` right, does a network policy let syncer through?"},
    {"down", "has taken no connection for a while, and is not waited for until it does",
     "have taken no connection for a while, and are not waited for until they do"},
    {"timeout", "answers too slowly for connection_timeout: overloaded?",
     "answer too slowly for connection_timeout: overloaded?"},
    {"broken", "gives no whole HTTP answer: is `port` the gateway's?",
     "give no whole HTTP answer: is `port` the gateway's?"},
    {"short", "could not be asked: descriptors or memory are out where syncer runs",
     "could not be asked: descriptors or memory are out where syncer runs"},
    {"cut", "had not answered when the time was over: slow, or a request_deadline that is too short",
     "had not answered when the time was over: slow, or a request_deadline that is too short"},
    {"none", "was not asked before the deadline: syncer is overloaded, or request_deadline too short",
     "were not asked before the deadline: syncer is overloaded, or request_deadline too short"},
    {"unprotected", "says 200 to any token: auth_jwt is missing in its probe location",
     "say 200 to any token: auth_jwt is missing in their probe location"},
    {"unconfirmed", "has not refused a made-up token yet, so its 200 proves nothing (control_probe: fail)",
     "have not refused a made-up token yet, so their 200 proves nothing (control_probe: fail)"},
};

static void explain_outcome(struct buf *out, const struct peer *peer, bool many)
{
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        if (strcmp(outcomes[i].result, peer->result) != 0)
            continue;
        buf_add_str(out, many ? outcomes[i].many : outcomes[i].one);
        if (i < 6 && peer->reason[0]) {
            buf_add_str(out, " (");
            term_add(out, peer->reason);
            buf_add_str(out, ")");
        }
        return;
    }
    term_add(out, peer->result);
    buf_add_str(out, ": ");
    term_add(out, peer->reason);
}

void explain_peer(struct buf *out, const struct peer *peer, const char *names, size_t n, bool absent)
{
    bool many = n > 1;

    buf_add_str(out, many ? "pods " : "pod ");
    term_add(out, names);
    if (n > NAMES_MAX)
        buf_addf(out, " and %zu more", n - NAMES_MAX);
    buf_add_char(out, ' ');
    if (strcmp(peer->result, "status") == 0)
        explain_status(out, peer->code, many);
    else if (strcmp(peer->result, "present") == 0 && absent)
        buf_addf(out, "still accept%s the token", many ? "" : "s");
    else if (strcmp(peer->result, "absent") == 0)
        buf_addf(
            out,
            "answer%s 401: the token has not come. Is zone_sync connected there, and the token still valid, and within "
            "zone_sync's buffers?",
            many ? "" : "s");
    else
        explain_outcome(out, peer, many);
}

/* ---- all of them ---- */

struct group {
    struct peer peer; /* the first; the others are like it */
    char names[NAMES_MAX * 258];
    size_t n;
};

static bool is_alike(const struct peer *a, const struct peer *b)
{
    return a->code == b->code && strcmp(a->result, b->result) == 0 && strcmp(a->reason, b->reason) == 0;
}

static void join(struct group *group, const struct peer *peer)
{
    size_t len = strlen(group->names);

    if (group->n++ < NAMES_MAX)
        snprintf(group->names + len, sizeof(group->names) - len, "%s%s", len ? ", " : "", peer->name);
}

/* How many groups there are then; those beyond GROUPS_MAX are counted in *others. */
static size_t sort_in(struct group *groups, size_t n, const struct peer *peer, size_t *others)
{
    size_t i = 0;

    while (i < n && !is_alike(&groups[i].peer, peer))
        i++;
    if (i == GROUPS_MAX) {
        ++*others;
        return n;
    }
    if (i == n) {
        groups[i] = (struct group){.peer = *peer};
        n++;
    }
    join(&groups[i], peer);
    return n;
}

void explain_answer(struct buf *out, const struct json_doc *doc)
{
    bool absent = json_is(doc, json_get(doc, 0, "expect"), "absent");
    struct group *groups = calloc(GROUPS_MAX, sizeof(*groups));
    size_t n = 0, others = 0;
    struct peer peer;

    if (!groups) {
        out->failed = true;
        return;
    }
    for (json_value v = json_first(doc, json_get(doc, 0, "pods")); v != JSON_NONE; v = json_next(doc, v))
        if (peer_read(doc, v, &peer) == 0 && peer.unexpected)
            n = sort_in(groups, n, &peer, &others);
    for (size_t i = 0; i < n; i++) {
        explain_peer(out, &groups[i].peer, groups[i].names, groups[i].n, absent);
        buf_add_char(out, '\n');
    }
    if (others > 0)
        buf_addf(out, "and %zu more pods: --verbose shows each\n", others);
    free(groups);
}
