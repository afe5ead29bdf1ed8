/* SPDX-License-Identifier: MIT */
/* What the current context means: which cluster, who we are there, and what of it can't be honoured. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/addr.h>

#include "kubeconfig_part.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static const char *text_of(const struct kc_entry *entry, enum kc_field field)
{
    return entry ? entry->values[field].text : NULL;
}

/* ---- values ---- */

/* A host of a URL, with its port perhaps, up to '/' or the end; returns its length, 0 if it is none. */
static size_t scan_authority(const char *text, char host[254])
{
    size_t n = text[0] == '[' ? strcspn(text, "]") : strspn(text, ALNUM "-._"), at = n, digits;
    const char *name = text;
    struct addr addr;

    if (text[0] == '[') {
        if (text[n] != ']')
            return 0;
        name++;
        n--;
        at++;
    }
    if (n == 0 || n > 253 || (name != text && addr_parse(&addr, name, n) != 0))
        return 0;
    memcpy(host, name, n);
    host[n] = '\0';
    if (text[at] == ':') {
        digits = strspn(text + at + 1, "0123456789");
        if (digits == 0 || digits > 5 || strtol(text + at + 1, NULL, 10) > 65535 || strtol(text + at + 1, NULL, 10) < 1)
            return 0;
        at += 1 + digits;
    }
    return text[at] == '\0' || text[at] == '/' ? at : 0;
}

static bool is_loopback(const char *host)
{
    struct addr addr;

    if (addr_parse(&addr, host, strlen(host)) != 0)
        return strcmp(host, "localhost") == 0;
    return addr.family == 4 ? addr.bytes[0] == 127 : strcmp(host, "::1") == 0;
}

static int take_server(struct kubeconfig *out, const struct kc_entry *cluster, struct err *err)
{
    const char *text = text_of(cluster, KC_SERVER), *path;
    bool secure;
    char host[254];
    size_t len;

    if (!text)
        return err_set(err, "%s: cluster \"%.100s\" has no server", cluster->file, cluster->name);
    secure = strncmp(text, "https://", 8) == 0;
    if (!secure && strncmp(text, "http://", 7) != 0)
        goto malformed;
    path = text + (secure ? 8 : 7);
    len = scan_authority(path, host);
    if (len == 0 || strspn(path + len, ALNUM "-._~%!$&'()*+,;=:@/") != strlen(path + len))
        goto malformed;
    if (!secure && !is_loopback(host)) {
        err_set(err, "should be https: http is taken on a loopback address only (kubectl proxy)");
        return kc_bad(cluster, KC_SERVER, err);
    }
    if (kc_copy(&out->server, text, err) != 0)
        return -1;
    for (len = strlen(out->server); out->server[len - 1] == '/'; len--)
        out->server[len - 1] = '\0';
    return 0;
malformed:
    err_set(err, "\"%.100s\" should be https://HOST[:PORT][/PATH]", text);
    return kc_bad(cluster, KC_SERVER, err);
}

/* Inline data stand above a file. */
static int take_part(struct kubeconfig_part *part, const struct kc_entry *entry, enum kc_field data, enum kc_field path,
                     struct err *err)
{
    if (text_of(entry, data))
        return kc_take_data(part, entry, data, err);
    return text_of(entry, path) ? kc_take_path(part, entry, path, err) : 0;
}

/* ---- the cluster ---- */

static int take_insecure(struct kubeconfig *out, const struct kc_entry *cluster, struct err *err)
{
    const char *text = text_of(cluster, KC_INSECURE);

    if (!text || strcmp(text, "false") == 0)
        return 0;
    out->insecure = true;
    if (strcmp(text, "true") != 0)
        err_set(err, "\"%.40s\" should be true or false", text);
    else if (out->ca.origin)
        err_set(err, "is true beside a certificate-authority: one of them should go");
    else
        return 0;
    return kc_bad(cluster, KC_INSECURE, err);
}

static int take_cluster(struct kubeconfig *out, const struct kc_entry *cluster, struct err *err)
{
    const char *name = text_of(cluster, KC_TLS_SERVER_NAME);

    if (text_of(cluster, KC_PROXY_URL)) {
        err_set(err, "a proxy can't be used: the API server should be reached without one");
        return kc_bad(cluster, KC_PROXY_URL, err);
    }
    if (name && (strlen(name) > 253 || strspn(name, ALNUM "-._") != strlen(name))) {
        err_set(err, "\"%.60s\" should be a DNS name or an IPv4 address", name);
        return kc_bad(cluster, KC_TLS_SERVER_NAME, err);
    }
    if (take_server(out, cluster, err) != 0 || kc_copy(&out->tls_server_name, name, err) != 0)
        return -1;
    if (take_part(&out->ca, cluster, KC_CA_DATA, KC_CA, err) != 0)
        return -1;
    return take_insecure(out, cluster, err);
}

/* ---- the user ---- */

