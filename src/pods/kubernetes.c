/* SPDX-License-Identifier: MIT */
/*
 * The pods of a Deployment, read from the API server: one read is three questions, each of which may have
 * several pages.
 *
 *      DEPLOYMENT    its uid, selector and revision
 *      SETS          the ReplicaSets that it owns
 *      PODS          the pods that these own, whatever their state
 *
 * Only when the last page is whole is anything handed on. Everything else, whatever it is, is a failure:
 * never an empty list. Which pods count is kube_select.c's to say, what the objects mean kube_objects.c's.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/random.h>
#include <syncer/wire/url.h>

#include "kube_client.h"
#include "kube_list.h"
#include "kube_select.h"
#include "source_kind.h"

#define PAGE_ITEMS 500
/* A lost answer must not hold the list back: a plain LIST hangs beyond 75 s while etcd is away. */
#define REQUEST_TIMEOUT_MS 10000
#define BACKOFF_MIN_MS 800
#define BACKOFF_MAX_MS 30000
#define RETRY_AFTER_MAX_MS 60000 /* a server (or what stands before it) must not blind us for longer */
#define PAGES_MAX 200            /* of one read: a server that never ends is not read for ever */
#define PATH_MAX_BYTES 60000
#define RESTARTS_MAX 1 /* of one read, after a continue token has expired */

enum step { STEP_DEPLOYMENT, STEP_SETS, STEP_PODS, STEPS };

struct kube_source {
    struct source source;
    const struct conf *conf;
    struct kube_client *client;
    struct kube_request *request; /* NULL: none under way */
    struct loop_timer timer;      /* the next read */
    struct json_doc *doc;
    struct kube_list list;
    struct kube_deployment deployment;
    struct kube_selection selection;
    struct buf next; /* continue token of the page before */
    struct buf body; /* of the Deployment, or the beginning of a refusal */

    bool reading, again; /* again: another read right after this one */
    enum step step;
    int status;
    unsigned restarts, pages;
    struct err err; /* why a body was given up */
    int64_t backoff_ms;
    int64_t not_before_ns; /* the server asked to be left alone until then; 0 = it did not */
};

/* What each step asks for. */
static const struct {
    const char *verb, *resource; /* as in a Role */
    const char *api_group;       /* as in a Role; "" is the core */
    const char *root;            /* of its paths */
    const char *kind;            /* of the list */
} steps[STEPS] = {
    [STEP_DEPLOYMENT] = {"get", "deployments", "apps", "/apis/apps/v1", NULL},
    [STEP_SETS] = {"list", "replicasets", "apps", "/apis/apps/v1", "ReplicaSetList"},
    [STEP_PODS] = {"list", "pods", "", "/api/v1", "PodList"},
};

/* ---- the end of a read ---- */

/* In `ms`, or at once where another read is wanted already; never before the server wants it. Returns in how
 * many ms. */
static int64_t set_next_read(struct kube_source *self, int64_t ms)
{
    int64_t now = clock_now_ns(), due = now + (self->again ? 0 : ms * NS_PER_MS);

    if (due < self->not_before_ns)
        due = self->not_before_ns;
    self->reading = self->again = false;
    loop_timer_set(&self->timer, due);
    return (due - now) / NS_PER_MS;
}

/* 0.8 s, doubling to 30 s but never beyond the usual interval; a quarter of it is jitter. */
static int64_t back_off_ms(struct kube_source *self)
{
    int64_t wait = self->backoff_ms ? self->backoff_ms * 2 : BACKOFF_MIN_MS;

    if (wait > BACKOFF_MAX_MS)
        wait = BACKOFF_MAX_MS;
    if (wait > self->conf->scrape_interval_ms)
        wait = self->conf->scrape_interval_ms;
    self->backoff_ms = wait;
    return wait - random_below((uint32_t)wait / 4);
}

static void respect(struct kube_source *self, int64_t retry_after_ms)
{
    if (retry_after_ms > RETRY_AFTER_MAX_MS)
        retry_after_ms = RETRY_AFTER_MAX_MS;
    self->not_before_ns = retry_after_ms > 0 ? clock_now_ns() + retry_after_ms * NS_PER_MS : 0;
}

static void fail(struct kube_source *self, const char *reason, int64_t retry_after_ms)
{
    struct source_failure failure = {.too_many = self->selection.too_many};

    respect(self, retry_after_ms);
    failure.retry_ms = set_next_read(self, back_off_ms(self));
    err_set(&failure.reason, "%s %s in namespace %s: %s", steps[self->step].verb, steps[self->step].resource,
            kube_client_namespace(self->client), reason);
    self->source.events->on_failed(self->source.arg, &failure);
}

