/* SPDX-License-Identifier: MIT */
/* Lists cut into pieces as they arrive: the same pieces however the bytes were cut, none above its bound. */
#include <config.h>

#include <syncer/wire/json_read.h>
#include <syncer/wire/json_stream.h>

#include "fuzz.h"

#define PIECE_MAX 512

struct outcome {
    enum json_stream_event last;
    uint64_t events, items, hash; /* of kinds, keys and pieces */
    size_t used;
};

static void mix(struct outcome *out, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++)
        out->hash = (out->hash ^ bytes[i]) * UINT64_C(0x100000001b3);
}

static void note(struct outcome *out, const struct json_stream *stream)
{
    unsigned char kind = (unsigned char)out->last;

    out->events++;
    mix(out, &kind, 1);
    if (out->last == JSON_STREAM_MEMBER)
        mix(out, stream->key, strnlen(stream->key, sizeof(stream->key)));
    if (out->last == JSON_STREAM_MEMBER || out->last == JSON_STREAM_ITEM) {
        HOLDS(stream->piece.len <= PIECE_MAX && stream->piece.len > 0);
        mix(out, stream->piece.data, stream->piece.len);
    }
}

static struct outcome feed(const char *data, size_t size, struct cuts *cuts)
{
    struct outcome out = {.last = JSON_STREAM_MORE};
    struct json_stream stream;
    size_t end = 0;

    json_stream_init(&stream, PIECE_MAX);
    while (out.last != JSON_STREAM_BAD && out.last != JSON_STREAM_END && end < size) {
        end += cuts ? cuts_next(cuts, size - end) : size;
        do {
            size_t used = 0;
            char *window = exact_copy(data + out.used, end - out.used);

            out.last = json_stream_feed(&stream, window, end - out.used, &used);
            free(window);
            HOLDS(used <= end - out.used);
            /* A number ends before the byte that shows it: an event without a byte used, but never standing
             * still. */
            HOLDS(used > 0 || out.last != JSON_STREAM_MORE);
            out.used += used;
            if (out.last != JSON_STREAM_MORE)
                note(&out, &stream);
        } while (out.used < end && out.last != JSON_STREAM_BAD && out.last != JSON_STREAM_END);
    }
    HOLDS((out.last == JSON_STREAM_BAD) == (stream.error != NULL));
    out.items = stream.items;
    json_stream_release(&stream);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cuts cuts = cuts_of(data, size);
    struct outcome whole = feed((const char *)data, size, NULL);
    struct outcome cut = feed((const char *)data, size, &cuts);
    bool ended = whole.last == JSON_STREAM_END;

    HOLDS(ended == (cut.last == JSON_STREAM_END) && (whole.last == JSON_STREAM_BAD) == (cut.last == JSON_STREAM_BAD));
    HOLDS(whole.events == cut.events && whole.items == cut.items && whole.hash == cut.hash);
    HOLDS(!ended || whole.used == cut.used);
    return 0;
}
