/* SPDX-License-Identifier: MIT */
/* A value becomes a path or bytes. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "kubeconfig_part.h"

#define PATH_MAX_BYTES 4096
#define ORIGIN_MAX_BYTES 8192

#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

int kc_bad(const struct kc_entry *entry, enum kc_field field, struct err *err)
{
    const struct kc_value *value = &entry->values[field];

    return err_context(err, "%s:%lu: %s", value->file, value->line, kc_field_name(field));
}

int kc_copy(char **to, const char *text, struct err *err)
{
    *to = text ? strdup(text) : NULL;
    return *to || !text ? 0 : err_set(err, "out of memory");
}

int kc_set_origin(struct kubeconfig_part *part, const struct kc_entry *entry, enum kc_field field, struct err *err)
{
    struct buf origin;
    int rc;

    buf_init(&origin, ORIGIN_MAX_BYTES);
    buf_addf(&origin, "%s:%lu: %s", entry->values[field].file, entry->values[field].line, kc_field_name(field));
    rc = kc_copy(&part->origin, buf_str(&origin), err);
    buf_release(&origin);
    return rc;
}

int kc_take_path(struct kubeconfig_part *part, const struct kc_entry *entry, enum kc_field field, struct err *err)
{
    const struct kc_value *value = &entry->values[field];
    const char *slash = strrchr(value->file, '/');
    struct buf path;
    int rc;

    buf_init(&path, PATH_MAX_BYTES);
    if (value->text[0] != '/' && slash)
        buf_add(&path, value->file, (size_t)(slash + 1 - value->file));
    buf_add_str(&path, value->text);
    if (path.failed) {
        err_set(err, "too long a path");
        rc = kc_bad(entry, field, err);
    } else {
        rc = kc_copy(&part->path, buf_str(&path), err);
    }
    buf_release(&path);
    return rc == 0 ? kc_set_origin(part, entry, field, err) : -1;
}

/* RFC 4648 section 4, with line breaks between. EVP_DecodeBlock() would take "=" anywhere, as data. */
static int decode(struct buf *out, const char *text)
{
    struct buf packed;
    size_t blanks, n, pads = 0;
    char *to;
    int got = -1;

    buf_init(&packed, KUBECONFIG_MAX_BYTES);
    for (; *text; text += n + blanks) {
        n = strcspn(text, " \r\n");
        blanks = strspn(text + n, " \r\n");
        buf_add(&packed, text, n);
    }
    n = strspn(buf_str(&packed), BASE64);
    while (pads < 2 && n + pads < packed.len && packed.data[n + pads] == '=')
        pads++;
    to = packed.failed ? NULL : buf_reserve(out, packed.len);
    if (to && packed.len > 0 && n + pads == packed.len && packed.len % 4 == 0)
        got = EVP_DecodeBlock((unsigned char *)to, (const unsigned char *)packed.data, (int)packed.len);
    if (got >= 0)
        out->len += (size_t)got - pads;
    buf_wipe(&packed);
    return got > 0 ? 0 : -1;
}

int kc_take_data(struct kubeconfig_part *part, const struct kc_entry *entry, enum kc_field field, struct err *err)
{
    if (decode(&part->data, entry->values[field].text) != 0) {
        err_set(err, "should be base64");
        return kc_bad(entry, field, err);
    }
    return kc_set_origin(part, entry, field, err);
}

/* ---- life ---- */

void kc_init_part(struct kubeconfig_part *part)
{
    *part = (struct kubeconfig_part){.origin = NULL};
    buf_init(&part->data, KUBECONFIG_MAX_BYTES);
}

void kc_release_part(struct kubeconfig_part *part)
{
    free(part->origin);
    free(part->path);
    buf_wipe(&part->data);
    kc_init_part(part);
}
