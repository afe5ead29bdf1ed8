/* SPDX-License-Identifier: MIT */
/* The grammar of RFC 8259 as a pushdown automaton: one pass, no recursion, a bit a level. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "json_check.h"
#include "json_plain.h"

struct check {
    const char *text;
    size_t len, at;
    uint64_t objects; /* bit d: level d is an object */
    unsigned depth;
};

static bool is_digit(const struct check *c)
{
    return c->at < c->len && c->text[c->at] >= '0' && c->text[c->at] <= '9';
}

static bool take(struct check *c, char wanted)
{
    if (c->at == c->len || c->text[c->at] != wanted)
        return false;
    c->at++;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static void skip_blanks(struct check *c)
{
    while (c->at < c->len && is_blank(c->text[c->at]))
        c->at++;
}

static bool take_hex4(struct check *c)
{
    for (int i = 0; i < 4; i++, c->at++) {
        char digit = c->at < c->len ? c->text[c->at] : '\0';

        if (!is_digit(c) && !(digit >= 'a' && digit <= 'f') && !(digit >= 'A' && digit <= 'F'))
            return false;
    }
    return true;
}

/* From behind the opening quote to behind the closing one. */
static const char *check_string(struct check *c)
{
    for (;;) {
        unsigned char byte;

        c->at += json_plain(c->text + c->at, c->len - c->at);
        if (c->at == c->len)
            return "unfinished string";
        byte = (unsigned char)c->text[c->at++];
        if (byte == '"')
            return NULL;
        if (byte < 0x20)
            return "control character in a string";
        if (c->at == c->len || !memchr("\"\\/bfnrtu", c->text[c->at], 9))
            return "bad escape in a string";
        if (c->text[c->at++] == 'u' && !take_hex4(c))
            return "bad \\u escape in a string";
    }
}

static const char *check_number(struct check *c)
{
    static const char bad[] = "bad number";

    take(c, '-');
    if (!is_digit(c))
        return "not a value";
    if (!take(c, '0'))
        while (is_digit(c))
            c->at++;
    if (take(c, '.')) {
        if (!is_digit(c))
            return bad;
        while (is_digit(c))
            c->at++;
    }
    if (take(c, 'e') || take(c, 'E')) {
        if (!take(c, '+'))
            take(c, '-');
        if (!is_digit(c))
            return bad;
        while (is_digit(c))
            c->at++;
    }
    return NULL;
}

static const char *check_scalar(struct check *c)
{
    static const char *const words[] = {"true", "false", "null"};

    if (take(c, '"'))
        return check_string(c);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]);

        if (c->len - c->at >= n && memcmp(c->text + c->at, words[i], n) == 0) {
            c->at += n;
            return NULL;
        }
    }
    return check_number(c);
}

/* A member's name and its colon. */
static const char *check_key(struct check *c)
{
    const char *why;

    skip_blanks(c);
    if (!take(c, '"'))
        return "a member should begin with its name in quotes";
    why = check_string(c);
    skip_blanks(c);
    if (!why && !take(c, ':'))
        why = "no colon behind a name";
    return why;
}

static bool in_object(const struct check *c)
{
    return c->objects >> (c->depth - 1) & 1;
}

/* Behind '{' or '['. *value tells whether a value comes next. */
static const char *enter(struct check *c, bool object, bool *value)
{
    if (c->depth == JSON_MAX_DEPTH)
        return "nested too deep";
    c->objects = (c->objects & ~(UINT64_C(1) << c->depth)) | (uint64_t)object << c->depth;
    c->depth++;
    skip_blanks(c);
    *value = !take(c, object ? '}' : ']');
    if (!*value)
        c->depth--;
    else if (object)
        return check_key(c);
    return NULL;
}

/* Behind a value within something: closes levels until a comma. */
static const char *go_on(struct check *c, bool *value)
{
    *value = false;
    while (c->depth > 0) {
        skip_blanks(c);
        if (take(c, ',')) {
            *value = true;
            return in_object(c) ? check_key(c) : NULL;
        }
        if (!take(c, in_object(c) ? '}' : ']'))
            return in_object(c) ? "neither comma nor } behind a member" : "neither comma nor ] behind an element";
        c->depth--;
    }
    return NULL;
}

const char *json_check(const char *text, size_t len, size_t *at)
{
    struct check c = {.text = text, .len = len};
    const char *why = NULL;
    bool value = true;

    while (!why && value) {
        bool object;

        skip_blanks(&c);
        object = take(&c, '{');
        if (object || take(&c, '[')) {
            why = enter(&c, object, &value);
            if (why || value)
                continue;
        } else {
            why = check_scalar(&c);
        }
        if (!why)
            why = go_on(&c, &value);
    }
    skip_blanks(&c);
    if (!why && c.at < len)
        why = "something behind the value";
    *at = c.at;
    return why;
}
