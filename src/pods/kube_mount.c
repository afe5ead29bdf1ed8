/* SPDX-License-Identifier: MIT */
/* What Kubernetes gives every pod is put into the shape of a kubeconfig, so that all that follows is one way. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/addr.h>

#include "kube_mount.h"
#include "kube_part.h"

#define PATH_MAX_BYTES 4096
#define NAMESPACE_MAX_BYTES 253

static int write_url(struct buf *url, const char *host, const char *port, struct err *err)
{
    struct addr addr;
    char *end;
    long number;

    if (!host || !port || !port[0])
        return err_set(err, "KUBERNETES_SERVICE_PORT is not set, as it is in every pod of a cluster");
    number = strtol(port, &end, 10);
    if (*end || number < 1 || number > 65535)
        return err_set(err, "KUBERNETES_SERVICE_PORT: \"%.20s\" should be 1 to 65535", port);
    if (addr_parse(&addr, host, strlen(host)) == 0) {
        bool brackets = strchr(host, ':') != NULL;

        buf_addf(url, "https://%s%s%s:%ld", brackets ? "[" : "", host, brackets ? "]" : "", number);
        return 0;
    }
    if (strlen(host) > 253 ||
        strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != strlen(host))
        return err_set(err, "KUBERNETES_SERVICE_HOST: \"%.60s\" should be an IP address or a name", host);
    buf_addf(url, "https://%s:%ld", host, number);
    return 0;
}

static int take(char **to, struct buf *from, struct err *err)
{
    *to = from->failed ? NULL : strdup(buf_str(from));
    return *to ? 0 : err_set(err, "out of memory");
}

static int mount_part(struct kubeconfig_part *part, const char *dir, const char *name, struct err *err)
{
    struct buf path, origin;
    int rc;

    buf_init(&path, PATH_MAX_BYTES);
    buf_init(&origin, 64);
    buf_addf(&path, "%s/%s", dir, name);
    buf_add_str(&origin, "serviceaccount_dir");
    rc = take(&part->path, &path, err);
    if (rc == 0)
        rc = take(&part->origin, &origin, err);
    buf_release(&path);
    buf_release(&origin);
    return rc;
}

static int mount_namespace(struct kubeconfig *kc, const char *dir, struct err *err)
{
    struct kubeconfig_part part = {.origin = NULL};
    struct buf word;
    int rc;

    buf_init(&part.data, 0);
    buf_init(&word, NAMESPACE_MAX_BYTES);
    rc = mount_part(&part, dir, "namespace", err);
    if (rc == 0)
        rc = kube_part_read_word(&part, &word, err);
    if (rc == 0)
        rc = take(&kc->namespace, &word, err);
    buf_release(&word);
    free(part.path);
    free(part.origin);
    return rc;
}

int kube_mount_read(struct kubeconfig *kc, const struct conf *conf, struct err *err)
{
    const char *dir = conf->serviceaccount_dir;
    struct buf url;
    int rc;

    buf_init(&url, 512);
    rc = write_url(&url, getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT"), err);
    if (rc == 0)
        rc = take(&kc->server, &url, err);
    buf_release(&url);
    if (rc == 0 && !conf->namespace)
        rc = mount_namespace(kc, dir, err);
    if (rc != 0 || mount_part(&kc->token, dir, "token", err) != 0)
        return -1;
    return mount_part(&kc->ca, dir, "ca.crt", err);
}
