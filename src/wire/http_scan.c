/* SPDX-License-Identifier: MIT */
/*
 * Characters, lists, lengths and field lines: what the grammars of requests and responses have in common. Heads are
 * read by http_request.c and http_response.c, bodies by http_body.c.
 */
#include <string.h>

#include <syncer/wire/http_scan.h>

/* Bits of the class of a character, so that each test is one load. */
enum { TCHAR = 1, VCHAR = 2, COOKIE = 4 };

#define T (TCHAR | VCHAR | COOKIE) /* tchar, all of which are cookie-octets too */
#define C (VCHAR | COOKIE)
#define V VCHAR
static const uint8_t classes[256] = {
    ['\t'] = V,        [' '] = V,         ['!'] = T, ['"'] = V,  ['#'] = T, ['$'] = T,           ['%'] = T, ['&'] = T,
    ['\''] = T,        ['('] = C,         [')'] = C, ['*'] = T,  ['+'] = T, [','] = V,           ['-'] = T, ['.'] = T,
    ['/'] = C,         ['0' ... '9'] = T, [':'] = C, [';'] = V,  ['<'] = C, ['='] = C,           ['>'] = C, ['?'] = C,
    ['@'] = C,         ['A' ... 'Z'] = T, ['['] = C, ['\\'] = V, [']'] = C, ['^'] = T,           ['_'] = T, ['`'] = T,
    ['a' ... 'z'] = T, ['{'] = C,         ['|'] = T, ['}'] = C,  ['~'] = T, [0x80 ... 0xff] = V, /* obs-text */
};
#undef T
#undef C
#undef V

bool http_is_tchar(unsigned char c)
{
    return classes[c] & TCHAR;
}

bool http_is_field_vchar(unsigned char c)
{
    return classes[c] & VCHAR;
}

size_t http_field_vchars(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && classes[(unsigned char)text[i]] & VCHAR)
        i++;
    return i;
}

bool http_is_cookie_octet(unsigned char c)
{
    return classes[c] & COOKIE;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ASCII only, whatever the locale. */
static unsigned char lower_of(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool equals_lower(const char *text, size_t len, const char *lower)
{
    for (size_t i = 0; i < len; i++)
        if (lower_of(text[i]) != (unsigned char)lower[i])
            return false; /* also where `lower` ends early: a name has no NUL */
    return lower[len] == '\0';
}

bool http_name_is(const char *data, struct slice name, const char *lower)
{
    return equals_lower(data + name.off, name.len, lower);
}

/* The bytes from *from to `end` without the blanks around them. */
static void trim(const char *data, uint32_t *from, uint32_t *end)
{
    while (*from < *end && is_blank(data[*from]))
        ++*from;
    while (*from < *end && is_blank(data[*end - 1]))
        --*end;
}

bool http_list_next(const char *data, struct slice list, uint32_t *pos, struct slice *member)
{
    uint32_t end = list.off + list.len, from = list.off + *pos, stop = from;

    if (*pos > list.len)
        return false;
    while (stop < end && data[stop] != ',')
        stop++;
    *pos = stop + 1 - list.off;
    trim(data, &from, &stop);
    *member = (struct slice){.off = from, .len = stop - from};
    return true;
}

bool http_list_has(const char *data, struct slice value, const char *token)
{
    struct slice member;
    uint32_t pos = 0;

    while (http_list_next(data, value, &pos, &member))
        if (member.len > 0 && http_name_is(data, member, token))
            return true;
    return false;
}

int http_parse_length(const char *text, size_t len, uint64_t *out)
{
    uint64_t n = 0;

    if (len == 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return -1;
        n = n * 10 + digit;
    }
    *out = n;
    return 0;
}

bool http_parse_field(const char *data, struct slice line, struct http_field *out)
{
    uint32_t end = line.off + line.len, colon = line.off, from;

    while (colon < end && http_is_tchar((unsigned char)data[colon]))
        colon++;
    /* An empty name is an error; so is a blank here: obs-fold at the start, or before the colon. */
    if (colon == line.off || colon == end || data[colon] != ':')
        return false;
    from = colon + 1;
    if (http_field_vchars(data + from, end - from) < end - from)
        return false;
    trim(data, &from, &end);
    out->name = (struct slice){.off = line.off, .len = colon - line.off};
    out->value = (struct slice){.off = from, .len = end - from};
    return true;
}

enum http_coding http_coding_add(enum http_coding so_far, const char *data, struct slice value)
{
    struct slice member;
    uint32_t pos = 0;

    while (http_list_next(data, value, &pos, &member)) {
        bool token = member.len > 0;

        for (uint32_t i = 0; i < member.len; i++)
            token = token && http_is_tchar((unsigned char)data[member.off + i]);
        /* Behind chunked nothing may come: the body's end would be anybody's guess (RFC 9112 section 6.3). */
        if (!token || so_far == HTTP_CODING_BAD || so_far == HTTP_CODING_CHUNKED)
            so_far = HTTP_CODING_BAD;
        else if (!http_name_is(data, member, "chunked"))
            so_far = HTTP_CODING_OTHER;
        else if (so_far == HTTP_CODING_NONE)
            so_far = HTTP_CODING_CHUNKED;
    }
    return so_far;
}
