/* SPDX-License-Identifier: MIT */
/* How trust gets onto libcurl's handles: link.c and fetch.c only. */
#ifndef SYNCER_NET_TRUST_CURL_H
#define SYNCER_NET_TRUST_CURL_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include <syncer/net/trust.h>

#define TRUST_NAMES_BYTES 256

/* What a handshake is told, and what it tells. It must live as long as the easy handle. */
struct trust_use {
    const struct trust *trust;
    bool by_record; /* to be set before: a read ends with each record, also with one that brings no bytes */
    char names[TRUST_NAMES_BYTES]; /* of the certificate that came last: DNS names and addresses, or its subject */
    int64_t expires_s;             /* when it does, since the epoch; 0 = none has come, or before 1970 */
};

/* Sets verification, CA store and client certificate on `easy`. 0, or -1 with the reason. */
int trust_apply(struct trust_use *use, const struct trust *trust, CURL *easy, struct err *err);

#endif
