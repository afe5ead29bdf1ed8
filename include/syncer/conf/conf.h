/* SPDX-License-Identifier: MIT */
/*
 * The configuration: read completely, checked completely, then never changed. The master reads it from file, environment
 * and command line; a worker gets the text that conf_print() wrote and reads it with the same reader. Never logs: errors
 * and notes are returned. Any process.
 */
#ifndef SYNCER_CONF_CONF_H
#define SYNCER_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/addr.h>
#include <syncer/base/buf.h>
#include <syncer/base/err.h>

#define CONF_MAX_BYTES ((size_t)1024 * 1024) /* of a file */
#define CONF_LIST_MAX 16
#define CONF_MAX_NOTES 16
#define CONF_DEADLINE_MARGIN_MS 50 /* between the last probe's limit and the deadline */
#define CONF_NAME_BYTES 254        /* a pod's name, NUL included */

enum conf_pods { CONF_PODS_AUTO, CONF_PODS_STATIC, CONF_PODS_KUBERNETES, CONF_PODS_ENDPOINTSLICES, CONF_PODS_DNS };
enum conf_pod_filter { CONF_FILTER_READY, CONF_FILTER_ALL };
enum conf_pod_scope { CONF_SCOPE_DEPLOYMENT, CONF_SCOPE_REVISION };
enum conf_retry_mode { CONF_RETRY_SCOUT, CONF_RETRY_PARALLEL };
enum conf_control_probe { CONF_CONTROL_WARN, CONF_CONTROL_FAIL, CONF_CONTROL_OFF };
enum conf_origin_check { CONF_ORIGIN_CHECK_OFF, CONF_ORIGIN_CHECK_ON };
enum conf_scheme { CONF_SCHEME_HTTPS, CONF_SCHEME_HTTP };

struct conf_static_pod {
    char name[CONF_NAME_BYTES];
    struct addr address;
    uint16_t port; /* 0 = conf.port */
};

/* Values as they were written. */
struct conf_list {
    char *items[CONF_LIST_MAX];
    size_t n;
};

struct conf {
#define CONF_STRING(key, def, doc) char *key;
#define CONF_INT(key, def, min, max, doc) int64_t key;
#define CONF_AUTO(key, min, max, doc) int64_t key;
#define CONF_MS(key, def, min, max, doc) int64_t key##_ms;
#define CONF_AUTO_MS(key, min, max, doc) int64_t key##_ms;
#define CONF_LIST(key, def, doc) struct conf_list key;
#define CONF_BOOL(key, def, doc) bool key;
#define CONF_ENUM(key, names, def, doc) int key;
#include <syncer/conf/keys.def>
#undef CONF_STRING
#undef CONF_INT
#undef CONF_AUTO
#undef CONF_MS
#undef CONF_AUTO_MS
#undef CONF_LIST
#undef CONF_BOOL
#undef CONF_ENUM
    char *file; /* that it was read from; NULL = none */
    struct conf_static_pod *static_pods;
    size_t n_static_pods;
};

/* What a person should know although it is no error; more than fit are left out. */
struct conf_notes {
    struct err items[CONF_MAX_NOTES];
    size_t n;
};

/* All defaults. 0, or -1 if memory is out. conf_free() takes whatever is left. */
int conf_init(struct conf *conf, struct err *err);
void conf_free(struct conf *conf);

/* Reads a YAML text over what `conf` holds. `name` is what errors call it. 0, or -1 with "NAME:LINE: KEY: ..."; then
 * conf is to be thrown away. */
int conf_read_text(struct conf *conf, const char *name, const char *text, size_t len, struct err *err);

/* conf_read_text() of a file, whose path is kept. */
int conf_read_file(struct conf *conf, const char *path, struct err *err);

#define CONF_MAX_FILES 8
/* The files that this configuration consists of: its own, and those that it names and that are read once, when it goes into
 * force. A setting that names one more of them: one line there. Borrowed; how many. */
size_t conf_files(const struct conf *conf, const char *paths[CONF_MAX_FILES]);

/* Reads SYNCER_<KEY> variables from a NULL-terminated environment. Kubernetes puts SYNCER_PORT=tcp://... and the like into
 * every pod of a namespace that has a Service called syncer: these are passed over, and so are syncerctl's; other unknown
 * ones are noted. */
int conf_read_env(struct conf *conf, char *const *env, struct conf_notes *notes, struct err *err);

/* What only the whole can tell: required keys, values that don't fit together. Resolves `pods: auto` by `in_cluster`. */
int conf_check(struct conf *conf, bool in_cluster, struct conf_notes *notes, struct err *err);

/* Whether both find the same pods in the same way, so that the list of one is good for the other. */
bool conf_same_pods(const struct conf *a, const struct conf *b);

/* Writes every key as YAML that conf_read_text() reads back to the same configuration. */
void conf_print(const struct conf *conf, struct buf *out);

/* How long a check goes on asking absent peers, in ms: min(retries x sync_timeout, request_deadline - connection_timeout
 * - 50), not below 0. */
int64_t conf_patience_ms(const struct conf *conf);

#endif