static void succeed(struct kube_source *self)
{
    kube_selection_finish(&self->selection);
    self->backoff_ms = self->not_before_ns = 0;
    set_next_read(self, self->conf->scrape_interval_ms);
    self->source.events->on_list(self->source.arg, self->selection.pods, self->selection.n);
}

/* The server's own words, if it has any. */
static void read_message(struct kube_source *self, char message[KUBE_MESSAGE_BYTES])
{
    message[0] = '\0';
    if (self->body.len > 0 && !self->body.failed &&
        json_doc_parse(self->doc, self->body.data, self->body.len, NULL) == 0)
        kube_read_message(self->doc, message);
}

static void fail_status(struct kube_source *self, int64_t retry_after_ms)
{
    char message[KUBE_MESSAGE_BYTES], rule[160], reason[512];
    const char *remedy = "";

    read_message(self, message);
    snprintf(rule, sizeof(rule),
             ": the Role of the ServiceAccount should allow verb %s on resource %s of apiGroup \"%s\"",
             steps[self->step].verb, steps[self->step].resource, steps[self->step].api_group);
    if (self->status == 403)
        remedy = rule;
    else if (self->status == 401)
        remedy = ": the token is not accepted";
    else if (self->status == 404 && self->step == STEP_DEPLOYMENT)
        remedy = ": there is no such Deployment; are `namespace` and `deployment` right?";
    else if (self->status == 429)
        remedy = ": the API server is overloaded";
    snprintf(reason, sizeof(reason), "status %d%s%s%s", self->status, remedy,
             message[0] ? "; the server says: " : "", message);
    fail(self, reason, retry_after_ms);
}

/* ---- questions ---- */

static void add_page(struct kube_source *self, struct buf *path)
{
    buf_addf(path, "?limit=%d&labelSelector=", PAGE_ITEMS);
    url_encode(path, self->deployment.selector.data, self->deployment.selector.len);
    if (self->next.len == 0)
        return;
    buf_add_str(path, "&continue=");
    url_encode(path, self->next.data, self->next.len);
}

static void ask(struct kube_source *self);

static void begin_read(struct kube_source *self)
{
    kube_selection_clear(&self->selection);
    buf_clear(&self->next);
    self->step = STEP_DEPLOYMENT;
    self->pages = 0;
    ask(self);
}

/* ---- answers ---- */

static int on_set(void *arg, const struct json_doc *doc, struct err *err)
{
    struct kube_source *self = arg;
    struct kube_replicaset set;

    if (kube_read_replicaset(doc, &set, err) < 0)
        return -1;
    return kube_selection_add_set(&self->selection, &self->deployment, &set, err);
}

static int on_pod(void *arg, const struct json_doc *doc, struct err *err)
{
    struct kube_source *self = arg;
    struct kube_pod pod;

    if (kube_read_pod(doc, &pod, err) < 0)
        return -1;
    return kube_selection_add_pod(&self->selection, &pod, err);
}

static bool is_list(const struct kube_source *self)
{
    return self->status == 200 && self->step != STEP_DEPLOYMENT;
}

static void on_head(void *arg, int status, const char *content_type)
{
    struct kube_source *self = arg;

    (void)content_type;
    self->status = status;
    if (!is_list(self))
        return;
    self->list.kind = steps[self->step].kind;
    self->list.on_item = self->step == STEP_SETS ? on_set : on_pod;
    kube_list_begin(&self->list);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct kube_source *self = arg;

    if (is_list(self))
        return kube_list_feed(&self->list, data, len, &self->err);
    buf_add(&self->body, data, len);
    if (self->body.failed && self->status == 200)
        return err_set(&self->err, "the answer is larger than %zu bytes", KUBE_OBJECT_MAX_BYTES);
    return 0;
}

static int read_deployment(struct kube_source *self)
{
    buf_clear(&self->deployment.selector);
    if (json_doc_parse(self->doc, self->body.data, self->body.len, &self->err) < 0)
        return err_context(&self->err, "the answer is no Deployment");
    return kube_read_deployment(self->doc, &self->deployment, &self->err);
}

/* The answer was whole and its status 200: what comes next. */
static void go_on(struct kube_source *self)
{
    int rc = self->step == STEP_DEPLOYMENT ? read_deployment(self) : kube_list_end(&self->list, &self->err);

    if (rc < 0) {
        fail(self, self->err.text, -1);
        return;
    }
    if (self->step == STEP_DEPLOYMENT)
        buf_clear(&self->next);
    if (self->next.len == 0)
        self->step++;
    if (self->step == STEPS)
        succeed(self);
    else
        ask(self);
}

