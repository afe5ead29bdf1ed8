/* SPDX-License-Identifier: MIT */
/*
 * Documents of jsmn tokens. The text has passed json_check() before jsmn sees it, so that tokens here are known to be
 * well formed. The only file that includes jsmn.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_PARENT_LINKS /* without them closing a bracket searches backwards: quadratic in long lists */
#include <jsmn.h>

#include <syncer/base/utf8.h>
#include <syncer/wire/json_read.h>

#include "json_check.h"

#define FIRST_TOKENS 512

struct json_doc {
    const char *text; /* borrowed */
    jsmntok_t *tokens;
    uint32_t *below;  /* per token: how many tokens belong to it */
    size_t room, max; /* of both arrays */
    int n;
};

struct json_doc *json_doc_new(size_t max_values)
{
    struct json_doc *doc = calloc(1, sizeof(*doc));

    if (doc)
        doc->max = max_values < INT_MAX ? max_values : INT_MAX;
    return doc;
}

void json_doc_free(struct json_doc *doc)
{
    if (!doc)
        return;
    free(doc->tokens);
    free(doc->below);
    free(doc);
}

static int grow(struct json_doc *doc, struct err *err)
{
    size_t room = doc->room ? doc->room * 2 : FIRST_TOKENS;
    jsmntok_t *tokens;
    uint32_t *below;

    if (doc->room >= doc->max)
        return err_set(err, "JSON: more than %zu values", doc->max);
    if (room > doc->max)
        room = doc->max;
    tokens = realloc(doc->tokens, room * sizeof(*tokens));
    if (tokens)
        doc->tokens = tokens;
    below = realloc(doc->below, room * sizeof(*below));
    if (below)
        doc->below = below;
    if (!tokens || !below)
        return err_set(err, "JSON: out of memory");
    doc->room = room;
    return 0;
}

/* A parent comes before its children, so one pass from the end counts them all. */
static void count_below(struct json_doc *doc)
{
    memset(doc->below, 0, (size_t)doc->n * sizeof(*doc->below));
    for (int i = doc->n - 1; i > 0; i--)
        doc->below[doc->tokens[i].parent] += doc->below[i] + 1;
}

int json_doc_parse(struct json_doc *doc, const char *text, size_t len, struct err *err)
{
    jsmn_parser parser;
    const char *why;
    size_t at = 0;

    doc->n = 0;
    if (len > INT_MAX)
        return err_set(err, "JSON: longer than %d bytes", INT_MAX);
    why = json_check(text, len, &at);
    if (why)
        return err_set(err, "JSON: %s, at byte %zu", why, at);
    jsmn_init(&parser);
    for (;;) {
        int n = doc->room ? jsmn_parse(&parser, text, len, doc->tokens, (unsigned)doc->room) : JSMN_ERROR_NOMEM;

        if (n > 0) {
            doc->n = n;
            break;
        }
        if (n != JSMN_ERROR_NOMEM)
            return err_set(err, "JSON: not understood, at byte %u", parser.pos);
        if (grow(doc, err) != 0)
            return -1;
    }
    doc->text = text;
    count_below(doc);
    return 0;
}

static const jsmntok_t *token(const struct json_doc *doc, json_value v)
{
    return v >= 0 && v < doc->n ? &doc->tokens[v] : NULL;
}

enum json_type json_type(const struct json_doc *doc, json_value v)
{
    const jsmntok_t *t = token(doc, v);

