/* SPDX-License-Identifier: MIT */
/* The one interface to all kinds of sources: picks the kind, and leaves everything else to it. */
#include <config.h>

#include <syncer/base/macros.h>

#include "source_kind.h"

static const struct source_kind *const kinds[] = {
    [CONF_PODS_STATIC] = &source_static,
    [CONF_PODS_KUBERNETES] = &source_kubernetes,
    [CONF_PODS_ENDPOINTSLICES] = &source_endpointslices,
    [CONF_PODS_DNS] = &source_dns,
};

struct source *source_new(const struct source_settings *settings, struct err *err)
{
    size_t wanted = (size_t)settings->conf->pods;
    struct source *source;

    if (wanted >= ARRAY_LEN(kinds) || !kinds[wanted]) {
        err_set(err, "pods: this kind of source is not known");
        return NULL;
    }
    source = kinds[wanted]->open(settings, err);
    if (!source)
        return NULL;
    source->kind = kinds[wanted];
    source->loop = settings->loop;
    source->events = settings->events;
    source->arg = settings->arg;
    return source;
}

void source_free(struct source *source)
{
    if (source)
        source->kind->close(source);
}

void source_refresh(struct source *source)
{
    source->kind->refresh(source);
}

const char *source_describe(const struct source *source)
{
    return source->description;
}

const char *source_warning(const struct source *source)
{
    return source->warning.text;
}
