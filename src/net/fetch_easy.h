/* SPDX-License-Identifier: MIT */
/* The libcurl handle of one transfer, made from a request: fetch.c only. */
#ifndef SYNCER_NET_FETCH_EASY_H
#define SYNCER_NET_FETCH_EASY_H

#include <curl/curl.h>

#include <syncer/net/fetch.h>

#include "trust_curl.h"

struct fetch_easy {
    CURL *easy;
    struct curl_slist *fields, *connect_to;
    struct trust *shared; /* what `trust` uses: a cancelled transfer may still be connecting */
    struct trust_use trust;
    char error[CURL_ERROR_SIZE];
    bool by_unix; /* libcurl speaks of the URL's host and port even so */
};

/* All options but those of the callbacks. `self` must stay where it is. 0, or -1 with the reason and nothing
 * to release. */
int fetch_easy_init(struct fetch_easy *self, const struct fetch_request *request, const char *user_agent,
                    struct err *err);
/* The handle must not be in a multi handle any more. What held the token is wiped. */
void fetch_easy_release(struct fetch_easy *self);

/* From the body callback, each time: of a body of known length libcurl reads no byte too many, so that what
 * else stood in the last TLS record would wait within OpenSSL, unseen from the socket, for the next transfer.
 * Such a connection is closed when this transfer has ended. */
void fetch_easy_forbid_surplus(struct fetch_easy *self);

#endif
