/* SPDX-License-Identifier: MIT */
/* What stands in kubeconfig files, each value with its line, without a thought of what it means. */
#ifndef SYNCER_CONF_KUBECONFIG_ENTRIES_H
#define SYNCER_CONF_KUBECONFIG_ENTRIES_H

#include <stddef.h>

#include <syncer/conf/kubeconfig.h>

enum kc_section { KC_CLUSTER, KC_CONTEXT, KC_USER, KC_SECTIONS };

enum kc_field {
    /* of a cluster */
    KC_SERVER,
    KC_TLS_SERVER_NAME,
    KC_INSECURE,
    KC_CA,
    KC_CA_DATA,
    KC_PROXY_URL,
    /* of a context */
    KC_CONTEXT_CLUSTER,
    KC_CONTEXT_USER,
    KC_NAMESPACE,
    /* of a user */
    KC_CERT,
    KC_CERT_DATA,
    KC_KEY,
    KC_KEY_DATA,
    KC_TOKEN,
    KC_TOKEN_FILE,
    KC_USERNAME,
    KC_PASSWORD,
    KC_IMPERSONATE,
    KC_EXEC,
    KC_AUTH_PROVIDER,
    KC_FIELDS
};

struct kc_value {
    char *text;       /* NULL = not there; null and "" are that too; "" for one that is no scalar. May be a secret */
    const char *file; /* borrowed from the texts */
    unsigned long line;
};

struct kc_entry {
    enum kc_section section;
    char *name;
    const char *file;
    struct kc_value values[KC_FIELDS]; /* only those of its section are ever set */
};

struct kc_entries {
    struct kc_value current_context; /* of the first file that has one */
    struct kc_entry *items;          /* in the order of the files */
    size_t n;
};

/* The key's name, for errors. */
const char *kc_field_name(enum kc_field field);

/* Adds what is in `text`. 0, or -1 with "NAME:LINE: ..."; kc_entries_release() takes what is left. */
int kc_entries_add(struct kc_entries *entries, const struct kubeconfig_text *text, struct err *err);

/* The first of that name, or NULL. Borrowed. */
const struct kc_entry *kc_entries_find(const struct kc_entries *entries, enum kc_section section, const char *name);

/* Wipes and frees it all. */
void kc_entries_release(struct kc_entries *entries);

#endif
