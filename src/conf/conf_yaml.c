/* SPDX-License-Identifier: MIT */
/*
 * The file reader: YAML events of libyaml (the only file that sees it) into struct conf. The shape is known, so it is
 * read as a grammar: a mapping of keys to scalars, but `listen`, a scalar or a list of them, and `static`, a list of
 * mappings. Everything else of YAML (anchors, aliases, tags, further documents) is refused.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include <syncer/base/macros.h>

#include "key.h"

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the present one */
    const char *name;   /* of the file */
    struct conf *conf;
    struct err *err;
    uint64_t seen; /* bit per key of the table, then listen and static */
};

static unsigned long line_of(const struct reader *r)
{
    return (unsigned long)r->event.start_mark.line + 1;
}

/* Puts "FILE:LINE: " in front of what is in r->err. */
static int at_line(const struct reader *r)
{
    return err_context(r->err, "%s:%lu", r->name, line_of(r));
}

static int next(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event)) {
        memset(&r->event, 0, sizeof(r->event));
        return err_set(r->err, "%s:%lu: not valid YAML: %s", r->name, (unsigned long)r->parser.problem_mark.line + 1,
                       r->parser.problem ? r->parser.problem : "unreadable");
    }
    return 0;
}

/* The scalar of the present event, or NULL: then r->err says what is there instead. */
static const char *scalar(struct reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value;

    if (r->event.type != YAML_SCALAR_EVENT) {
        err_set(r->err, "should be a single value");
        return NULL;
    }
    if (r->event.data.scalar.anchor || r->event.data.scalar.tag) {
        err_set(r->err, "anchors and tags are not used here");
        return NULL;
    }
    if (strlen(text) != r->event.data.scalar.length) {
        err_set(r->err, "has a NUL character");
        return NULL;
    }
    if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)) {
        err_set(r->err, "has no value");
        return NULL;
    }
    return text;
}

static int read_listen(struct reader *r)
{
    const char *text;

    key_clear_listen(r->conf);
    if (r->event.type != YAML_SEQUENCE_START_EVENT) {
        text = scalar(r);
        return text ? key_add_listen(r->conf, text, r->err) : -1;
    }
    for (;;) {
        if (next(r) != 0)
            return -1;
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return r->conf->n_listen > 0 ? 0 : err_set(r->err, "should have at least one address");
        text = scalar(r);
        if (!text || key_add_listen(r->conf, text, r->err) != 0)
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

    if (r->event.type != YAML_MAPPING_START_EVENT)
        return err_set(r->err, "should be a mapping {name, address, port}");
    while (next(r) == 0) {
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return pod->name[0] && pod->address.family ? 0 : err_set(r->err, "needs a name and an address");
        text = scalar(r);
        if (!text)
            return -1;
        if (strlen(text) >= sizeof(member))
            return err_set(r->err, "\"%.40s\" should be name, address or port", text);
        memcpy(member, text, strlen(text) + 1);
        if (next(r) != 0)
            return -1;
        text = scalar(r);
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
    if (r->event.type != YAML_SEQUENCE_START_EVENT)
        return err_set(r->err, "should be a list of {name, address, port}");
    while (next(r) == 0) {
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
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
static int see(struct reader *r, size_t bit)
{
    uint64_t mask = UINT64_C(1) << bit;

    if (r->seen & mask)
        return err_set(r->err, "is there twice");
    r->seen |= mask;
    return 0;
}

static int read_value(struct reader *r, const char *name, const struct key *key)
{
    const char *text;

    if (!key && strcmp(name, "listen") == 0)
        return see(r, n_keys) == 0 ? read_listen(r) : -1;
    if (!key)
        return see(r, n_keys + 1) == 0 ? read_static(r) : -1;
    if (see(r, (size_t)(key - keys)) != 0)
        return -1;
    text = scalar(r);
    return text ? key_set(r->conf, key, text, r->err) : -1;
}

static int read_entry(struct reader *r)
{
    const char *text = scalar(r);
    const struct key *key = text ? key_find(text) : NULL;
    char name[64];

    if (!text)
        return at_line(r);
    if ((!key && strcmp(text, "listen") != 0 && strcmp(text, "static") != 0) || strlen(text) >= sizeof(name)) {
        unknown_key(text, r->err);
        return at_line(r);
    }
    memcpy(name, text, strlen(text) + 1);
    if (next(r) != 0)
        return -1;
    if (read_value(r, name, key) == 0)
        return 0;
    if (r->event.type == YAML_NO_EVENT)
        return -1; /* no YAML: the error names its line already */
    err_context(r->err, "%s", name);
    return at_line(r);
}

static int read_document(struct reader *r)
{
    if (next(r) != 0 || r->event.type == YAML_STREAM_END_EVENT || next(r) != 0)
        return r->event.type == YAML_STREAM_END_EVENT ? 0 : -1; /* an empty file is all defaults */
    if (r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.length == 0)
        return 0;
    if (r->event.type != YAML_MAPPING_START_EVENT) {
        err_set(r->err, "should be a mapping of keys to values");
        return at_line(r);
    }
    for (;;) {
        if (next(r) != 0)
            return -1;
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        if (read_entry(r) != 0)
            return -1;
    }
    for (int i = 0; i < 2; i++) /* the document's end, then what is behind it */
        if (next(r) != 0)
            return -1;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return 0;
    err_set(r->err, "there should be one document only");
    return at_line(r);
}

int conf_read_text(struct conf *conf, const char *name, const char *text, size_t len, struct err *err)
{
    struct err own;
    struct reader r = {.name = name, .conf = conf, .err = err ? err : &own};
    int rc;

    _Static_assert(sizeof(r.seen) == 8, "a bit a key");
    if (!yaml_parser_initialize(&r.parser))
        return err_set(err, "%s: out of memory", name);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    rc = next(&r);
    if (rc == 0)
        rc = read_document(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return rc;
}
