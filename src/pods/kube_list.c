/* SPDX-License-Identifier: MIT */
/* Joins the cutter of lists to the reader of JSON. Members come in any order, so what must be there is asked
 * at the end. */
#include <config.h>

#include <string.h>

#include "kube_list.h"
#include "kube_objects.h"

void kube_list_begin(struct kube_list *list)
{
    kube_list_release(list);
    list->kind_seen = list->ended = false;
    buf_clear(list->next);
    list->version[0] = '\0';
    json_stream_init(&list->stream, KUBE_OBJECT_MAX_BYTES);
}

void kube_list_release(struct kube_list *list)
{
    json_stream_release(&list->stream);
}

static int take_member(struct kube_list *list, struct err *err)
{
    if (strcmp(list->stream.key, "kind") == 0) {
        if (!json_is(list->doc, 0, list->kind))
            return err_set(err, "the answer is no %s", list->kind);
        list->kind_seen = true;
    }
    if (strcmp(list->stream.key, "metadata") == 0)
        return kube_read_continue(list->doc, list->next, err) != 0
                   ? -1
                   : kube_read_version(list->doc, 0, list->version, err);
    return 0;
}

static int take(struct kube_list *list, enum json_stream_event event, struct err *err)
{
    const struct buf *piece = &list->stream.piece;

    switch (event) {
    case JSON_STREAM_MORE:
        return 0;
    case JSON_STREAM_BAD:
        return err_set(err, "the answer is no %s: %s", list->kind, list->stream.error);
    case JSON_STREAM_END:
        list->ended = true;
        return 0;
    case JSON_STREAM_ITEM:
    case JSON_STREAM_MEMBER:
        break;
    }
    if (json_doc_parse(list->doc, piece->data, piece->len, err) != 0)
        return err_context(err, "the answer is no %s", list->kind);
    return event == JSON_STREAM_ITEM ? list->on_item(list->arg, list->doc, err) : take_member(list, err);
}

int kube_list_feed(struct kube_list *list, const char *data, size_t len, struct err *err)
{
    while (len > 0) {
        size_t used = 0;

        if (take(list, json_stream_feed(&list->stream, data, len, &used), err) != 0)
            return -1;
        data += used;
        len -= used;
    }
    return 0;
}

int kube_list_end(const struct kube_list *list, struct err *err)
{
    if (!list->ended)
        return err_set(err, "the answer ends within the %s", list->kind);
    if (!list->kind_seen || !list->stream.items_seen)
        return err_set(err, "the answer has no %s and is no %s", list->kind_seen ? "items" : "kind", list->kind);
    return 0;
}
