/* SPDX-License-Identifier: MIT */
/* The words for what a pod answers, and for what keeps it from answering: two tables, and who is told of together. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "explain.h"
#include "member.h"
#include "term.h"

/* ---- one entry ---- */

int peer_read(const struct json_doc *doc, json_value v, struct peer *peer)
{
    char cause[sizeof(peer->result)];

    *peer = (struct peer){.us = -1};
    if (json_type(doc, v) != JSON_OBJECT)
        return -1;
    member_text(doc, v, "name", peer->name, sizeof(peer->name));
    member_text(doc, v, "address", peer->address, sizeof(peer->address));
    member_text(doc, v, "result", peer->result, sizeof(peer->result));
    /* Of a pod that is down it says more why it is. */
    member_text(doc, v, "cause", cause, sizeof(cause));
    if (strcmp(peer->result, "down") == 0 && cause[0])
        memcpy(peer->result, cause, sizeof(peer->result));
    member_text(doc, v, "reason", peer->reason, sizeof(peer->reason));
    peer->port = member_number(doc, v, "port");
    peer->code = member_number(doc, v, "code");
    peer->attempts = member_number(doc, v, "attempts");
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

static const struct {
    const char *result, *one, *many;
    bool with_reason; /* the server's, behind it */
} outcomes[] = {
    {"tls", "fails in TLS: its certificate should be for tls_server_name (or host) and by tls_ca",
     "fail in TLS: their certificates should be for tls_server_name (or host) and by tls_ca", true},
    {"connect", "takes no connection: does it live, is `port` right, does a network policy let syncer through?",
     "take no connection: do they live, is `port` right, does a network policy let syncer through?", true},
    {"down", "has taken no connection for a while, and is not waited for until it does",
     "have taken no connection for a while, and are not waited for until they do", true},
    {"timeout", "answers too slowly for connection_timeout: overloaded?",
     "answer too slowly for connection_timeout: overloaded?", true},
    {"broken", "gives no whole HTTP answer: is `port` the gateway's?",
     "give no whole HTTP answer: is `port` the gateway's?", true},
    {"short", "could not be asked: descriptors or memory are out where syncer runs",
     "could not be asked: descriptors or memory are out where syncer runs", true},
    {"cut", "had not answered when the time was over: slow, or a request_deadline that is too short",
     "had not answered when the time was over: slow, or a request_deadline that is too short", false},
    {"none", "was not asked before the deadline: syncer is overloaded, or request_deadline too short",
     "were not asked before the deadline: syncer is overloaded, or request_deadline too short", false},
    {"overloaded", "owes answers on all its connections (host_keepalives): it hangs, or is overloaded",
     "owe answers on all their connections (host_keepalives): they hang, or are overloaded", false},
    {"unprotected", "says 200 to any token: auth_jwt is missing in its probe location",
     "say 200 to any token: auth_jwt is missing in their probe location", false},
    {"unconfirmed", "has not refused a made-up token yet, so its 200 proves nothing (control_probe: fail)",
     "have not refused a made-up token yet, so their 200 proves nothing (control_probe: fail)", false},
};

static void explain_outcome(struct buf *out, const struct peer *peer, bool many)
{
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        if (strcmp(outcomes[i].result, peer->result) != 0)
            continue;
        buf_add_str(out, many ? outcomes[i].many : outcomes[i].one);
        if (outcomes[i].with_reason && peer->reason[0]) {
            buf_add_str(out, many ? " (the first: " : " (");
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
    if (n > EXPLAIN_NAMES_MAX)
        buf_addf(out, " and %zu more", n - EXPLAIN_NAMES_MAX);
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

/* Reasons name addresses and milliseconds; only those of TLS tell one trouble from another. */
static bool is_alike(const struct peer *a, const struct peer *b)
{
    return a->code == b->code && strcmp(a->result, b->result) == 0 &&
           (strcmp(a->result, "tls") != 0 || strcmp(a->reason, b->reason) == 0);
}

void explain_groups_add(struct explain_groups *groups, const struct peer *peer)
{
    struct explain_group *group;
    size_t i = 0, len;

    while (i < groups->n && !is_alike(&groups->groups[i].peer, peer))
        i++;
    if (i == EXPLAIN_GROUPS_MAX) {
        groups->others++;
        return;
    }
    group = &groups->groups[i];
    if (i == groups->n) {
        *group = (struct explain_group){.peer = *peer};
        groups->n++;
    }
    len = strlen(group->names);
    if (group->n++ < EXPLAIN_NAMES_MAX)
        snprintf(group->names + len, sizeof(group->names) - len, "%s%s", len ? ", " : "", peer->name);
}

void explain_answer(struct buf *out, const struct json_doc *doc)
{
    bool absent = json_is(doc, json_get(doc, 0, "expect"), "absent");
    struct explain_groups *groups = calloc(1, sizeof(*groups));
    struct peer peer;

    if (!groups) {
        out->failed = true;
        return;
    }
    for (json_value v = json_first(doc, json_get(doc, 0, "pods")); v != JSON_NONE; v = json_next(doc, v))
        if (peer_read(doc, v, &peer) == 0 && peer.unexpected)
            explain_groups_add(groups, &peer);
    for (size_t i = 0; i < groups->n; i++) {
        explain_peer(out, &groups->groups[i].peer, groups->groups[i].names, groups->groups[i].n, absent);
        buf_add_char(out, '\n');
    }
    if (groups->others > 0)
        buf_addf(out, "and %zu more pods: --verbose shows each\n", groups->others);
    free(groups);
}
