/* SPDX-License-Identifier: MIT */
/*
 * A libcurl multi handle hung into the event loop: sockets through CURLMOPT_SOCKETFUNCTION, one timer. All
 * callbacks of libcurl end here; nothing of libcurl is called from one of them. A process may have several
 * (some 30 connections each keep one call short). Master, worker, ctl; each makes its own after its exec.
 */
#ifndef SYNCER_NET_CURL_LOOP_H
#define SYNCER_NET_CURL_LOOP_H

#include <stdbool.h>

#include <curl/curl.h>

#include <syncer/base/err.h>
#include <syncer/base/loop.h>

struct curl_loop;

/* What hangs on an easy handle (CURLOPT_PRIVATE points to it). */
struct curl_transfer {
    void (*on_done)(struct curl_transfer *transfer, CURLcode code); /* from the loop, never from within an add */
    /* the curl_loop's own */
    struct curl_sockets *sockets;
    int socket_errno; /* of the last socket that could not be made since the add; 0 = none */
};

/* NULL with the reason. max_connects: CURLMOPT_MAXCONNECTS, 0 = libcurl's. keeps: connections of ended
 * transfers may serve later ones; one on which a byte has come meanwhile never does. */
struct curl_loop *curl_loop_new(struct loop *loop, long max_connects, bool keeps, struct err *err);
/* No handle may be in it any more. From on_done it is fine, from within a callback of libcurl it is not. NULL
 * is fine. */
void curl_loop_free(struct curl_loop *cl);

/* Puts `easy` in; sets its CURLOPT_PRIVATE and the functions that make and close its sockets (CLOEXEC). It
 * stays in until curl_loop_remove(), also after on_done. 0, or -1 with the reason. */
int curl_loop_add(struct curl_loop *cl, CURL *easy, struct curl_transfer *transfer, struct err *err);
/* Takes it out (what libcurl kept of its connection may be closed by that). Not from within a callback of
 * libcurl; from on_done it is fine. */
void curl_loop_remove(struct curl_loop *cl, CURL *easy);

/* No connection that exists now serves a transfer that is added later. */
void curl_loop_forget_kept(struct curl_loop *cl);

/* After a transfer that ended with `code`: what was lacking here to connect or to look the name up (EMFILE,
 * ENFILE, ENOMEM, ENOBUFS, ENOSPC; EADDRNOTAVAIL = no port left), or 0 if it was the other side's doing. */
int curl_loop_own_errno(CURL *easy, const struct curl_transfer *transfer, CURLcode code);

#endif
