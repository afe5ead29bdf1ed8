/* SPDX-License-Identifier: MIT */
/* Which way it is, and the files that are read anew. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <syncer/conf/kubeconfig.h>

#include "kube_access.h"
#include "kube_mount.h"
#include "kube_part.h"

#define PEM_MAX_BYTES ((size_t)1024 * 1024)
#define PATH_MAX_BYTES 4096
#define NAME_MAX_BYTES 8192

enum from { FROM_MOUNT, FROM_FILE, FROM_LIST };

/* A CA, a certificate or a key as it was read. */
struct pem {
    struct buf bytes;
    struct buf name; /* for errors: where it is from */
};

struct kube_access {
    enum from from;
    char *paths; /* FROM_FILE, FROM_LIST */
    struct kubeconfig kc;
    struct pem ca, cert, key;
    struct trust *trust; /* made of these three; NULL until the first refresh, and for http */
    struct err warning;
};

int kube_access_token(const struct kube_access *access, struct buf *token, struct err *err)
{
    buf_clear(token);
    return access->kc.token.origin && access->trust ? kube_part_read_word(&access->kc.token, token, err) : 0;
}

/* --- trust --- */

static void pem_init(struct pem *pem)
{
    buf_init(&pem->bytes, PEM_MAX_BYTES);
    buf_init(&pem->name, NAME_MAX_BYTES);
}

static void pem_wipe(struct pem *pem)
{
    buf_wipe(&pem->bytes);
    buf_release(&pem->name);
}

static int pem_read(struct pem *pem, const struct kubeconfig_part *part, struct err *err)
{
    pem_init(pem);
    if (!part->origin)
        return 0;
    buf_add_str(&pem->name, part->origin);
    if (part->path)
        buf_addf(&pem->name, ": %s", part->path);
    buf_str(&pem->name);
    return kube_part_read(part, &pem->bytes, err);
}

static bool pem_equal(const struct pem *a, const struct pem *b)
{
    return a->bytes.len == b->bytes.len &&
           (a->bytes.len == 0 || memcmp(a->bytes.data, b->bytes.data, a->bytes.len) == 0);
}

static void pem_move(struct pem *to, struct pem *from)
{
    pem_wipe(to);
    *to = *from;
    pem_init(from);
}

static struct trust *make_trust(const struct kube_access *access, const struct pem *ca, const struct pem *cert,
                                const struct pem *key, struct err *err)
{
    struct trust_settings settings = {.verify = !access->kc.insecure};

    if (ca->bytes.len > 0) {
        settings.ca_file = ca->name.data;
        settings.ca_pem = &ca->bytes;
    }
    if (cert->bytes.len > 0) {
        settings.cert_file = cert->name.data;
        settings.cert_pem = &cert->bytes;
        settings.key_file = key->name.data;
        settings.key_pem = &key->bytes;
    }
    return trust_new(&settings, err);
}

int kube_access_refresh(struct kube_access *access, bool *changed, struct err *err)
{
    struct pem ca, cert, key;
    struct trust *trust;
    int rc = -1;

    *changed = false;
    if (strncmp(access->kc.server, "http:", 5) == 0)
        return 0;
    rc = pem_read(&ca, &access->kc.ca, err);
    rc |= pem_read(&cert, &access->kc.cert, rc == 0 ? err : NULL);
    rc |= pem_read(&key, &access->kc.key, rc == 0 ? err : NULL);
    if (rc == 0 && (!access->trust || !pem_equal(&ca, &access->ca) || !pem_equal(&cert, &access->cert) ||
                    !pem_equal(&key, &access->key))) {
        trust = make_trust(access, &ca, &cert, &key, err);
        if (trust) {
            *changed = access->trust != NULL;
            trust_free(access->trust); /* requests under way share it */
            access->trust = trust;
            pem_move(&access->ca, &ca);
            pem_move(&access->cert, &cert);
            pem_move(&access->key, &key);
        } else {
            rc = -1;
        }
    }
    pem_wipe(&ca);
    pem_wipe(&cert);
    pem_wipe(&key);
    return rc;
}

struct trust *kube_access_trust(const struct kube_access *access)
{
    return access->trust;
}

const char *kube_access_ca_name(const struct kube_access *access)
{
    return access->ca.name.data ? access->ca.name.data : "the system's CAs";
}

/* --- which of them --- */