static void on_done(void *arg, const struct fetch_result *result)
{
    struct kube_source *self = arg;

    if (result->end == FETCH_REFUSED)
        fail(self, self->err.text, -1);
    else if (result->end != FETCH_COMPLETE)
        fail(self, result->reason, -1);
    else if (self->status == 410 && self->next.len > 0 && self->restarts++ < RESTARTS_MAX)
        begin_read(self); /* the continue token has expired: what was read before is from another time */
    else if (self->status != 200)
        fail_status(self, result->retry_after_ms);
    else
        go_on(self);
}

static void ask(struct kube_source *self)
{
    static const struct fetch_events events = {on_head, on_data, on_done};
    const char *namespace = kube_client_namespace(self->client);
    struct kube_get get = {.timeout_ms = REQUEST_TIMEOUT_MS};
    struct buf path;

    buf_init(&path, PATH_MAX_BYTES);
    buf_addf(&path, "%s/namespaces/", steps[self->step].root);
    url_encode(&path, namespace, strlen(namespace));
    buf_addf(&path, "/%s", steps[self->step].resource);
    if (self->step == STEP_DEPLOYMENT) {
        buf_add_char(&path, '/');
        url_encode(&path, self->conf->deployment, strlen(self->conf->deployment));
    } else {
        add_page(self, &path);
    }
    get.path = buf_str(&path);
    self->status = 0;
    buf_clear(&self->body);
    err_clear(&self->err);
    if (self->pages++ == PAGES_MAX)
        fail(self, "the list does not end", -1);
    else if (path.failed)
        fail(self, "selector and continue token are longer than a request may be", -1);
    else if (kube_client_get(self->client, &get, &events, self, &self->request, &self->err) < 0)
        fail(self, self->err.text, -1);
    buf_release(&path);
}

static void on_due(struct loop_timer *timer)
{
    struct kube_source *self = container_of(timer, struct kube_source, timer);

    self->reading = true;
    self->restarts = 0;
    self->source.events->on_begin(self->source.arg);
    begin_read(self);
}

/* ---- life ---- */

static void kube_close(struct source *source)
{
    struct kube_source *self = container_of(source, struct kube_source, source);

    loop_timer_cancel(&self->timer);
    kube_client_free(self->client);
    kube_list_release(&self->list);
    kube_selection_release(&self->selection);
    json_doc_free(self->doc);
    buf_release(&self->deployment.selector);
    buf_release(&self->next);
    buf_release(&self->body);
    free(self);
}

static void kube_refresh(struct source *source)
{
    struct kube_source *self = container_of(source, struct kube_source, source);
    int64_t now = clock_now_ns();

    if (self->reading)
        self->again = true;
    else
        loop_timer_set(&self->timer, now > self->not_before_ns ? now : self->not_before_ns);
}

static int make_parts(struct kube_source *self, const struct source_settings *settings, struct err *err)
{
    const struct conf *conf = settings->conf;
    struct kube_rules rules = {
        .filter = (enum conf_pod_filter)conf->pod_filter,
        .scope = (enum conf_pod_scope)conf->pod_scope,
        .port = (uint16_t)conf->port,
        .max_pods = (size_t)conf->max_pods,
    };

    self->doc = json_doc_new(KUBE_OBJECT_MAX_VALUES);
    if (!self->doc || kube_selection_init(&self->selection, &rules) < 0)
        return err_set(err, "out of memory");
    self->client = kube_client_new(settings->loop, conf, settings->user_agent, err);
    return self->client ? 0 : -1;
}

static struct source *kube_open(const struct source_settings *settings, struct err *err)
{
    struct kube_source *self = calloc(1, sizeof(*self));

    if (!self) {
        err_set(err, "pods: kubernetes: out of memory");
        return NULL;
    }
    self->conf = settings->conf;
    buf_init(&self->deployment.selector, KUBE_SELECTOR_MAX_BYTES);
    buf_init(&self->next, KUBE_CONTINUE_MAX_BYTES);
    buf_init(&self->body, KUBE_OBJECT_MAX_BYTES);
    self->list.next = &self->next;
    self->list.arg = self;
    loop_timer_init(&self->timer, settings->loop, LOOP_EARLY, on_due);
    if (make_parts(self, settings, err) < 0) {
        err_context(err, "pods: kubernetes");
        kube_close(&self->source);
        return NULL;
    }
    self->list.doc = self->doc;
    snprintf(self->source.description, sizeof(self->source.description),
             "kubernetes: deployment %.253s/%.253s at %.200s", kube_client_namespace(self->client),
             self->conf->deployment, kube_client_url(self->client));
    loop_timer_set(&self->timer, clock_now_ns());
    return &self->source;
}

const struct source_kind source_kubernetes = {
    .open = kube_open, .close = kube_close, .refresh = kube_refresh};
