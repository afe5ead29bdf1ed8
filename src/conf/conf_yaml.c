/* SPDX-License-Identifier: MIT */
/*
 * The file reader: YAML events into struct conf. The shape is known, so it is read as a grammar: a mapping of keys to
 * scalars or lists of them, but `static`, a list of mappings. Everything else of YAML (anchors, aliases, tags, further
 * documents) is refused.
 */
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "key.h"
#include "yaml_reader.h"

#define KEYS_MAX 256

struct reader {
    struct yaml_reader yaml;
    struct conf *conf;
    struct err *err;     /* the same as yaml's */
    bool seen[KEYS_MAX]; /* by key of the table, then static */
};

/* A scalar, or a list of them. */
static int read_list(struct reader *r, const struct key *key)
{
    const struct conf_list *list = (const void *)((const char *)r->conf + key->offset);
    const char *text;

    key_clear_list(r->conf, key);
    if (r->yaml.kind != YAML_IS_LIST) {
        text = yaml_reader_scalar(&r->yaml);
        return text ? key_add_to_list(r->conf, key, text, r->err) : -1;
    }
    for (;;) {
        if (yaml_reader_next(&r->yaml) != 0)
            return -1;
        if (r->yaml.kind == YAML_IS_LIST_END)
            return list->n > 0 ? 0 : err_set(r->err, "should have at least one value");
        text = yaml_reader_scalar(&r->yaml);
        if (!text || key_add_to_list(r->conf, key, text, r->err) != 0)
            return -1;
    }
}

/* --- static --- */

static int set_pod_member(struct conf_static_pod *pod, const char *member, const char *text, struct err *err)
{
    int64_t port = 0;

    if (strcmp(member, "name") == 0) {
        if (!*text || strlen(text) >= sizeof(pod->name))
            return err_set(err, "should be a name of 1 to %zu characters", sizeof(pod->name) - 1);
        memcpy(pod->name, text, strlen(text) + 1);
        return 0;
    }
    if (strcmp(member, "address") == 0)
        return addr_parse(&pod->address, text, strlen(text)) == 0
                   ? 0
                   : err_set(err, "\"%.60s\" should be an IP address", text);
    if (strcmp(member, "port") != 0)
        return err_set(err, "should be name, address or port");
    if (key_parse_int(text, 1, 65535, &port) != 0)
        return err_set(err, "\"%.40s\" should be a whole number from 1 to 65535", text);
    pod->port = (uint16_t)port;
    return 0;
}

static int read_pod(struct reader *r, struct conf_static_pod *pod)
{
    char member[16];
    const char *text;

    if (r->yaml.kind != YAML_IS_MAP)
        return err_set(r->err, "should be a mapping {name, address, port}");
    while (yaml_reader_next(&r->yaml) == 0) {
        if (r->yaml.kind == YAML_IS_MAP_END)
            return pod->name[0] && pod->address.family ? 0 : err_set(r->err, "needs a name and an address");
        text = yaml_reader_scalar(&r->yaml);
        if (!text)
            return -1;
        if (strlen(text) >= sizeof(member))
            return err_set(r->err, "\"%.40s\" should be name, address or port", text);
        memcpy(member, text, strlen(text) + 1);
        if (yaml_reader_next(&r->yaml) != 0)
            return -1;
        text = yaml_reader_scalar(&r->yaml);
        if (!text || set_pod_member(pod, member, text, r->err) != 0)
            return err_context(r->err, "%s", member);
    }
    return -1;
}

static int add_pod(struct reader *r)
{
    struct conf *conf = r->conf;
    struct conf_static_pod *pods, pod = {.port = 0};

    if (read_pod(r, &pod) != 0)
        return -1;
    if ((int64_t)conf->n_static_pods >= conf->max_pods)
        return err_set(r->err, "more than max_pods entries");
    pods = realloc(conf->static_pods, (conf->n_static_pods + 1) * sizeof(pod));
    if (!pods)
        return err_set(r->err, "out of memory");
    conf->static_pods = pods;
    pods[conf->n_static_pods++] = pod;
    return 0;
}

static int read_static(struct reader *r)
{
    r->conf->n_static_pods = 0;
    if (r->yaml.kind != YAML_IS_LIST)
        return err_set(r->err, "should be a list of {name, address, port}");
    while (yaml_reader_next(&r->yaml) == 0) {
        if (r->yaml.kind == YAML_IS_LIST_END)
            return 0;
        if (add_pod(r) != 0)
            return -1;
    }
    return -1;
}

/* --- the whole --- */

static int unknown_key(const char *name, struct err *err)
{
    const char *nearest = key_nearest(name);

    return err_set(err, "%.60s: unknown key%s%s%s", name, nearest ? "; did you mean " : "", nearest ? nearest : "",
                   nearest ? "?" : "");
}

/* Notes that a key was there. -1 if it was there before. */
static int see(struct reader *r, size_t key)
{
    must(key < KEYS_MAX);
    if (r->seen[key])
        return err_set(r->err, "is there twice");
    r->seen[key] = true;
    return 0;
}

static int read_value(struct reader *r, const struct key *key)
{
    const char *text;

    if (!key)
        return see(r, n_keys) == 0 ? read_static(r) : -1;
    if (see(r, (size_t)(key - keys)) != 0)
        return -1;
    if (key->type == KEY_LIST)
        return read_list(r, key);
    text = yaml_reader_scalar(&r->yaml);
    return text ? key_set(r->conf, key, text, r->err) : -1;
}

static int read_entry(struct reader *r)
{
    const char *text = yaml_reader_scalar(&r->yaml);
    const struct key *key = text ? key_find(text) : NULL;
    char name[64];

    if (!text)
        return yaml_reader_at_line(&r->yaml);
    if ((!key && strcmp(text, "static") != 0) || strlen(text) >= sizeof(name)) {
        unknown_key(text, r->err);
        return yaml_reader_at_line(&r->yaml);
    }
    memcpy(name, text, strlen(text) + 1);
    if (yaml_reader_next(&r->yaml) != 0)
        return -1;
    if (read_value(r, key) == 0)
        return 0;
    if (r->yaml.kind == YAML_IS_FAILED)
        return -1; /* no YAML: the error names its line already */
    err_context(r->err, "%s", name);
    return yaml_reader_at_line(&r->yaml);
}

static int read_document(struct reader *r)
{
    int rc = yaml_reader_begin(&r->yaml);

    if (rc <= 0)
        return rc; /* an empty file is all defaults */
    for (;;) {
        if (yaml_reader_next(&r->yaml) != 0)
            return -1;
        if (r->yaml.kind == YAML_IS_MAP_END)
            return yaml_reader_end(&r->yaml);
        if (read_entry(r) != 0)
            return -1;
    }
}

int conf_read_text(struct conf *conf, const char *name, const char *text, size_t len, struct err *err)
{
    struct reader r = {.conf = conf};
    int rc;

    if (yaml_reader_init(&r.yaml, name, text, len, err) != 0)
        return -1;
    r.err = r.yaml.err;
    rc = read_document(&r);
    yaml_reader_release(&r.yaml);
    return rc;
}