static int read_kubeconfig(const struct kube_access *access, struct kubeconfig *kc, struct err *err)
{
    return access->from == FROM_LIST ? kubeconfig_read_list(kc, access->paths, err)
                                     : kubeconfig_read(kc, access->paths, err);
}

static int use_paths(struct kube_access *access, enum from from, const char *paths, struct err *err)
{
    access->from = from;
    access->paths = strdup(paths);
    return access->paths ? read_kubeconfig(access, &access->kc, err) : err_set(err, "out of memory");
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

/* ~/.kube/config, if it is there. */
static bool find_home(char path[PATH_MAX_BYTES])
{
    const char *home = variable("HOME");
    int len = home ? snprintf(path, PATH_MAX_BYTES, "%s/.kube/config", home) : 0;

    return len > 0 && len < PATH_MAX_BYTES && access(path, F_OK) == 0;
}

static int find(struct kube_access *access, const struct conf *conf, struct err *err)
{
    const char *list = variable("KUBECONFIG");
    char path[PATH_MAX_BYTES];

    if (conf->kubeconfig)
        return use_paths(access, FROM_FILE, conf->kubeconfig, err) == 0 ? 0 : err_context(err, "kubeconfig");
    if (list)
        return use_paths(access, FROM_LIST, list, err) == 0 ? 0 : err_context(err, "KUBECONFIG");
    if (variable("KUBERNETES_SERVICE_HOST"))
        return kube_mount_read(&access->kc, conf, err);
    if (find_home(path))
        return use_paths(access, FROM_FILE, path, err);
    return err_set(err, "no way to the API server: KUBERNETES_SERVICE_HOST is not set, as it is in every pod of a "
                        "cluster; outside of one, set kubeconfig or KUBECONFIG, or say pods: static");
}

void kube_access_refused(struct kube_access *access)
{
    struct kubeconfig fresh;

    if (access->from == FROM_MOUNT || read_kubeconfig(access, &fresh, NULL) != 0)
        return;
    if (strcmp(fresh.server, access->kc.server) == 0) {
        struct kubeconfig old = access->kc;

        access->kc.ca = fresh.ca;
        access->kc.token = fresh.token;
        access->kc.cert = fresh.cert;
        access->kc.key = fresh.key;
        fresh.ca = old.ca;
        fresh.token = old.token;
        fresh.cert = old.cert;
        fresh.key = old.key;
    }
    kubeconfig_release(&fresh);
}

/* --- life --- */

static int try_token(const struct kube_access *access, struct err *err)
{
    struct buf token;
    int rc;

    buf_init(&token, KUBE_TOKEN_MAX_BYTES);
    rc = kube_access_token(access, &token, err);
    buf_wipe(&token);
    return rc;
}

static void note(struct kube_access *access)
{
    if (access->kc.insecure)
        err_set(&access->warning,
                "insecure-skip-tls-verify is true: nothing proves that %s is the API server, and "
                "the token can be stolen",
                access->kc.server);
    else if (!access->trust)
        err_set(&access->warning, "%s is not https: the list of pods can be forged by programs of this machine",
                access->kc.server);
}

struct kube_access *kube_access_new(const struct conf *conf, struct err *err)
{
    struct kube_access *access = calloc(1, sizeof(*access));
    bool changed;

    if (!access) {
        err_set(err, "out of memory");
        return NULL;
    }
    kubeconfig_init(&access->kc);
    pem_init(&access->ca);
    pem_init(&access->cert);
    pem_init(&access->key);
    if (find(access, conf, err) != 0 || kube_access_refresh(access, &changed, err) != 0 ||
        try_token(access, err) != 0) {
        kube_access_free(access);
        return NULL;
    }
    note(access);
    return access;
}

void kube_access_free(struct kube_access *access)
{
    if (!access)
        return;
    trust_free(access->trust);
    pem_wipe(&access->ca);
    pem_wipe(&access->cert);
    pem_wipe(&access->key);
    kubeconfig_release(&access->kc);
    free(access->paths);
    free(access);
}

const char *kube_access_url(const struct kube_access *access)
{
    return access->kc.server;
}

const char *kube_access_server_name(const struct kube_access *access)
{
    return access->kc.tls_server_name;
}

const char *kube_access_namespace(const struct kube_access *access)
{
    return access->kc.namespace;
}

const char *kube_access_warning(const struct kube_access *access)
{
    return access->warning.text;
}
