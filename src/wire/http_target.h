/* SPDX-License-Identifier: MIT */
/* The request parser's reader of targets and hosts. Pure. */
#ifndef SYNCER_WIRE_HTTP_TARGET_H
#define SYNCER_WIRE_HTTP_TARGET_H

#include <syncer/wire/http_request.h>

/* uri-host [ ":" port ], not empty (RFC 9110 section 4.2.1: an http URI without a host is invalid). */
bool http_is_host(const char *text, size_t len);

/* Checks `target` (not empty) against the form that req->method allows; sets req->path and req->query, and
 * req->host where the target names one. */
bool http_parse_target(const char *data, struct slice target, struct http_request *req);

#endif
