/* SPDX-License-Identifier: MIT */
/*
 * The cutter of Kubernetes lists. Between the pieces it is as strict as the grammar; within a piece it only follows
 * strings and brackets to the piece's end, since json_read checks each piece whole.
 */
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/wire/json_stream.h>

#include "json_plain.h"

enum stream_state {
    TEXT_START,   /* '{' */
    MEMBER_FIRST, /* a name, or '}' */
    MEMBER_NEXT,  /* a name: after a comma */
    NAME,
    COLON,
    VALUE_START,
    VALUE,
    MEMBER_END, /* ',' or '}' */
    ITEM_FIRST, /* an item, or ']' */
    ITEM_NEXT,  /* an item: after a comma */
    ITEM,
    ITEM_END, /* ',' or ']' */
    TEXT_END,
};

void json_stream_init(struct json_stream *stream, size_t max_piece_bytes)
{
    *stream = (struct json_stream){.state = TEXT_START};
    buf_init(&stream->piece, max_piece_bytes);
}

void json_stream_release(struct json_stream *stream)
{
    buf_release(&stream->piece);
}

static enum json_stream_event bad(struct json_stream *stream, const char *why)
{
    stream->error = why;
    return JSON_STREAM_BAD;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum json_stream_event name_byte(struct json_stream *stream, char c)
{
    if (c == '"') {
        stream->key[stream->key_len] = '\0';
        stream->state = COLON;
        return JSON_STREAM_MORE;
    }
    if ((unsigned char)c < 0x20 || c == '\\' || stream->key_len == sizeof(stream->key) - 1)
        return bad(stream, "a top-level name that no list has");
    stream->key[stream->key_len++] = c;
    return JSON_STREAM_MORE;
}

static enum json_stream_event begin_value(struct json_stream *stream, char c)
{
    if (strcmp(stream->key, "items") != 0) {
        stream->state = VALUE;
        return JSON_STREAM_MORE;
    }
    if (c != '[' || stream->items_seen)
        return bad(stream, "\"items\" is no array, or comes twice");
    stream->items_seen = true;
    stream->state = ITEM_FIRST;
    return JSON_STREAM_MORE;
}

/* A byte between the pieces, no blank. The states VALUE and ITEM are set before the piece's first byte is taken. */
static enum json_stream_event structure_byte(struct json_stream *stream, char c)
{
    switch ((enum stream_state)stream->state) {
    case TEXT_START:
        stream->state = MEMBER_FIRST;
        return c == '{' ? JSON_STREAM_MORE : bad(stream, "not a JSON object");
    case MEMBER_FIRST:
    case MEMBER_END:
        if (c == '}') {
            stream->state = TEXT_END;
            return JSON_STREAM_END;
        }
        if (stream->state == MEMBER_END) {
            stream->state = MEMBER_NEXT;
            return c == ',' ? JSON_STREAM_MORE : bad(stream, "neither comma nor } behind a member");
        }
        FALLTHROUGH;
    case MEMBER_NEXT:
        stream->state = NAME;
        stream->key_len = 0;
        return c == '"' ? JSON_STREAM_MORE : bad(stream, "a member should begin with its name in quotes");
    case COLON:
        stream->state = VALUE_START;
        return c == ':' ? JSON_STREAM_MORE : bad(stream, "no colon behind a name");
    case VALUE_START:
        return begin_value(stream, c);
    case ITEM_FIRST:
    case ITEM_END:
        if (c == ']') {
            stream->state = MEMBER_END;
            return JSON_STREAM_MORE;
        }
        if (stream->state == ITEM_END) {
            stream->state = ITEM_NEXT;
            return c == ',' ? JSON_STREAM_MORE : bad(stream, "neither comma nor ] behind an item");
        }
        FALLTHROUGH;
    case ITEM_NEXT:
        stream->state = ITEM;
        return JSON_STREAM_MORE;
    case NAME:
    case VALUE:
    case ITEM:
    case TEXT_END:
        break;
    }
    return bad(stream, "something behind the list");
}

/* Within a string: to behind its end, or to the end of the data. */
static size_t scan_string(struct json_stream *stream, const char *data, size_t len)
{
    size_t i = 0;

    while (i < len && stream->in_string) {
        if (!stream->escaped)
            i += json_plain(data + i, len - i);
        if (i == len)
            break;
        stream->in_string = data[i] != '"' || stream->escaped;
        stream->escaped = data[i] == '\\' && !stream->escaped;
        i++;
    }
    return i;
}

/* How many of the bytes belong to the piece, and whether it ends with them. A number or a word ends before the byte that
 * can't be part of it. */
static size_t scan_piece(struct json_stream *stream, const char *data, size_t len, bool *whole)
{
    size_t i = 0;

    *whole = false;
    while (i < len && !*whole) {
        char c = data[i];

        if (stream->in_string) {
            i += scan_string(stream, data + i, len - i);
            *whole = !stream->in_string && stream->depth == 0;
            continue;
        }
        if (c == '"') {
            stream->in_string = true;
        } else if (c == '{' || c == '[') {
            stream->depth++;
        } else if (stream->depth == 0 && (is_blank(c) || c == ',' || c == '}' || c == ']')) {
            *whole = true;
            return i;
        } else if (c == '}' || c == ']') {
            *whole = --stream->depth == 0;
        }
        i++;
    }
    return i;
}

static enum json_stream_event take_piece(struct json_stream *stream, const char *data, size_t len, size_t *used)
{
    bool whole, item = stream->state == ITEM;
    size_t n = scan_piece(stream, data, len, &whole);

    buf_add(&stream->piece, data, n);
    *used += n;
    if (stream->piece.failed)
        return bad(stream, "an item larger than the limit, or out of memory");
    if (!whole)
        return JSON_STREAM_MORE;
    if (stream->piece.len == 0)
        return bad(stream, "no value where one should be");
    stream->state = item ? ITEM_END : MEMBER_END;
    stream->items += item;
    return item ? JSON_STREAM_ITEM : JSON_STREAM_MEMBER;
}

enum json_stream_event json_stream_feed(struct json_stream *stream, const char *data, size_t len, size_t *used)
{
    enum json_stream_event event = stream->error ? JSON_STREAM_BAD : JSON_STREAM_MORE;

    *used = 0;
    if (stream->state != VALUE && stream->state != ITEM)
        buf_clear(&stream->piece);
    while (event == JSON_STREAM_MORE && *used < len) {
        char c = data[*used];
        bool between = stream->state != VALUE && stream->state != ITEM;

        if (!between) {
            event = take_piece(stream, data + *used, len - *used, used);
        } else if (stream->state == NAME) {
            event = name_byte(stream, c);
            ++*used;
        } else if (is_blank(c)) {
            ++*used;
        } else {
            event = structure_byte(stream, c);
            /* The first byte of a piece is looked at again, as part of it. */
            *used += stream->state != VALUE && stream->state != ITEM;
        }
    }
    return event;
}
