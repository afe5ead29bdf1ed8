/* SPDX-License-Identifier: MIT */
/*
 * Which verbs the API server allows: by the very requests that a source makes, cut off at the answer's head. A
 * SelfSubjectAccessReview would need a POST, which net/fetch does not have.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/pods/rights.h>
#include <syncer/wire/url.h>

#include "kube_client.h"

#define QUESTION_MS 5000
#define PATH_BYTES 2048
#define WATCH "watch=true&timeoutSeconds=1" /* should the cancelled request not end the stream, the server does */
#define ONE "limit=1"

/* What roles/ allows, in its order. */
static const struct {
    enum conf_pods source;
    struct right right;
    const char *root;
    bool named; /* of one object, the Deployment */
    const char *query;
} table[] = {
    {CONF_PODS_KUBERNETES, {"get", "deployments", "apps"}, "/apis/apps/v1", true, ""},
    {CONF_PODS_KUBERNETES, {"watch", "deployments", "apps"}, "/apis/apps/v1", true, WATCH},
    {CONF_PODS_KUBERNETES, {"list", "replicasets", "apps"}, "/apis/apps/v1", false, ONE},
    {CONF_PODS_KUBERNETES, {"watch", "replicasets", "apps"}, "/apis/apps/v1", false, WATCH},
    {CONF_PODS_KUBERNETES, {"list", "pods", ""}, "/api/v1", false, ONE},
    {CONF_PODS_KUBERNETES, {"watch", "pods", ""}, "/api/v1", false, WATCH},
    {CONF_PODS_ENDPOINTSLICES, {"list", "endpointslices", "discovery.k8s.io"}, "/apis/discovery.k8s.io/v1", false, ONE},
    {CONF_PODS_ENDPOINTSLICES,
     {"watch", "endpointslices", "discovery.k8s.io"},
     "/apis/discovery.k8s.io/v1",
     false,
     WATCH},
};

struct question {
    struct rights *rights;
    const struct right *right; /* NULL = not asked */
    struct kube_request *request;
    enum right_state state;
    char reason[400]; /* as in fetch.h */
};

struct rights {
    struct loop *loop;
    struct kube_client *client;
    const struct rights_events *events;
    void *arg;
    size_t left;           /* questions without an answer */
    struct loop_task over; /* all is known: tells it */
    struct question questions[ARRAY_LEN(table)];
};

/* ---- answers ---- */

static void answer(struct question *question, enum right_state state, const char *reason)
{
    struct rights *rights = question->rights;

    question->state = state;
    snprintf(question->reason, sizeof(question->reason), "%.399s", reason);
    if (--rights->left == 0)
        loop_task_post(rights->loop, &rights->over);
}

/* Whether the object is there is not asked here, so that 404 is as good as 200. */
static void on_head(void *arg, int status, const char *content_type)
{
    struct question *question = arg;
    char reason[32];

    (void)content_type;
    kube_request_cancel(&question->request);
    snprintf(reason, sizeof(reason), "status %d", status);
    if (status == 403)
        answer(question, RIGHT_FORBIDDEN, "");
    else if (status == 401 || status == 429 || status >= 500)
        answer(question, RIGHT_UNKNOWN, reason);
    else
        answer(question, RIGHT_ALLOWED, "");
}

static int on_data(void *arg, const char *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    return -1; /* the head was all that was wanted */
}

static void on_done(void *arg, const struct fetch_result *result)
{
    answer(arg, RIGHT_UNKNOWN, result->reason);
}

static void on_over(struct loop_task *task)
{
    struct rights *rights = container_of(task, struct rights, over);

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct question *question = &rights->questions[i];

        if (question->right)
            rights->events->on_right(rights->arg, question->right, question->state, question->reason);
    }
    rights->events->on_done(rights->arg);
}

/* ---- questions ---- */

static void write_path(struct buf *path, size_t i, const char *namespace, const char *name)
{
    bool watch = strcmp(table[i].right.verb, "watch") == 0;

    buf_addf(path, "%s/namespaces/", table[i].root);
    url_encode(path, namespace, strlen(namespace));
    buf_addf(path, "/%s", table[i].right.resource);
    if (table[i].named && !watch) {
        buf_add_char(path, '/');
        url_encode(path, name, strlen(name));
    }
    buf_addf(path, "%s%s", table[i].query[0] ? "?" : "", table[i].query);
    if (table[i].named && watch) {
        buf_add_str(path, "&fieldSelector=metadata.name%3D");
        url_encode(path, name, strlen(name));
    }
}

static int ask_one(struct rights *rights, size_t i, const struct conf *conf, struct err *err)
{
    static const struct fetch_events events = {.on_head = on_head, .on_data = on_data, .on_done = on_done};
    struct question *question = &rights->questions[i];
    struct kube_get get = {.timeout_ms = QUESTION_MS};
    struct buf path;
    int rc;

    *question = (struct question){.rights = rights, .right = &table[i].right};
    buf_init(&path, PATH_BYTES);
    write_path(&path, i, kube_client_namespace(rights->client), conf->deployment ? conf->deployment : "");
    get.path = buf_str(&path);
    rc = path.failed ? err_set(err, "the request would be longer than %d bytes", PATH_BYTES)
                     : kube_client_get(rights->client, &get, &events, question, &question->request, err);
    buf_release(&path);
    rights->left += rc == 0;
    return rc;
}

struct rights *rights_new(struct loop *loop, const struct conf *conf, const char *user_agent,
                          const struct rights_events *events, void *arg, struct err *err)
{
    struct rights *rights;

    err_clear(err);
    if (conf->pods != CONF_PODS_KUBERNETES && conf->pods != CONF_PODS_ENDPOINTSLICES)
        return NULL;
    rights = calloc(1, sizeof(*rights));
    if (!rights) {
        err_set(err, "out of memory");
        return NULL;
    }
    rights->loop = loop;
    rights->events = events;
    rights->arg = arg;
    rights->over.run = on_over;
    rights->client = kube_client_new(loop, conf, user_agent, err);
    for (size_t i = 0; rights->client && i < ARRAY_LEN(table); i++)
        if (table[i].source == (enum conf_pods)conf->pods && ask_one(rights, i, conf, err) < 0) {
            rights_free(rights);
            return NULL;
        }
    if (!rights->client) {
        rights_free(rights);
        return NULL;
    }
    return rights;
}

void rights_free(struct rights *rights)
{
    if (!rights)
        return;
    loop_task_cancel(rights->loop, &rights->over);
    kube_client_free(rights->client);
    free(rights);
}
