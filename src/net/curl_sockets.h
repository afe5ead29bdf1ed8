/* SPDX-License-Identifier: MIT */
/* The sockets of one multi handle: curl_loop.c only. */
#ifndef SYNCER_NET_CURL_SOCKETS_H
#define SYNCER_NET_CURL_SOCKETS_H

#include <syncer/net/curl_loop.h>

struct curl_sockets {
    struct loop *loop;
    struct watched *first;
    struct watched *ready; /* in the order in which they became so */
    struct loop_task turn; /* takes the first of them */
    bool keeps;            /* ended transfers leave connections behind for later ones */
    /* A socket that libcurl waits for: `what` as curl_multi_socket_action() wants it. From the loop. */
    void (*on_ready)(struct curl_sockets *sockets, int fd, int what);
};

void curl_sockets_init(struct curl_sockets *sockets, struct loop *loop, CURLM *multi, bool keeps,
                       void (*on_ready)(struct curl_sockets *sockets, int fd, int what));
/* After the multi handle has gone. */
void curl_sockets_release(struct curl_sockets *sockets);

/* The sockets of `easy` are made and closed here. Before it is put into the multi handle. */
void curl_sockets_serve(struct curl_sockets *sockets, CURL *easy, struct curl_transfer *transfer);

/* A kept connection on which anything has come would give that to the next transfer as its answer: it is
 * ended. To be called before each call of libcurl: any of them may be the one in which a transfer chooses its
 * connection. */
void curl_sockets_ruin_unsilent(struct curl_sockets *sockets);
/* No connection that exists now serves a later transfer. */
void curl_sockets_forget_kept(struct curl_sockets *sockets);

#endif
