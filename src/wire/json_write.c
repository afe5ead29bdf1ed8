/* SPDX-License-Identifier: MIT */
/* Commas, quotes, escapes. */
#include <inttypes.h>
#include <string.h>

#include <syncer/base/must.h>
#include <syncer/base/utf8.h>
#include <syncer/wire/json_write.h>

void json_writer_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out, .first = 1};
}

static uint64_t bit(const struct json_writer *w)
{
    return UINT64_C(1) << w->depth;
}

/* The comma before a member or an element that is not the first. At the top there is one value only. */
static void separate(struct json_writer *w)
{
    if (w->first & bit(w)) {
        w->first &= ~bit(w);
    } else {
        must(w->depth > 0);
        buf_add_char(w->out, ',');
    }
}

/* Before each value: in an object it has a key, and its comma stands before that. */
static void begin_value(struct json_writer *w)
{
    must(w->after_key == ((w->objects & bit(w)) != 0));
    if (!w->after_key)
        separate(w);
    w->after_key = false;
}

static void begin(struct json_writer *w, char bracket, bool object)
{
    begin_value(w);
    buf_add_char(w->out, bracket);
    must(w->depth < 63);
    w->depth++;
    w->first |= bit(w);
    w->objects = object ? w->objects | bit(w) : w->objects & ~bit(w);
}

static void end(struct json_writer *w, char bracket, bool object)
{
    must(w->depth > 0 && !w->after_key && object == ((w->objects & bit(w)) != 0));
    w->depth--;
    buf_add_char(w->out, bracket);
}

void json_object_begin(struct json_writer *w)
{
    begin(w, '{', true);
}

void json_object_end(struct json_writer *w)
{
    end(w, '}', true);
}

void json_array_begin(struct json_writer *w)
{
    begin(w, '[', false);
}

void json_array_end(struct json_writer *w)
{
    end(w, ']', false);
}

static void add_escaped(struct buf *out, uint32_t code)
{
    static const char names[] = "\"\"\\\\\nn\rr\tt";
    char utf8[4];

    for (size_t i = 0; i < sizeof(names) - 1; i += 2) {
        if (code == (unsigned char)names[i]) {
            buf_add(out, (const char[]){'\\', names[i + 1]}, 2);
            return;
        }
    }
    if (code < 0x20 || code == 0x7f)
        buf_addf(out, "\\u%04x", (unsigned)code);
    else
        buf_add(out, utf8, utf8_encode(code, utf8));
}

/* Bytes at the front that stand for themselves: nearly always all. */
static size_t plain_bytes(const char *str, size_t len)
{
    size_t i = 0;

    while (i < len && str[i] >= 0x20 && str[i] < 0x7f && str[i] != '"' && str[i] != '\\')
        i++;
    return i;
}

static void add_string(struct buf *out, const char *str, size_t len)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < len;) {
        size_t plain = plain_bytes(str + i, len - i), took;
        uint32_t code = 0;

        buf_add(out, str + i, plain);
        i += plain;
        if (i == len)
            break;
        took = utf8_decode(str + i, len - i, &code);
        add_escaped(out, took ? code : 0xfffd);
        i += took ? took : 1;
    }
    buf_add_char(out, '"');
}

void json_key(struct json_writer *w, const char *key)
{
    must(!w->after_key && (w->objects & bit(w)));
    separate(w);
    add_string(w->out, key, strlen(key));
    buf_add_char(w->out, ':');
    w->after_key = true;
}

void json_string(struct json_writer *w, const char *str, size_t len)
{
    begin_value(w);
    add_string(w->out, str, len);
}

void json_cstring(struct json_writer *w, const char *str)
{
    if (str)
        json_string(w, str, strlen(str));
    else
        json_null(w);
}

void json_number(struct json_writer *w, int64_t n)
{
    begin_value(w);
    if (n < 0)
        buf_add_char(w->out, '-');
    buf_add_number(w->out, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void json_decimal(struct json_writer *w, int64_t thousandths)
{
    uint64_t size = thousandths < 0 ? -(uint64_t)thousandths : (uint64_t)thousandths;

    begin_value(w);
    buf_addf(w->out, "%s%" PRIu64 ".%03" PRIu64, thousandths < 0 ? "-" : "", size / 1000, size % 1000);
}

void json_boolean(struct json_writer *w, bool b)
{
    begin_value(w);
    buf_add_str(w->out, b ? "true" : "false");
}

void json_null(struct json_writer *w)
{
    begin_value(w);
    buf_add_str(w->out, "null");
}

void json_put_string(struct json_writer *w, const char *key, const char *str)
{
    json_key(w, key);
    json_cstring(w, str);
}

void json_put_number(struct json_writer *w, const char *key, int64_t n)
{
    json_key(w, key);
    json_number(w, n);
}

void json_put_boolean(struct json_writer *w, const char *key, bool b)
{
    json_key(w, key);
    json_boolean(w, b);
}