/* Ways of a login that we don't go; a kubeconfig that has them works with kubectl and would not here. */
static int refuse_others(const struct kc_entry *user, struct err *err)
{
    static const struct {
        enum kc_field field;
        const char *reason;
    } refused[] = {
        {KC_EXEC, "programs are not run for credentials: use the token of a ServiceAccount (token, tokenFile; kubectl "
                  "create token), a client certificate, or the server of a kubectl proxy"},
        {KC_AUTH_PROVIDER, "providers of client-go are not part of this: use the token of a ServiceAccount (token, "
                           "tokenFile; kubectl create token), a client certificate, or the server of a kubectl proxy"},
        {KC_USERNAME, "passwords are gone from Kubernetes since 1.19: use token, tokenFile or a client certificate"},
        {KC_PASSWORD, "passwords are gone from Kubernetes since 1.19: use token, tokenFile or a client certificate"},
        {KC_IMPERSONATE, "impersonation is not supported: use credentials of that user"},
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (text_of(user, refused[i].field)) {
            err_set(err, "%s", refused[i].reason);
            return kc_bad(user, refused[i].field, err);
        }
    return 0;
}

static int take_token(struct kubeconfig *out, const struct kc_entry *user, struct err *err)
{
    const char *token = text_of(user, KC_TOKEN);

    if (text_of(user, KC_TOKEN_FILE)) /* it stands above the other, as in kubectl */
        return kc_take_path(&out->token, user, KC_TOKEN_FILE, err);
    if (!token)
        return 0;
    for (const char *c = token; *c; c++)
        if (*c <= ' ' || *c > '~') {
            err_set(err, "should be one word without blanks");
            return kc_bad(user, KC_TOKEN, err);
        }
    buf_add_str(&out->token.data, token);
    return out->token.data.failed ? err_set(err, "out of memory") : kc_set_origin(&out->token, user, KC_TOKEN, err);
}

static int take_user(struct kubeconfig *out, const struct kc_entry *user, struct err *err)
{
    if (refuse_others(user, err) != 0 || take_token(out, user, err) != 0 ||
        take_part(&out->cert, user, KC_CERT_DATA, KC_CERT, err) != 0 ||
        take_part(&out->key, user, KC_KEY_DATA, KC_KEY, err) != 0)
        return -1;
    if (!out->cert.origin == !out->key.origin)
        return 0;
    return err_set(err, "%s: there should be a %s beside it", out->cert.origin ? out->cert.origin : out->key.origin,
                   out->cert.origin ? "client-key" : "client-certificate");
}

/* ---- the context ---- */

static int take_context(struct kubeconfig *out, const struct kc_entries *entries, const struct kc_entry *context,
                        struct err *err)
{
    const char *cluster_name = text_of(context, KC_CONTEXT_CLUSTER), *user_name = text_of(context, KC_CONTEXT_USER);
    const struct kc_entry *cluster, *user;

    if (!cluster_name)
        return err_set(err, "%s: context \"%.100s\" has no cluster", context->file, context->name);
    cluster = kc_entries_find(entries, KC_CLUSTER, cluster_name);
    if (!cluster) {
        err_set(err, "there is no cluster \"%.100s\"", cluster_name);
        return kc_bad(context, KC_CONTEXT_CLUSTER, err);
    }
    user = user_name ? kc_entries_find(entries, KC_USER, user_name) : NULL;
    if (user_name && !user) {
        err_set(err, "there is no user \"%.100s\"", user_name);
        return kc_bad(context, KC_CONTEXT_USER, err);
    }
    if (kc_copy(&out->namespace, text_of(context, KC_NAMESPACE), err) != 0 || take_cluster(out, cluster, err) != 0)
        return -1;
    return user ? take_user(out, user, err) : 0;
}

static int take_current(struct kubeconfig *out, const struct kc_entries *entries, const char *first_file,
                        struct err *err)
{
    const struct kc_value *current = &entries->current_context;
    const struct kc_entry *context;

    if (!current->text)
        return err_set(err, "%s: current-context: is required", first_file);
    context = kc_entries_find(entries, KC_CONTEXT, current->text);
    if (!context)
        return err_set(err, "%s:%lu: current-context: there is no context \"%.100s\"", current->file, current->line,
                       current->text);
    return take_context(out, entries, context, err);
}

/* ---- the whole ---- */

void kubeconfig_init(struct kubeconfig *kubeconfig)
{
    *kubeconfig = (struct kubeconfig){.server = NULL};
    kc_init_part(&kubeconfig->ca);
    kc_init_part(&kubeconfig->token);
    kc_init_part(&kubeconfig->cert);
    kc_init_part(&kubeconfig->key);
}

void kubeconfig_release(struct kubeconfig *kubeconfig)
{
    free(kubeconfig->server);
    free(kubeconfig->tls_server_name);
    free(kubeconfig->namespace);
    kc_release_part(&kubeconfig->ca);
    kc_release_part(&kubeconfig->token);
    kc_release_part(&kubeconfig->cert);
    kc_release_part(&kubeconfig->key);
    kubeconfig->server = kubeconfig->tls_server_name = kubeconfig->namespace = NULL;
}

int kubeconfig_parse(struct kubeconfig *kubeconfig, const struct kubeconfig_text *texts, size_t n, struct err *err)
{
    struct kc_entries entries = {.n = 0};
    int rc = 0;

    kubeconfig_init(kubeconfig);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = kc_entries_add(&entries, &texts[i], err);
    if (rc == 0)
        rc = take_current(kubeconfig, &entries, texts[0].name, err);
    kc_entries_release(&entries);
    if (rc != 0)
        kubeconfig_release(kubeconfig);
    return rc;
}
