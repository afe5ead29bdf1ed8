/* SPDX-License-Identifier: MIT */
/* Cuts a watch into lines. What the objects mean is kube_objects.c's. */
#include <config.h>

#include <string.h>

#include <syncer/base/macros.h>

#include "kube_events.h"
#include "kube_list.h"

void kube_events_begin(struct kube_events *events)
{
    kube_events_release(events);
    buf_init(&events->line, KUBE_OBJECT_MAX_BYTES);
}

void kube_events_release(struct kube_events *events)
{
    buf_release(&events->line);
}

static int read_type(const struct json_doc *doc, enum kube_event_type *type)
{
    static const char *const names[] = {
        [KUBE_ADDED] = "ADDED",       [KUBE_MODIFIED] = "MODIFIED", [KUBE_DELETED] = "DELETED",
        [KUBE_BOOKMARK] = "BOOKMARK", [KUBE_ERROR] = "ERROR",
    };
    json_value v = json_get(doc, 0, "type");

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_is(doc, v, names[i])) {
            *type = (enum kube_event_type)i;
            return 0;
        }
    return -1;
}

static int take_line(struct kube_events *events, const char *line, size_t len, struct err *err)
{
    struct kube_event event = {.doc = events->doc};

    if (len == 0)
        return 0;
    if (len > KUBE_OBJECT_MAX_BYTES)
        return err_set(err, "an event is larger than %zu bytes", KUBE_OBJECT_MAX_BYTES);
    if (json_doc_parse(events->doc, line, len, err) != 0)
        return err_context(err, "what the watch brings is no event");
    event.object = json_get(events->doc, 0, "object");
    if (read_type(events->doc, &event.type) != 0 || json_type(events->doc, event.object) != JSON_OBJECT)
        return err_set(err, "what the watch brings is no event that is known");
    return events->on_event(events->arg, &event, err);
}

/* The first line of `data` ends after `len` bytes: with what has come before it is whole. */
static int end_line(struct kube_events *events, const char *data, size_t len, struct err *err)
{
    int rc;

    if (events->line.len == 0)
        return take_line(events, data, len, err);
    buf_add(&events->line, data, len);
    if (events->line.failed)
        return err_set(err, "an event is larger than %zu bytes", KUBE_OBJECT_MAX_BYTES);
    rc = take_line(events, events->line.data, events->line.len, err);
    buf_clear(&events->line);
    return rc;
}

int kube_events_feed(struct kube_events *events, const char *data, size_t len, struct err *err)
{
    while (len > 0) {
        const char *newline = memchr(data, '\n', len);
        size_t n = newline ? (size_t)(newline - data) : len;

        if (newline && end_line(events, data, n, err) != 0)
            return -1;
        if (!newline)
            buf_add(&events->line, data, n);
        if (events->line.failed)
            return err_set(err, "an event is larger than %zu bytes, or memory is out", KUBE_OBJECT_MAX_BYTES);
        n += newline != NULL;
        data += n;
        len -= n;
    }
    return 0;
}
