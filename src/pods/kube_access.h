/* SPDX-License-Identifier: MIT */
/*
 * What it takes to reach the API server: where it is, whom to trust there, who we are. From the first of
 *
 *      the setting `kubeconfig`, the variable KUBECONFIG, a pod's environment with the files of its
 *      ServiceAccount, ~/.kube/config
 *
 * Files of tokens, CAs, certificates and keys are read anew for each request, so that what has been rotated
 * is in force with the next one; those of a token are held only while a request is made of it.
 * https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 */
#ifndef SYNCER_SRC_PODS_KUBE_ACCESS_H
#define SYNCER_SRC_PODS_KUBE_ACCESS_H

#include <stdbool.h>

#include <syncer/base/buf.h>
#include <syncer/base/err.h>
#include <syncer/conf/conf.h>
#include <syncer/net/trust.h>

#define KUBE_TOKEN_MAX_BYTES ((size_t)16384)

struct kube_access;

/* Finds it and tries all files once. `conf` is borrowed. NULL with the reason. */
struct kube_access *kube_access_new(const struct conf *conf, struct err *err);
/* Wipes what it holds. NULL is fine. */
void kube_access_free(struct kube_access *access);

/* These stay the same for its life. Borrowed. */
const char *kube_access_url(const struct kube_access *access);         /* "https://10.0.0.1:443" */
const char *kube_access_server_name(const struct kube_access *access); /* NULL = the URL's host */
const char *kube_access_namespace(const struct kube_access *access);   /* NULL = none */
const char *kube_access_warning(const struct kube_access *access);     /* "" = none; for the log */

/* Reads CA, certificate and key anew. *changed: what was connected before should not be used any more. 0, or
 * -1 with the reason: what was read before is kept, and no request should be made. */
int kube_access_refresh(struct kube_access *access, bool *changed, struct err *err);

/* After a 401: reads the kubeconfig itself anew, which may have another token by now. One that is for another
 * server, or can't be read, changes nothing. */
void kube_access_refused(struct kube_access *access);

/* As of the last refresh; NULL for http. Borrowed. */
struct trust *kube_access_trust(const struct kube_access *access);

/* What vouches for the server's certificate, for a person. Borrowed. */
const char *kube_access_ca_name(const struct kube_access *access);

/* The token, empty if there is none; `token` is wiped by the caller. 0, or -1 with the reason. */
int kube_access_token(const struct kube_access *access, struct buf *token, struct err *err);

#endif
