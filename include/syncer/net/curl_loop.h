/* SPDX-License-Identifier: MIT */
/*
 * A libcurl multi handle hung into the event loop: sockets through CURLMOPT_SOCKETFUNCTION, one timer. All callbacks of
 * libcurl end here; nothing of libcurl is called from one of them. A process may have several (some 30 connections each
 * keep one call short). Master, worker, ctl; each makes its own after its exec.
 */
#ifndef SYNCER_NET_CURL_LOOP_H
#define SYNCER_NET_CURL_LOOP_H

#include <curl/curl.h>

#include <syncer/base/err.h>
#include <syncer/base/loop.h>

struct curl_loop;

/* What hangs on an easy handle (CURLOPT_PRIVATE points to it). */
struct curl_transfer {
    void (*on_done)(struct curl_transfer *transfer, CURLcode code); /* from the loop, never from within an add */
};

/* NULL with the reason. max_connects: CURLMOPT_MAXCONNECTS, 0 = libcurl's. */
struct curl_loop *curl_loop_new(struct loop *loop, long max_connects, struct err *err);
/* No handle may be in it any more. NULL is fine. */
void curl_loop_free(struct curl_loop *cl);

/* Puts `easy` in; sets its CURLOPT_PRIVATE, and the socket functions by which descriptors are forgotten when they close.
 * It stays in until curl_loop_remove(), also after on_done. 0, or -1 with the reason. */
int curl_loop_add(struct curl_loop *cl, CURL *easy, struct curl_transfer *transfer, struct err *err);
/* Takes it out (what libcurl kept of its connection may be closed by that). Not from within a callback of libcurl; from
 * on_done it is fine. */
void curl_loop_remove(struct curl_loop *cl, CURL *easy);

#endif
