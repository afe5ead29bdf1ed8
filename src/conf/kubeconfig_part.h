/* SPDX-License-Identifier: MIT */
/* From values, as they stand in the file, to what kubeconfig.h hands out. */
#ifndef SYNCER_CONF_KUBECONFIG_PART_H
#define SYNCER_CONF_KUBECONFIG_PART_H

#include "kubeconfig_entries.h"

void kc_init_part(struct kubeconfig_part *part);
/* Wipes it; it is as after kc_init_part(). */
void kc_release_part(struct kubeconfig_part *part);

/* Puts "FILE:LINE: KEY: " of that value in front. Always returns -1. */
int kc_bad(const struct kc_entry *entry, enum kc_field field, struct err *err);

/* A copy of `text`, which may be NULL. 0, or -1 with the reason; so do those below. */
int kc_copy(char **to, const char *text, struct err *err);

int kc_set_origin(struct kubeconfig_part *part, const struct kc_entry *entry, enum kc_field field, struct err *err);

/* The value is the path of a file: a relative one is so to the folder of the file that names it. */
int kc_take_path(struct kubeconfig_part *part, const struct kc_entry *entry, enum kc_field field, struct err *err);

/* The value is base64. */
int kc_take_data(struct kubeconfig_part *part, const struct kc_entry *entry, enum kc_field field, struct err *err);

#endif
