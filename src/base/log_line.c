/* SPDX-License-Identifier: MIT */
/*
 * How a log line is written. logfmt and JSON share one way of escaping, that of a JSON string, which logfmt
 * readers understand too; logfmt leaves out the quotes where a value is plain. Keys are literals of ours and
 * never escaped.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/utf8.h>

#include "log_line.h"

/* Kept free for the end: "..." and the closing quote of a cut value, the `cut` field, brace and newline. */
#define TAIL_BYTES 24

struct line {
    char *data;
    size_t len;
    enum log_format format;
    bool cut;
};

/* Adds all or, when only the tail is left, nothing: then the line is cut here. The closing quote of a value
 * that just fitted stands in the tail, so `len` may be past the limit: it must not be subtracted from it. */
static void add(struct line *line, const char *text, size_t n)
{
    if (line->cut || line->len + n > LOG_LINE_BYTES - TAIL_BYTES) {
        line->cut = true;
        return;
    }
    memcpy(line->data + line->len, text, n);
    line->len += n;
}

/* Adds something of the tail, for which there is always room. */
static void add_tail(struct line *line, const char *text)
{
    size_t n = strlen(text);

    memcpy(line->data + line->len, text, n);
    line->len += n;
}

/* Characters that move the cursor, break the line or turn the direction of writing would let a value pass for
 * something else on a terminal or in a log reader. */
static bool is_deceiving(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

/* Adds the first character of s[0 .. n-1], escaped as needed; returns how many bytes it took. */
static size_t add_char(struct line *line, const char *s, size_t n)
{
    static const char names[] = "\"\"\\\\\nn\rr\tt"; /* character, letter of its escape, ... */
    uint32_t code = 0;
    size_t took = utf8_decode(s, n, &code);
    char escape[8];

    for (size_t i = 0; took == 1 && i < sizeof(names) - 1; i += 2) {
        if (names[i] == s[0]) {
            add(line, (const char[]){'\\', names[i + 1]}, 2);
            return 1;
        }
    }
    if (took > 0 && !is_deceiving(code)) {
        add(line, s, took);
        return took;
    }
    /* A byte that is no UTF-8 is shown as U+FFFD, the character for just that. */
    snprintf(escape, sizeof(escape), "\\u%04x", took > 0 ? (unsigned)code : 0xfffdu);
    add(line, escape, 6);
    return took > 0 ? took : 1;
}

/* Printable ASCII that no string has to escape; and of that what needs no quotes in logfmt either. */
enum { CHAR_LITERAL = 1, CHAR_PLAIN = 2 };

static const unsigned char classes[256] = {
    [' '] = CHAR_LITERAL, ['!'] = CHAR_LITERAL | CHAR_PLAIN,         ['#' ... '<'] = CHAR_LITERAL | CHAR_PLAIN,
    ['='] = CHAR_LITERAL, ['>' ... '['] = CHAR_LITERAL | CHAR_PLAIN, [']' ... '~'] = CHAR_LITERAL | CHAR_PLAIN,
};

static unsigned class_of(char c)
{
    return classes[(unsigned char)c];
}

/* What all of the bytes have in common. */
static unsigned classes_of(const char *s, size_t n)
{
    unsigned common = n > 0 ? CHAR_LITERAL | CHAR_PLAIN : CHAR_LITERAL;

    for (size_t i = 0; i < n; i++)
        common &= class_of(s[i]);
    return common;
}

static size_t literal_run(const char *s, size_t n)
{
    size_t run = 0;

    while (run < n && class_of(s[run]) & CHAR_LITERAL)
        run++;
    return run;
}

/* Adds literal bytes; of too many what fits. */
static void add_literal(struct line *line, const char *s, size_t n)
{
    size_t room = LOG_LINE_BYTES - TAIL_BYTES - line->len;

    add(line, s, n < room ? n : room);
    line->cut = n > room;
}

static void add_text(struct line *line, const char *s, size_t n)
{
    for (size_t i = 0; i < n && !line->cut;) {
        size_t run = literal_run(s + i, n - i);

        if (run > 0)
            add_literal(line, s + i, run);
        i += run > 0 ? run : add_char(line, s + i, n - i);
    }
}

static void add_str(struct line *line, const char *s, size_t n)
{
    unsigned common = classes_of(s, n);
    bool quoted = line->format == LOG_FORMAT_JSON || !(common & CHAR_PLAIN);

    add(line, "\"", quoted ? 1 : 0);
    if (line->cut)
        return;
    if (common & CHAR_LITERAL)
        add_literal(line, s, n);
    else
        add_text(line, s, n);
    if (line->cut)
        add_tail(line, "...");
    if (quoted)
        add_tail(line, "\"");
}

/* Adds `key=` or `"key":` with what separates it from the field before. Whole or not at all. */
static void add_key(struct line *line, const char *key)
{
    bool json = line->format == LOG_FORMAT_JSON, first = line->len == 0;
    size_t len = strlen(key), at = 0;
    char text[64];

    if (len > sizeof(text) - 4) {
        line->cut = true;
        return;
    }
    if (json || !first)
        text[at++] = !json ? ' ' : first ? '{' : ',';
    if (json)
        text[at++] = '"';
    memcpy(text + at, key, len);
    at += len;
    if (json)
        text[at++] = '"';
    text[at++] = json ? ':' : '=';
    add(line, text, at);
}

/* Writes the digits from the back; `point` of them stand behind a decimal point. */
static void add_number(struct line *line, int64_t num, int point)
{
    char text[32], *p = text + sizeof(text);
    uint64_t rest = num < 0 ? 0 - (uint64_t)num : (uint64_t)num;

    for (int digits = 0; rest > 0 || digits <= point; digits++) {
        if (point > 0 && digits == point)
            *--p = '.';
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (num < 0)
        *--p = '-';
    add(line, p, (size_t)(text + sizeof(text) - p));
}

static void add_field(struct line *line, const struct log_field *field)
{
    size_t before = line->len, value;

    add_key(line, field->key);
    if (line->cut)
        return;
    value = line->len;
    if (field->str)
        add_str(line, field->str, field->len);
    else
        add_number(line, field->num, field->thousandths ? 3 : 0);
    if (line->cut && (!field->str || line->len == value))
        line->len = before; /* half a number would be another number; and of this string not even the quote fitted */
}

/* `out` is written through line.data. NOLINTNEXTLINE(readability-non-const-parameter) */
size_t log_line_format(char out[LOG_LINE_BYTES], enum log_format format, const struct log_head *head, const char *msg,
                       const struct log_field *fields, size_t n)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    struct line line = {.data = out, .format = format};
    char ts[CLOCK_ISO_BYTES];

    const struct log_field first[] = {
        LOG_BYTES("ts", ts, CLOCK_ISO_BYTES - 1),
        LOG_STR("level", levels[head->level]),
        LOG_STR("proc", head->process),
        LOG_INT("pid", head->pid),
        LOG_STR("msg", msg),
    };

    clock_iso(head->wall_ms, ts);
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        add_field(&line, &first[i]);
    for (size_t i = 0; i < n && !line.cut; i++)
        if (fields[i].key)
            add_field(&line, &fields[i]);
    if (line.cut)
        add_tail(&line, format == LOG_FORMAT_JSON ? ",\"cut\":true" : " cut=true");
    add_tail(&line, format == LOG_FORMAT_JSON ? "}\n" : "\n");
    return line.len;
}
