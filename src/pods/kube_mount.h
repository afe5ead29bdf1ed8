/* SPDX-License-Identifier: MIT */
/*
 * A pod's own way to the API server: the variables KUBERNETES_SERVICE_HOST and _PORT, and the files that the
 * kubelet mounts and swaps. https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
 */
#ifndef SYNCER_SRC_PODS_KUBE_MOUNT_H
#define SYNCER_SRC_PODS_KUBE_MOUNT_H

#include <syncer/base/err.h>
#include <syncer/conf/conf.h>
#include <syncer/conf/kubeconfig.h>

/* Fills `kc`, which is empty. The namespace is read only where the configuration has none. 0, or -1 with the
 * reason; kubeconfig_release() takes what is left. */
int kube_mount_read(struct kubeconfig *kc, const struct conf *conf, struct err *err);

#endif
