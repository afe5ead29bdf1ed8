/* SPDX-License-Identifier: MIT */
/* A verdict in words: which pods are not as expected, why, and what to look at. Pure. */
#ifndef SYNCER_CTL_EXPLAIN_H
#define SYNCER_CTL_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/buf.h>
#include <syncer/wire/json_read.h>

/* An entry of the verbose answer. */
struct peer {
    char name[256], address[48], result[16], reason[512];
    int64_t port, code, attempts;
    int64_t us;      /* until it was as expected; -1 = it never was */
    bool unexpected; /* it never was as expected */
};

/* 0, or -1 if that is no such entry. What is too long or not there is "" or 0. */
int peer_read(const struct json_doc *doc, json_value v, struct peer *peer);

/* What is said of `names` ("gw-1", or "gw-1, gw-2" with n > 1), a sentence without its full stop. `absent`: 401 was expected. */
void explain_peer(struct buf *out, const struct peer *peer, const char *names, size_t n, bool absent);

/* Peers with the same trouble, together. All zero at first. */
#define EXPLAIN_GROUPS_MAX 32
#define EXPLAIN_NAMES_MAX 5 /* shown of a group */
struct explain_groups {
    struct explain_group {
        struct peer peer; /* the first; the others are like it */
        char names[EXPLAIN_NAMES_MAX * 258];
        size_t n;
    } groups[EXPLAIN_GROUPS_MAX];
    size_t n, others; /* others: peers for which there was no group left */
};
void explain_groups_add(struct explain_groups *groups, const struct peer *peer);

/* A line for each kind of trouble among the pods of a verbose answer, with the names of those that have it. */
void explain_answer(struct buf *out, const struct json_doc *doc);

#endif
