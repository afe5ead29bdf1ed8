/* SPDX-License-Identifier: MIT */
/* What /etc/resolv.conf says (resolv.conf(5)): whom to ask, how long, and which names a short one may stand
 * for. */
#ifndef SYNCER_SRC_PODS_DNS_RESOLV_H
#define SYNCER_SRC_PODS_DNS_RESOLV_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <syncer/base/err.h>

#include "dns_message.h"

#define DNS_SERVERS_MAX 3 /* as the C library's MAXNS */
#define DNS_SEARCH_MAX 6  /* as its struct __res_state has */
#define DNS_CANDIDATES_MAX (DNS_SEARCH_MAX + 1)

struct dns_server {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr;
    socklen_t len;
};

/* Every byte is set, so that two can be compared by memcmp(). */
struct dns_resolv {
    struct dns_server servers[DNS_SERVERS_MAX];
    size_t n_servers; /* at least 1 */
    char search[DNS_SEARCH_MAX][DNS_NAME_MAX + 1];
    size_t n_search;
    int ndots;
    int timeout_ms; /* of one try */
    int attempts;   /* rounds over all servers */
};

/* Reads the file anew; without one, the server is 127.0.0.1. `server` ("ADDRESS", "ADDRESS:PORT"; NULL = as
 * the file says) is asked instead of the file's. 0 or -1 with the reason. */
int dns_resolv_read(struct dns_resolv *resolv, const char *server, struct err *err);

/* The absolute names that `name` may stand for, in the order to be tried: one with a dot at its end for
 * itself alone; one with fewer than ndots dots first for those of the search list. How many. */
size_t dns_candidates(const struct dns_resolv *resolv, const char *name,
                      char candidates[DNS_CANDIDATES_MAX][DNS_NAME_MAX + 1]);

#define DNS_SERVER_TEXT_BYTES 64
/* "10.96.0.10:53", "[fd00::a]:53". Returns out. */
const char *dns_server_format(const struct dns_server *server, char out[DNS_SERVER_TEXT_BYTES]);

#endif
