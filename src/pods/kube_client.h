/* SPDX-License-Identifier: MIT */
/*
 * Requests to the API server, with the credentials that kube_access.h finds. Several may be under way at once
 * (a list, watches). Files of credentials are read anew for each.
 */
#ifndef SYNCER_SRC_PODS_KUBE_CLIENT_H
#define SYNCER_SRC_PODS_KUBE_CLIENT_H

#include <stdint.h>

#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/conf/conf.h>
#include <syncer/net/fetch.h>

#include "kube_objects.h"

struct kube_client;
struct kube_request; /* one that is under way */

struct kube_get {
    const char *path;        /* with its query; copied */
    int64_t timeout_ms;      /* of the whole, as in fetch.h; 0 = none (a watch) */
    int64_t idle_timeout_ms; /* no byte for so long ends it; 0 = none */
};

/* Finds the credentials and tries all files once. `conf` is borrowed. NULL with the reason. */
struct kube_client *kube_client_new(struct loop *loop, const struct conf *conf, const char *user_agent,
                                    struct err *err);
/* Ends what is under way without on_done. Not from within an event. NULL is fine. */
void kube_client_free(struct kube_client *client);

/* "https://10.0.0.1:443". Borrowed. */
const char *kube_client_url(const struct kube_client *client);

/* The one of the configuration, else what the credentials come with. Borrowed. */
const char *kube_client_namespace(const struct kube_client *client);

/* What a person should know although it is no error, for the log: "" = nothing. Borrowed. */
const char *kube_client_warning(const struct kube_client *client);

/* What a server has said is shown to people, who need not know the token: a text with a piece of it becomes one without. */
void kube_client_screen(const struct kube_client *client, char text[KUBE_MESSAGE_BYTES]);

/* GET. *handle is set until the end, as with fetch_start(). A 401 is not handed on the first time: the
 * request is made again with the credentials as they are by then. `events` as in fetch.h, borrowed. 0, or -1
 * with the reason and no event. */
int kube_client_get(struct kube_client *client, const struct kube_get *get, const struct fetch_events *events,
                    void *arg, struct kube_request **handle, struct err *err);
/* Ends it without on_done; also from within its own on_head and on_data. *handle may be NULL; it is NULL
 * afterwards. */
void kube_request_cancel(struct kube_request **handle);

#endif
