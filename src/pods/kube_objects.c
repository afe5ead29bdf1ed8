/* SPDX-License-Identifier: MIT */
/*
 * The reader of objects. Zero fields are absent in Kubernetes' JSON, so a missing value means the zero value
 * wherever the API allows it; where it is required (name, uid, selector), its absence makes the answer
 * nonsense.
 */
#include <config.h>

#include <string.h>

#include <syncer/base/macros.h>

#include "kube_objects.h"

#define REVISION_KEY "deployment.kubernetes.io/revision"
#define LABEL_VALUE_BYTES 64 /* 63 characters */
#define LABEL_KEY_BYTES 318  /* prefix of 253, slash, 63 */

/* A string that may be absent: "" then. One of another type or too long is an error. */
static int read_optional(const struct json_doc *doc, json_value v, char *out, size_t room)
{
    enum json_type type = json_type(doc, v);

    out[0] = '\0';
    if (type == JSON_MISSING || type == JSON_NULL)
        return 0;
    return json_str(doc, v, out, room) < 0 ? -1 : 0;
}

static int read_required(const struct json_doc *doc, json_value v, char *out, size_t room)
{
    return json_str(doc, v, out, room) > 0 ? 0 : -1;
}

/* The uid of the owner that controls the object; there is one at most. */
static int read_owner(const struct json_doc *doc, json_value meta, char out[KUBE_UID_BYTES])
{
    json_value owners = json_get(doc, meta, "ownerReferences");

    out[0] = '\0';
    for (json_value v = json_first(doc, owners); v != JSON_NONE; v = json_next(doc, v)) {
        bool controller = false;

        if (json_bool(doc, json_get(doc, v, "controller"), &controller) == 0 && controller)
            return read_required(doc, json_get(doc, v, "uid"), out, KUBE_UID_BYTES);
    }
    return 0;
}

static int read_revision(const struct json_doc *doc, json_value meta, char out[KUBE_REVISION_BYTES])
{
    return read_optional(doc, json_path(doc, meta, "annotations", REVISION_KEY, NULL), out, KUBE_REVISION_BYTES);
}

/* --- the selector --- */

/* Label keys and values are made of these; anything else would change what the selector says. */
static bool is_label(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == strlen(text);
}

static int add_requirement(struct buf *out, const char *before, const char *key, const char *after)
{
    if (key[0] == '\0' || !is_label(key))
        return -1;
    if (out->len > 0)
        buf_add_char(out, ',');
    buf_add_str(out, before);
    buf_add_str(out, key);
    buf_add_str(out, after);
    return 0;
}

static int add_match_labels(const struct json_doc *doc, json_value labels, struct buf *out)
{
    for (json_value k = json_first(doc, labels); k != JSON_NONE; k = json_next(doc, k)) {
        char key[LABEL_KEY_BYTES], value[LABEL_VALUE_BYTES];

        if (json_str(doc, k, key, sizeof(key)) < 0 ||
            json_str(doc, json_member_value(doc, k), value, sizeof(value)) < 0 || !is_label(value) ||
            add_requirement(out, "", key, "=") != 0)
            return -1;
        buf_add_str(out, value);
    }
    return 0;
}

/* "(a,b)" */
static int add_values(const struct json_doc *doc, json_value values, struct buf *out)
{
    const char *before = "(";

    if (json_type(doc, values) != JSON_ARRAY || json_size(doc, values) == 0)
        return -1;
    for (json_value v = json_first(doc, values); v != JSON_NONE; v = json_next(doc, v)) {
        char value[LABEL_VALUE_BYTES];

        if (json_str(doc, v, value, sizeof(value)) < 0 || !is_label(value))
            return -1;
        buf_add_str(out, before);
        buf_add_str(out, value);
        before = ",";
    }
    buf_add_char(out, ')');
    return 0;
}

static int add_match_expressions(const struct json_doc *doc, json_value expressions, struct buf *out)
{
    static const struct {
        const char *name, *before, *after;
        bool values;
    } operators[] = {
        {"In", "", " in ", true},
        {"NotIn", "", " notin ", true},
        {"Exists", "", "", false},
        {"DoesNotExist", "!", "", false},
    };

    for (json_value v = json_first(doc, expressions); v != JSON_NONE; v = json_next(doc, v)) {
        json_value name = json_get(doc, v, "operator");
        char key[LABEL_KEY_BYTES];
        size_t i = 0;

        while (i < ARRAY_LEN(operators) && !json_is(doc, name, operators[i].name))
            i++;
        if (i == ARRAY_LEN(operators) || json_str(doc, json_get(doc, v, "key"), key, sizeof(key)) < 0 ||
            add_requirement(out, operators[i].before, key, operators[i].after) != 0 ||
            (operators[i].values && add_values(doc, json_get(doc, v, "values"), out) != 0))
            return -1;
    }
    return 0;
}

static int read_selector(const struct json_doc *doc, json_value selector, struct buf *out)
{
    buf_clear(out);
    if (add_match_labels(doc, json_get(doc, selector, "matchLabels"), out) != 0 ||
        add_match_expressions(doc, json_get(doc, selector, "matchExpressions"), out) != 0)
        return -1;
    return out->failed || out->len == 0 ? -1 : 0;
}

/* --- objects --- */

