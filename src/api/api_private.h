/* SPDX-License-Identifier: MIT */
/* What the handlers share. */
#ifndef SYNCER_API_API_PRIVATE_H
#define SYNCER_API_API_PRIVATE_H

#include <syncer/api/api.h>
#include <syncer/base/buf.h>
#include <syncer/http/exchange.h>

#define API_JSON_MAX ((size_t)8 * 1024 * 1024) /* of one answer: 8,192 pods need some 2 MB */

void api_synced(struct http_exchange *x, void *app);
void api_health(struct http_exchange *x, void *app);
void api_livez(struct http_exchange *x, void *app);
void api_readyz(struct http_exchange *x, void *app);
void api_metrics(struct http_exchange *x, void *app);
void api_pods(struct http_exchange *x, void *app);
void api_status(struct http_exchange *x, void *app);
void api_root(struct http_exchange *x, void *app);
void api_page(struct http_exchange *x, void *app); /* of pages.def, by its path */

/* Ends an answer that has begun with `json`, and takes its memory; if it could not be built, the connection ends. */
void api_end_json(struct http_exchange *x, struct buf *json);
/* A whole answer: 503, to be tried again. */
void api_not_now(struct http_exchange *x, const char *why);
/* The table as it is now, held for an answer in slices; NULL: the answer was given. */
const struct podtable_snapshot *api_hold_table(struct http_exchange *x, const struct api *api);

/* May this client ask for a check? */
bool api_allows(const struct api *api, const struct http_exchange *x);

const char *api_error_name(enum api_error error);
/* The whole answer: status, X-Token-Error, Retry-After where a later try may help; and its line in the log. `detail` is a
 * literal: it may hold nothing of the request. */
void api_refuse(struct http_exchange *x, struct api *api, enum api_error error, const char *detail);

/* --- check_log.c: at most 10 lines a second, verdict or error and instance; then the count --- */

/* A check that is done. */
void api_log_verdict(struct api *api, const struct http_exchange *x, const struct check *check, const char *origin);
/* An answer without a verdict. */
void api_log_error(struct api *api, const struct http_exchange *x, enum api_error error, const char *detail);

/* What a person should know about a peer that is not as expected, with what to do; "" if there is nothing. */
const char *api_peer_reason(const struct check_peer_result *peer);
/* What to look at; "" if there is nothing. */
const char *api_peer_hint(const struct check_peer_result *peer);

#endif
