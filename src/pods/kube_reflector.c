/* SPDX-License-Identifier: MIT */
/* Lists of one collection, page by page. Whatever is not a whole list is a failure; when to list again is up
 * to who asked. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/wire/url.h>

#include "kube_reflector.h"

#define PAGE_ITEMS 500
#define PAGES_MAX 200  /* of one list: a server that never ends is not read for ever */
#define RESTARTS_MAX 1 /* of one list, after a continue token has expired */

const struct kube_limits kube_limits = {
    .request_ms = 10000,
    .watch_head_ms = 10000,
    .watch_idle_ms = 90000,
    .watch_s = 300,
    .forbidden_ms = 60000,
};

/* ---- what both files need ---- */

void kube_reflector_path(const struct kube_reflector *reflector, struct buf *path)
{
    const char *namespace = kube_client_namespace(reflector->client);

    buf_addf(path, "%s/namespaces/", reflector->resource->root);
    url_encode(path, namespace, strlen(namespace));
    buf_addf(path, "/%s", reflector->resource->name);
}

static const char *remedy_for(const struct kube_resource *resource, int status)
{
    if (status == 401)
        return ": the token is not accepted";
    if (status == 404 && resource->missing)
        return resource->missing;
    return status == 429 ? ": the API server is overloaded" : "";
}

void kube_reflector_refusal(struct kube_reflector *reflector, const char *verb, int status, const struct buf *body,
                            struct err *out)
{
    const struct kube_resource *resource = reflector->resource;
    char message[KUBE_MESSAGE_BYTES] = "", rule[160];

    if (body->len > 0 && !body->failed && json_doc_parse(reflector->doc, body->data, body->len, NULL) == 0)
        kube_read_message(reflector->doc, 0, message);
    kube_client_screen(reflector->client, message);
    snprintf(rule, sizeof(rule),
             ": the Role of the ServiceAccount should allow verb %s on resource %s of apiGroup \"%s\"", verb,
             resource->name, resource->group);
    err_set(out, "status %d%s%s%s", status, status == 403 ? rule : remedy_for(resource, status),
            message[0] ? "; the server says: " : "", message);
}

/* An object into `scratch`. */
static int read_object(struct kube_reflector *reflector, const struct json_doc *doc, json_value object, struct err *err)
{
    struct kube_meta meta;

    if (kube_read_meta(doc, object, &meta, err) != 0)
        return -1;
    memset(reflector->scratch, 0, reflector->records.size);
    memcpy(reflector->scratch->uid, meta.uid, sizeof(meta.uid));
    reflector->scratch->version = kube_version_number(meta.version);
    return reflector->events->read(reflector->arg, reflector, doc, object, reflector->scratch, err);
}

/* What was read into scratch has found no place. */
static void drop_scratch(struct kube_reflector *reflector)
{
    if (reflector->records.drop)
        reflector->records.drop(reflector->scratch);
}

int kube_reflector_put(struct kube_reflector *reflector, const struct json_doc *doc, json_value object, bool listed,
                       bool *changed, struct err *err)
{
    enum kube_put put;

    if (read_object(reflector, doc, object, err) != 0)
        return -1;
    put = listed ? kube_records_put_listed(&reflector->records, reflector->scratch)
                 : kube_records_put_watched(&reflector->records, reflector->scratch);
    *changed = put == KUBE_PUT_CHANGED;
    if (put != KUBE_PUT_CHANGED)
        drop_scratch(reflector);
    if (put == KUBE_PUT_FULL)
        return err_set(err, "more than %zu %s are too many", reflector->records.room, reflector->resource->name);
    return 0;
}

/* ---- the end of a list ---- */

static void fail(struct kube_reflector *reflector, const char *reason, int64_t retry_after_ms)
{
    kube_records_list_abort(&reflector->records);
    reflector->events->on_list_failed(reflector->arg, reflector, reason, retry_after_ms);
}

static void succeed(struct kube_reflector *reflector)
{
    const char *version = reflector->list.version;
    bool news = kube_records_list_end(&reflector->records, kube_version_number(version));

    reflector->complete = true;
    kube_watch_listed(reflector, version, news);
    reflector->events->on_listed(reflector->arg, reflector);
}

/* ---- answers ---- */

static void ask(struct kube_reflector *reflector);

static void begin(struct kube_reflector *reflector)
{
    kube_records_list_begin(&reflector->records);
    buf_clear(&reflector->next);
    reflector->list.version[0] = '\0';
    reflector->pages = 0;
    ask(reflector);
}

static int on_item(void *arg, const struct json_doc *doc, struct err *err)
{
    bool changed;

    return kube_reflector_put(arg, doc, 0, true, &changed, err);
}

static bool is_list(const struct kube_reflector *reflector)
{
    return reflector->status == 200 && reflector->resource->list_kind != NULL;
}

static void on_head(void *arg, int status, const char *content_type)
{
    struct kube_reflector *reflector = arg;

    (void)content_type;
    reflector->status = status;
    if (is_list(reflector))
        kube_list_begin(&reflector->list);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct kube_reflector *reflector = arg;

    if (is_list(reflector))
        return kube_list_feed(&reflector->list, data, len, &reflector->err);
    buf_add(&reflector->body, data, len);
    if (reflector->body.failed && reflector->status == 200)
        return err_set(&reflector->err, "the answer is larger than %zu bytes", KUBE_OBJECT_MAX_BYTES);
    return 0;
}