int kube_read_deployment(const struct json_doc *doc, json_value v, struct kube_deployment *out, struct err *err)
{
    json_value meta = json_get(doc, v, "metadata");

    if (!json_is(doc, json_get(doc, v, "kind"), "Deployment"))
        return err_set(err, "the answer is no Deployment");
    if (read_required(doc, json_get(doc, meta, "uid"), out->uid, sizeof(out->uid)) != 0)
        return err_set(err, "the Deployment has no uid");
    if (read_revision(doc, meta, out->revision) != 0)
        return err_set(err, "the Deployment's annotation " REVISION_KEY " is no short string");
    if (read_selector(doc, json_path(doc, v, "spec", "selector", NULL), &out->selector) != 0)
        return err_set(err, "the Deployment's spec.selector is missing, empty or not understood");
    return 0;
}

int kube_read_replicaset(const struct json_doc *doc, json_value v, struct kube_replicaset *out, struct err *err)
{
    json_value meta = json_get(doc, v, "metadata");

    if (read_required(doc, json_get(doc, meta, "uid"), out->uid, sizeof(out->uid)) != 0)
        return err_set(err, "a ReplicaSet without uid");
    if (read_owner(doc, meta, out->owner) != 0)
        return err_set(err, "a ReplicaSet whose ownerReferences are not understood");
    if (read_revision(doc, meta, out->revision) != 0)
        return err_set(err, "a ReplicaSet whose annotation " REVISION_KEY " is no short string");
    return 0;
}

static bool is_ready(const struct json_doc *doc, json_value status)
{
    json_value conditions = json_get(doc, status, "conditions");

    for (json_value v = json_first(doc, conditions); v != JSON_NONE; v = json_next(doc, v))
        if (json_is(doc, json_get(doc, v, "type"), "Ready"))
            return json_is(doc, json_get(doc, v, "status"), "True");
    return false;
}

/* A pod that is being deleted stays Running, Ready and with its address until its containers have ended. */
static enum source_state pod_state(const struct json_doc *doc, json_value meta, json_value status)
{
    enum json_type deletion = json_type(doc, json_get(doc, meta, "deletionTimestamp"));
    json_value phase = json_get(doc, status, "phase");

    if (deletion != JSON_MISSING && deletion != JSON_NULL)
        return SOURCE_TERMINATING;
    if (json_is(doc, phase, "Running"))
        return is_ready(doc, status) ? SOURCE_READY : SOURCE_UNREADY;
    if (json_is(doc, phase, "Pending"))
        return SOURCE_PENDING;
    if (json_is(doc, phase, "Failed") || json_is(doc, phase, "Succeeded"))
        return SOURCE_FAILED;
    return SOURCE_UNKNOWN;
}

int kube_read_pod(const struct json_doc *doc, json_value v, struct kube_pod *out, struct err *err)
{
    json_value meta = json_get(doc, v, "metadata"), status = json_get(doc, v, "status");
    char ip[ADDR_TEXT_BYTES];

    if (read_required(doc, json_get(doc, meta, "name"), out->name, sizeof(out->name)) != 0 ||
        read_required(doc, json_get(doc, meta, "uid"), out->uid, sizeof(out->uid)) != 0)
        return err_set(err, "a Pod without name or uid");
    if (read_owner(doc, meta, out->owner) != 0)
        return err_set(err, "a Pod whose ownerReferences are not understood");
    out->addr = (struct addr){0};
    if (read_optional(doc, json_get(doc, status, "podIP"), ip, sizeof(ip)) != 0 ||
        (ip[0] != '\0' && addr_parse(&out->addr, ip, strlen(ip)) != 0))
        return err_set(err, "the podIP of Pod %.253s is no address", out->name);
    out->state = pod_state(doc, meta, status);
    return 0;
}

int kube_read_version(const struct json_doc *doc, json_value meta, char out[KUBE_VERSION_BYTES], struct err *err)
{
    if (read_optional(doc, json_get(doc, meta, "resourceVersion"), out, KUBE_VERSION_BYTES) != 0)
        return err_set(err, "metadata.resourceVersion is no string, or too long");
    return 0;
}

int kube_read_meta(const struct json_doc *doc, json_value v, struct kube_meta *out, struct err *err)
{
    json_value meta = json_get(doc, v, "metadata");

    if (read_required(doc, json_get(doc, meta, "uid"), out->uid, sizeof(out->uid)) != 0)
        return err_set(err, "an object without uid");
    return kube_read_version(doc, meta, out->version, err);
}

int kube_read_continue(const struct json_doc *doc, struct buf *next, struct err *err)
{
    json_value v = json_get(doc, 0, "continue");
    char *room;

    buf_clear(next);
    if (json_type(doc, v) == JSON_MISSING || json_type(doc, v) == JSON_NULL)
        return 0;
    room = buf_reserve(next, KUBE_CONTINUE_MAX_BYTES);
    if (!room)
        return err_set(err, "out of memory");
    if (json_str(doc, v, room, KUBE_CONTINUE_MAX_BYTES) < 0)
        return err_set(err, "metadata.continue is no string, or too long");
    next->len = strlen(room);
    return 0;
}

void kube_read_message(const struct json_doc *doc, json_value v, char out[KUBE_MESSAGE_BYTES])
{
    char whole[2048];

    out[0] = '\0';
    if (!json_is(doc, json_get(doc, v, "kind"), "Status") ||
        json_str(doc, json_get(doc, v, "message"), whole, sizeof(whole)) < 0)
        return;
    whole[KUBE_MESSAGE_BYTES - 1] = '\0';
    memcpy(out, whole, strlen(whole) + 1);
}
