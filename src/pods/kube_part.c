/* SPDX-License-Identifier: MIT */
/* A part is opened anew each time: the kubelet swaps folders under the same path. */
#include <config.h>

#include <string.h>

#include <syncer/base/fd.h>

#include "kube_part.h"

int kube_part_read(const struct kubeconfig_part *part, struct buf *out, struct err *err)
{
    buf_clear(out);
    if (!part->path)
        buf_add(out, part->data.data, part->data.len);
    else if (fd_read_file(part->path, out, err) != 0)
        return err_context(err, "%s", part->origin);
    if (out->failed)
        return err_set(err, "%s: larger than %zu bytes", part->origin, out->limit);
    return out->len > 0 ? 0 : err_set(err, "%s: %s is empty", part->origin, part->path ? part->path : "it");
}

int kube_part_read_word(const struct kubeconfig_part *part, struct buf *out, struct err *err)
{
    const char *name = part->path ? part->path : "it";

    if (kube_part_read(part, out, err) != 0)
        return -1;
    while (out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r'))
        out->len--;
    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] <= ' ' || out->data[i] > '~')
            return err_set(err, "%s: %s should be one word without blanks", part->origin, name);
    return out->len > 0 ? 0 : err_set(err, "%s: %s is empty", part->origin, name);
}
