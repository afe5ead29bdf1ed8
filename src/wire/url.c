/* SPDX-License-Identifier: MIT */
/* Escapes and query strings. Whole targets are checked by http_target.c before anything of them comes here. */
#include <string.h>

#include <syncer/wire/url.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int url_decode(const char *text, size_t len, char *out, size_t *out_len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
            int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return -1;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[n++] = c;
    }
    *out_len = n;
    return 0;
}

/* RFC 3986 section 2.3. */
static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void url_encode(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (is_unreserved(c))
            buf_add_char(out, (char)c);
        else
            buf_addf(out, "%%%02X", c);
    }
}

bool url_query_next(const char *query, size_t len, size_t *pos, struct url_param *out)
{
    const char *text, *end, *equals;

    if (*pos >= len)
        return false;
    text = query + *pos;
    end = memchr(text, '&', len - *pos);
    if (!end)
        end = query + len;
    *pos = (size_t)(end - query) + 1;
    equals = memchr(text, '=', (size_t)(end - text));
    *out = (struct url_param){.name = text, .value = end, .has_value = equals != NULL};
    out->name_len = (size_t)((equals ? equals : end) - text);
    if (equals) {
        out->value = equals + 1;
        out->value_len = (size_t)(end - equals) - 1;
    }
    return true;
}
