/* SPDX-License-Identifier: MIT */
/* What a kind of source is to source.c. Each kind embeds struct source as its first part and finds itself by
 * it. */
#ifndef SYNCER_SRC_PODS_SOURCE_KIND_H
#define SYNCER_SRC_PODS_SOURCE_KIND_H

#include <syncer/pods/source.h>

#define SOURCE_DESCRIPTION_BYTES 768 /* two names of up to 253 and a URL */

struct source_kind {
    struct source *(*open)(const struct source_settings *settings, struct err *err);
    void (*close)(struct source *source); /* frees it too */
    void (*refresh)(struct source *source);
};

struct source {
    const struct source_kind *kind;
    struct loop *loop;                  /* borrowed */
    const struct source_events *events; /* borrowed */
    void *arg;
    char description[SOURCE_DESCRIPTION_BYTES];
    struct err warning; /* "" = none */
};

extern const struct source_kind source_static;
extern const struct source_kind source_kubernetes;
extern const struct source_kind source_endpointslices;
extern const struct source_kind source_dns;

#endif
