/* SPDX-License-Identifier: MIT */
/*
 * The list of the configuration file. It is handed on again every scrape_interval although it can't have
 * changed: its readers judge a list by its age, whatever its source.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>

#include "source_kind.h"

struct static_source {
    struct source source;
    struct loop_timer timer;
    int64_t interval_ns;
    size_t n;
    struct source_pod pods[];
};

static void on_due(struct loop_timer *timer)
{
    struct static_source *self = container_of(timer, struct static_source, timer);
    const struct source_events *events = self->source.events;

    loop_timer_set(&self->timer, loop_now_ns(self->source.loop) + self->interval_ns);
    events->on_begin(self->source.arg);
    events->on_list(self->source.arg, self->pods, self->n);
}

static void fill(struct source_pod *pod, const struct conf_static_pod *from, int64_t port)
{
    snprintf(pod->name, sizeof(pod->name), "%s", from->name);
    pod->addr = from->address;
    pod->port = from->port ? from->port : (uint16_t)port;
    pod->state = SOURCE_READY;
    pod->counts = true;
}

static struct source *static_open(const struct source_settings *settings, struct err *err)
{
    const struct conf *conf = settings->conf;
    struct static_source *self = NULL;

    if (conf->n_static_pods > (size_t)conf->max_pods) {
        err_set(err, "static: %zu pods are more than max_pods (%d)", conf->n_static_pods, (int)conf->max_pods);
        return NULL;
    }
    self = calloc(1, sizeof(*self) + conf->n_static_pods * sizeof(self->pods[0]));
    if (!self) {
        err_set(err, "static: out of memory");
        return NULL;
    }
    self->n = conf->n_static_pods;
    for (size_t i = 0; i < self->n; i++)
        fill(&self->pods[i], &conf->static_pods[i], conf->port);
    self->interval_ns = conf->scrape_interval_ms * NS_PER_MS;
    snprintf(self->source.description, sizeof(self->source.description), "static: %zu pods", self->n);
    loop_timer_init(&self->timer, settings->loop, LOOP_EARLY, on_due);
    loop_timer_set(&self->timer, loop_now_ns(settings->loop));
    return &self->source;
}

static void static_close(struct source *source)
{
    struct static_source *self = container_of(source, struct static_source, source);

    loop_timer_cancel(&self->timer);
    free(self);
}

static void static_refresh(struct source *source)
{
    struct static_source *self = container_of(source, struct static_source, source);

    loop_timer_set(&self->timer, loop_now_ns(source->loop));
}

const struct source_kind source_static = {static_open, static_close, static_refresh};
