/* SPDX-License-Identifier: MIT */
/* Defaults, environment, printing: everything around the table but the file reader and the checks of the whole. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>

#include "key.h"

int conf_init(struct conf *conf, struct err *err)
{
    *conf = (struct conf){0};
    for (size_t i = 0; i < n_keys; i++) {
        void *field = (char *)conf + keys[i].offset;

        if (keys[i].type == KEY_STRING || keys[i].type == KEY_LIST) {
            if (keys[i].text && key_set(conf, &keys[i], keys[i].text, err) != 0)
                return -1;
        } else if (keys[i].type == KEY_BOOL) {
            *(bool *)field = keys[i].def != 0;
        } else if (keys[i].type == KEY_ENUM) {
            *(int *)field = (int)keys[i].def;
        } else {
            *(int64_t *)field = keys[i].def;
        }
    }
    return 0;
}

void conf_free(struct conf *conf)
{
    for (size_t i = 0; i < n_keys; i++) {
        if (keys[i].type == KEY_STRING)
            free(*(char **)(void *)((char *)conf + keys[i].offset));
        else if (keys[i].type == KEY_LIST)
            key_clear_list(conf, &keys[i]);
    }
    free(conf->file);
    free(conf->static_pods);
    *conf = (struct conf){0};
}

int conf_read_file(struct conf *conf, const char *path, struct err *err)
{
    struct buf text;
    int rc;

    buf_init(&text, CONF_MAX_BYTES);
    rc = fd_read_file(path, &text, err);
    if (rc == 0)
        rc = conf_read_text(conf, path, buf_str(&text), text.len, err);
    buf_release(&text);
    free(conf->file);
    conf->file = strdup(path);
    return rc == 0 && !conf->file ? err_set(err, "%s: out of memory", path) : rc;
}

size_t conf_files(const struct conf *conf, const char *paths[CONF_MAX_FILES])
{
    const char *const all[] = {
        conf->file,
        conf->tls_ca,
        conf->tls_cert,
        conf->tls_key,
        conf->listen_tls_cert,
        conf->listen_tls_key,
        conf->listen_tls_client_ca,
        conf->kubeconfig,
    };
    size_t n = 0;

    _Static_assert(ARRAY_LEN(all) <= CONF_MAX_FILES, "room for each");
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i])
            paths[n++] = all[i];
    return n;
}

/* --- environment --- */

/* What Kubernetes sets for a Service called syncer: SYNCER_SERVICE_HOST, SYNCER_PORT=tcp://10.0.0.1:8080,
 * SYNCER_PORT_8080_TCP_ADDR and so on. */
static bool is_service_link(const char *name, const char *value)
{
    return strncmp(name, "service_", 8) == 0 || strncmp(name, "port_", 5) == 0 ||
           (strcmp(name, "port") == 0 && (strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0));
}

/* Of syncerctl, which may be called from the same environment. */
static bool is_ctl(const char *name)
{
    return strcmp(name, "url") == 0 || strcmp(name, "admin_url") == 0 || strcmp(name, "token") == 0;
}

static void note_unknown(struct conf_notes *notes, const char *name)
{
    const char *nearest = key_nearest(name);
    char upper[64];
    size_t i;

    for (i = 0; name[i] && i < sizeof(upper) - 1; i++)
        upper[i] = (char)toupper((unsigned char)name[i]);
    upper[i] = '\0';
    if (notes->n < CONF_MAX_NOTES)
        err_set(&notes->items[notes->n++], "environment: SYNCER_%s is no setting%s%s", upper,
                nearest ? "; the nearest is " : "", nearest ? nearest : "");
}

static int read_variable(struct conf *conf, const char *name, const char *value, struct conf_notes *notes,
                         struct err *err)
{
    const struct key *key = key_find(name);

    if (is_service_link(name, value) || is_ctl(name))
        return 0;
    if (strcmp(name, "static") == 0)
        return err_set(err, "can only be set in the file");
    if (key)
        return key_set(conf, key, value, err);
    note_unknown(notes, name);
    return 0;
}

int conf_read_env(struct conf *conf, char *const *env, struct conf_notes *notes, struct err *err)
{
    static const char prefix[] = "SYNCER_";
    char name[64];

    for (; *env; env++) {
        const char *text = *env + sizeof(prefix) - 1, *equals = strchr(*env, '=');
        size_t len;

        if (strncmp(*env, prefix, sizeof(prefix) - 1) != 0 || !equals || equals < text)
            continue;
        len = (size_t)(equals - text);
        if (len >= sizeof(name))
            continue; /* longer than any setting */
        for (size_t i = 0; i < len; i++)
            name[i] = (char)tolower((unsigned char)text[i]);
        name[len] = '\0';
        if (read_variable(conf, name, equals + 1, notes, err) != 0)
            return err_context(err, "environment: SYNCER_%.*s", (int)len, text);
    }
    return 0;
}

/* --- printing --- */

static void print_static(const struct conf *conf, struct buf *out)
{
    char text[ADDR_TEXT_BYTES];

    if (conf->n_static_pods > 0)
        buf_add_str(out, "static:\n");
    for (size_t i = 0; i < conf->n_static_pods; i++) {
        const struct conf_static_pod *pod = &conf->static_pods[i];

        buf_add_str(out, "  - name: ");
        key_print_quoted(out, pod->name);
        buf_addf(out, "\n    address: \"%s\"\n", addr_format(&pod->address, text));
        if (pod->port)
            buf_addf(out, "    port: %u\n", (unsigned)pod->port);
    }
}

void conf_print(const struct conf *conf, struct buf *out)
{
    for (size_t i = 0; i < n_keys; i++) {
        size_t before = out->len;

        buf_addf(out, "%s: ", keys[i].name);
        if (key_print(conf, &keys[i], out))
            buf_add_char(out, '\n');
        else if (!out->failed)
            out->len = before; /* not set: there is no way to write that but to leave it out */
    }
    print_static(conf, out);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_static(const struct conf *a, const struct conf *b)
{
    if (a->n_static_pods != b->n_static_pods)
        return false;
    for (size_t i = 0; i < a->n_static_pods; i++) {
        const struct conf_static_pod *x = &a->static_pods[i], *y = &b->static_pods[i];

        if (strcmp(x->name, y->name) != 0 || !addr_equal(&x->address, &y->address) || x->port != y->port)
            return false;
    }
    return true;
}

bool conf_same_pods(const struct conf *a, const struct conf *b)
{
    return a->pods == b->pods && a->pod_filter == b->pod_filter && a->pod_scope == b->pod_scope && a->port == b->port &&
           same_text(a->namespace, b->namespace) && same_text(a->deployment, b->deployment) &&
           same_text(a->service, b->service) && same_text(a->resolver, b->resolver) &&
           same_text(a->kubeconfig, b->kubeconfig) && same_text(a->serviceaccount_dir, b->serviceaccount_dir) &&
           same_static(a, b);
}

int64_t conf_patience_ms(const struct conf *conf)
{
    int64_t patience = conf->retries * conf->sync_timeout_ms;
    int64_t most = conf->request_deadline_ms - conf->connection_timeout_ms - CONF_DEADLINE_MARGIN_MS;

    if (most < 0)
        return 0;
    return patience < most ? patience : most;
}
