/* SPDX-License-Identifier: MIT */
/*
 * The way to the API server: where it is, whom to trust, who we are. In a cluster these are the environment
 * and the files of the ServiceAccount, which the kubelet swaps: both are read anew for each request, so that
 * a token is held only while a request is made of it, and a new CA is in force with the next request. One
 * request at a time. https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 */
#ifndef SYNCER_SRC_PODS_KUBE_CLIENT_H
#define SYNCER_SRC_PODS_KUBE_CLIENT_H

#include <syncer/base/buf.h>
#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/net/fetch.h>

struct kube_client;

/* Reads the environment and tries all files once. `dir` is borrowed. NULL with the reason. */
struct kube_client *kube_client_new(struct loop *loop, const char *dir, const char *user_agent,
                                    struct err *err);
/* Cancels what is under way without on_done. NULL is fine. */
void kube_client_free(struct kube_client *client);

/* "https://10.0.0.1:443". Borrowed. */
const char *kube_client_url(const struct kube_client *client);

/* The namespace of the pod itself, appended to `out`. 0 or -1 with the reason. */
int kube_client_namespace(const char *dir, struct buf *out, struct err *err);

/* GET of a path with its query. A 401 is not handed on the first time: the request is made again with the
 * token as it is in the file by then. `events` as in fetch.h, borrowed. 0, or -1 with the reason and no
 * event. */
int kube_client_get(struct kube_client *client, const char *path, const struct fetch_events *events,
                    void *arg, struct err *err);

#endif