    if (!t)
        return JSON_MISSING;
    switch (t->type) {
    case JSMN_OBJECT:
        return JSON_OBJECT;
    case JSMN_ARRAY:
        return JSON_ARRAY;
    case JSMN_STRING:
        return JSON_STRING;
    case JSMN_PRIMITIVE:
    case JSMN_UNDEFINED:
        break;
    }
    switch (doc->text[t->start]) {
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

size_t json_size(const struct json_doc *doc, json_value v)
{
    enum json_type type = json_type(doc, v);

    return type == JSON_ARRAY || type == JSON_OBJECT ? (size_t)doc->tokens[v].size : 0;
}

json_value json_first(const struct json_doc *doc, json_value v)
{
    return json_size(doc, v) > 0 ? v + 1 : JSON_NONE;
}

json_value json_next(const struct json_doc *doc, json_value v)
{
    const jsmntok_t *t = token(doc, v), *after;

    if (!t)
        return JSON_NONE;
    v += 1 + (json_value)doc->below[v];
    after = token(doc, v);
    return after && after->parent == t->parent ? v : JSON_NONE;
}

json_value json_member_value(const struct json_doc *doc, json_value key)
{
    const jsmntok_t *t = token(doc, key);

    return t && t->type == JSMN_STRING && t->size == 1 ? key + 1 : JSON_NONE;
}

/* --- strings --- */

static uint32_t hex4(const char *s)
{
    uint32_t n = 0;

    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)s[i];

        n = n << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return n;
}

/* The code point of the \u escape at `s` ("\uXXXX", maybe a pair), and its length; 0 for a lone surrogate. */
static size_t unescape_u(const char *s, size_t n, uint32_t *code)
{
    uint32_t low;

    *code = hex4(s + 2);
    if (*code < 0xd800 || *code > 0xdfff)
        return 6;
    if (*code > 0xdbff || n < 12 || s[6] != '\\' || s[7] != 'u')
        return 0;
    low = hex4(s + 8);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

/* The character at `s`, escaped or not, and how many bytes it takes; 0 if it is none. */
static size_t unescape(const char *s, size_t n, uint32_t *code)
{
    static const char names[] = "\"\"\\\\//b\bf\fn\nr\rt\t";

    if (s[0] != '\\')
        return utf8_decode(s, n, code);
    if (s[1] == 'u')
        return unescape_u(s, n, code);
    for (size_t i = 0; i < sizeof(names) - 1; i += 2)
        if (names[i] == s[1])
            *code = (unsigned char)names[i + 1];
    return 2;
}

/* The next character of the string from *s on, as UTF-8; its length there, or 0 for what no string here may hold. */
static size_t next_char(const char **s, const char *end, char utf8[4])
{
    uint32_t code = 0;
    size_t took = unescape(*s, (size_t)(end - *s), &code);

    if (took == 0 || code == 0)
        return 0;
    *s += took;
    return utf8_encode(code, utf8);
}

int json_str(const struct json_doc *doc, json_value v, char *out, size_t room)
{
    const jsmntok_t *t = token(doc, v);
    size_t n = 0;

    if (!t || t->type != JSMN_STRING)
        return -1;
    for (const char *s = doc->text + t->start, *end = doc->text + t->end; s < end;) {
        char utf8[4];
        size_t len = next_char(&s, end, utf8);

        if (len == 0 || n + len >= room)
            return -1;
        memcpy(out + n, utf8, len);
        n += len;
    }
    if (n >= room)
        return -1;
    out[n] = '\0';
    return (int)n; /* no text is longer than INT_MAX, and unescaping makes none longer */
}

bool json_is(const struct json_doc *doc, json_value v, const char *text)
{
    const jsmntok_t *t = token(doc, v);
    size_t left = strlen(text);

    if (!t || t->type != JSMN_STRING)
        return false;
    if (!memchr(doc->text + t->start, '\\', (size_t)(t->end - t->start)))
        return (size_t)(t->end - t->start) == left && memcmp(doc->text + t->start, text, left) == 0;
    for (const char *s = doc->text + t->start, *end = doc->text + t->end; s < end;) {
        char utf8[4];
        size_t len = next_char(&s, end, utf8);

        if (len == 0 || len > left || memcmp(utf8, text, len) != 0)
            return false;
        text += len;
        left -= len;
    }
    return left == 0;
}

json_value json_get(const struct json_doc *doc, json_value v, const char *key)
{
    json_value found = JSON_NONE;

    if (json_type(doc, v) != JSON_OBJECT)
        return JSON_NONE;
    for (json_value k = json_first(doc, v); k != JSON_NONE; k = json_next(doc, k))
        if (json_is(doc, k, key))
            found = json_member_value(doc, k);
    return found;
}

json_value json_path(const struct json_doc *doc, json_value v, ...)
{
    va_list keys;
    const char *key;

    va_start(keys, v);
    while ((key = va_arg(keys, const char *)) != NULL)
        v = json_get(doc, v, key);
    va_end(keys);
    return v;
}

/* --- other scalars --- */

int json_bool(const struct json_doc *doc, json_value v, bool *out)
{
    if (json_type(doc, v) != JSON_BOOL)
        return -1;
    *out = doc->text[doc->tokens[v].start] == 't';
    return 0;
}

int json_int(const struct json_doc *doc, json_value v, int64_t *out)
{
    const char *s, *end;
    bool negative;
    int64_t n = 0;

    if (json_type(doc, v) != JSON_NUMBER)
        return -1;
    s = doc->text + doc->tokens[v].start;
    end = doc->text + doc->tokens[v].end;
    negative = *s == '-';
    for (s += negative; s < end; s++) {
        int digit = *s - '0';

        /* Counted downwards, since INT64_MIN has no positive counterpart. */
        if (digit < 0 || digit > 9 || n < (INT64_MIN + digit) / 10)
            return -1;
        n = n * 10 - digit;
    }
    if (!negative && n == INT64_MIN)
        return -1;
    *out = negative ? n : -n;
    return 0;
}

int json_thousandths(const struct json_doc *doc, json_value v, int64_t *out)
{
    const char *s, *end;
    bool negative;
    int64_t n = 0;
    int left = -1; /* digits that still count; -1: in front of the point */

    if (json_type(doc, v) != JSON_NUMBER)
        return -1;
    s = doc->text + doc->tokens[v].start;
    end = doc->text + doc->tokens[v].end;
    negative = *s == '-';
    for (s += negative; s < end; s++) {
        if (*s == '.')
            left = 3;
        else if (*s < '0' || *s > '9' || n > INT64_C(1000000000000))
            return -1;
        else if (left != 0) {
            n = n * 10 + (*s - '0');
            left -= left > 0;
        }
    }
    for (left = left < 0 ? 3 : left; left > 0; left--)
        n *= 10;
    *out = negative ? -n : n;
    return 0;
}
