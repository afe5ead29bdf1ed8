/* SPDX-License-Identifier: MIT */
/* What a part of a kubeconfig (or of a pod's mount) holds: the bytes of its file, or its own. */
#ifndef SYNCER_SRC_PODS_KUBE_PART_H
#define SYNCER_SRC_PODS_KUBE_PART_H

#include <syncer/base/buf.h>
#include <syncer/base/err.h>
#include <syncer/conf/kubeconfig.h>

/* The bytes, at least one and at most out->limit, in place of what `out` held. `part` must be there. 0, or -1
 * with the reason, which begins with its origin and names the file. */
int kube_part_read(const struct kubeconfig_part *part, struct buf *out, struct err *err);

/* The same of a word of visible ASCII; newlines behind it are cut off. */
int kube_part_read_word(const struct kubeconfig_part *part, struct buf *out, struct err *err);

#endif