/* The one object, which was the whole answer. */
static int take_object(struct kube_reflector *reflector)
{
    struct err *err = &reflector->err;
    bool changed;

    if (json_doc_parse(reflector->doc, reflector->body.data, reflector->body.len, err) != 0)
        return err_context(err, "the answer is no JSON");
    return kube_reflector_put(reflector, reflector->doc, 0, true, &changed, err);
}

/* The answer was whole and its status 200: what comes next. */
static void go_on(struct kube_reflector *reflector)
{
    bool one = reflector->resource->list_kind == NULL;

    if ((one ? take_object(reflector) : kube_list_end(&reflector->list, &reflector->err)) != 0)
        fail(reflector, reflector->err.text, -1);
    else if (!one && reflector->next.len > 0)
        ask(reflector);
    else
        succeed(reflector);
}

static void on_done(void *arg, const struct fetch_result *result)
{
    struct kube_reflector *reflector = arg;

    if (result->end == FETCH_REFUSED) {
        fail(reflector, reflector->err.text, -1);
    } else if (result->end != FETCH_COMPLETE) {
        fail(reflector, result->reason, -1);
    } else if (reflector->status == 410 && reflector->next.len > 0 && reflector->restarts++ < RESTARTS_MAX) {
        begin(reflector); /* the continue token has expired: what was read before is from another time */
    } else if (reflector->status != 200) {
        kube_reflector_refusal(reflector, reflector->resource->verb, reflector->status, &reflector->body,
                               &reflector->err);
        fail(reflector, reflector->err.text, result->retry_after_ms);
    } else {
        go_on(reflector);
    }
}

/* ---- questions ---- */

static void write_path(struct kube_reflector *reflector, struct buf *path)
{
    kube_reflector_path(reflector, path);
    if (!reflector->resource->list_kind) {
        buf_add_char(path, '/');
        url_encode(path, reflector->object, strlen(reflector->object));
        return;
    }
    buf_addf(path, "?limit=%d&labelSelector=", PAGE_ITEMS);
    url_encode(path, reflector->selector.data, reflector->selector.len);
    if (reflector->next.len == 0)
        return;
    buf_add_str(path, "&continue=");
    url_encode(path, reflector->next.data, reflector->next.len);
}

static void ask(struct kube_reflector *reflector)
{
    static const struct fetch_events events = {.on_head = on_head, .on_data = on_data, .on_done = on_done};
    struct kube_get get = {.timeout_ms = reflector->limits->request_ms};
    struct buf path;

    buf_init(&path, KUBE_PATH_MAX_BYTES);
    write_path(reflector, &path);
    get.path = buf_str(&path);
    reflector->status = 0;
    buf_clear(&reflector->body);
    err_clear(&reflector->err);
    if (reflector->pages++ == PAGES_MAX)
        fail(reflector, "the list does not end", -1);
    else if (path.failed)
        fail(reflector, "selector and continue token are longer than a request may be", -1);
    else if (kube_client_get(reflector->client, &get, &events, reflector, &reflector->list_request, &reflector->err) <
             0)
        fail(reflector, reflector->err.text, -1);
    buf_release(&path);
}

void kube_reflector_list(struct kube_reflector *reflector)
{
    reflector->restarts = 0;
    begin(reflector);
}

/* ---- life ---- */

int kube_reflector_init(struct kube_reflector *reflector, struct loop *loop, size_t record_bytes, size_t room,
                        void (*drop)(struct kube_record *))
{
    reflector->loop = loop;
    reflector->limits = &kube_limits;
    buf_init(&reflector->selector, KUBE_SELECTOR_MAX_BYTES);
    buf_init(&reflector->next, KUBE_CONTINUE_MAX_BYTES);
    buf_init(&reflector->body, KUBE_OBJECT_MAX_BYTES);
    reflector->list.kind = reflector->resource->list_kind;
    reflector->list.doc = reflector->doc;
    reflector->list.next = &reflector->next;
    reflector->list.on_item = on_item;
    reflector->list.arg = reflector;
    kube_watch_init(reflector);
    reflector->scratch = calloc(1, record_bytes);
    return kube_records_init(&reflector->records, record_bytes, room, drop) == 0 && reflector->scratch ? 0 : -1;
}

void kube_reflector_release(struct kube_reflector *reflector)
{
    kube_request_cancel(&reflector->list_request);
    kube_watch_release(reflector);
    kube_list_release(&reflector->list);
    kube_records_release(&reflector->records);
    buf_release(&reflector->selector);
    buf_release(&reflector->next);
    buf_release(&reflector->body);
    free(reflector->scratch);
    reflector->scratch = NULL;
}

int kube_reflector_aim(struct kube_reflector *reflector, const char *what)
{
    kube_request_cancel(&reflector->list_request);
    kube_watch_stop(reflector);
    kube_records_clear(&reflector->records);
    reflector->complete = false;
    if (!reflector->resource->list_kind)
        return snprintf(reflector->object, sizeof(reflector->object), "%s", what) < (int)sizeof(reflector->object) ? 0
                                                                                                                   : -1;
    buf_clear(&reflector->selector);
    buf_add_str(&reflector->selector, what);
    return reflector->selector.failed ? -1 : 0;
}
