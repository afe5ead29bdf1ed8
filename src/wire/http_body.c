/* SPDX-License-Identifier: MIT */
/*
 * Finds the end of a body (RFC 9112 sections 6 and 7) and throws the body away: nobody here wants one, but where it
 * ends decides what is read as the next message.
 */
#include <syncer/wire/http_scan.h>

/* In bytes: a chunk-size line with its extensions; all extensions of a body, or one-byte chunks could carry a thousand
 * times what the body's limit allows; a whole trailer section. */
#define MAX_SIZE_LINE 1024
#define MAX_EXTENSIONS 8192
#define MAX_TRAILERS 8192

enum chunk_state {
    SIZE_FIRST, /* at least one hexadecimal digit */
    SIZE,
    EXT_BLANK, /* BWS before ';' */
    EXT_START, /* BWS before a name */
    EXT_NAME,
    EXT_EQUALS, /* BWS before '=', or before ';' where there is no value */
    EXT_VALUE,  /* BWS before a value */
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    NO_STATE, /* not what the grammar says */
};

void http_body_init(struct http_body *body, enum http_body_kind kind, uint64_t length, uint64_t limit)
{
    *body = (struct http_body){.kind = kind, .limit = limit, .state = SIZE_FIRST};
    if (kind == HTTP_BODY_LENGTH)
        body->left = length;
}

static enum http_progress bad(struct http_body *body, const char *why)
{
    body->error = why;
    return HTTP_BAD;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum http_progress over_limit(struct http_body *body)
{
    body->over_limit = true;
    return bad(body, "body larger than the limit");
}

/* What a size line leads to: a chunk's data or, after 0, the trailers. */
static enum http_progress end_size_line(struct http_body *body)
{
    if (body->left > body->limit - body->read)
        return over_limit(body);
    body->state = body->left > 0 ? DATA : TRAILER_START;
    body->line_len = 0;
    return HTTP_MORE;
}

/* Behind a size or an extension: the line's end, the next extension, or a blank, after which the state is `blank`. */
static enum chunk_state after_part(unsigned char c, enum chunk_state blank)
{
    if (c == '\r')
        return SIZE_LF;
    if (c == ';')
        return EXT_START;
    return c == ' ' || c == '\t' ? blank : NO_STATE;
}

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 section 7.1.1. */
static enum chunk_state extension_state(enum chunk_state state, unsigned char c)
{
    bool blank = c == ' ' || c == '\t', tchar = http_is_tchar(c);

    switch (state) {
    case EXT_BLANK:
        return blank ? EXT_BLANK : c == ';' ? EXT_START : NO_STATE;
    case EXT_START:
        return blank ? EXT_START : tchar ? EXT_NAME : NO_STATE;
    case EXT_NAME:
        return tchar ? EXT_NAME : c == '=' ? EXT_VALUE : after_part(c, EXT_EQUALS);
    case EXT_EQUALS:
        return blank ? EXT_EQUALS : c == '=' ? EXT_VALUE : c == ';' ? EXT_START : NO_STATE;
    case EXT_VALUE:
        return blank ? EXT_VALUE : c == '"' ? EXT_QUOTED : tchar ? EXT_TOKEN : NO_STATE;
    case EXT_TOKEN:
        return tchar ? EXT_TOKEN : after_part(c, EXT_BLANK);
    case EXT_QUOTED:
        if (c == '"' || c == '\\')
            return c == '"' ? EXT_QUOTED_END : EXT_ESCAPED;
        return http_is_field_vchar(c) ? EXT_QUOTED : NO_STATE;
    case EXT_ESCAPED:
        return http_is_field_vchar(c) ? EXT_QUOTED : NO_STATE;
    default: /* EXT_QUOTED_END */
        return after_part(c, EXT_BLANK);
    }
}

static enum http_progress extension_byte(struct http_body *body, unsigned char c)
{
    body->state = extension_state((enum chunk_state)body->state, c);
    if (body->state == NO_STATE)
        return bad(body, "bad chunk extension");
    if (++body->extensions > MAX_EXTENSIONS)
        return bad(body, "chunk extensions too long");
    return HTTP_MORE;
}

static enum http_progress size_byte(struct http_body *body, unsigned char c)
{
    int digit = hex_digit(c);

    if (++body->line_len > MAX_SIZE_LINE)
        return bad(body, "chunk-size line too long");
    if (body->state != SIZE_FIRST && body->state != SIZE)
        return extension_byte(body, c);
    if (digit >= 0) {
        if (body->left > UINT64_MAX >> 4)
            return bad(body, "chunk size too large");
        body->left = body->left << 4 | (unsigned)digit;
        body->state = SIZE;
        return HTTP_MORE;
    }
    body->state = body->state == SIZE ? after_part(c, EXT_BLANK) : NO_STATE;
    return body->state == NO_STATE ? bad(body, "chunk size is not hexadecimal") : HTTP_MORE;
}

static enum http_progress trailer_byte(struct http_body *body, unsigned char c)
{
    if (++body->trailers > MAX_TRAILERS)
        return bad(body, "trailer section too long");
    switch ((enum chunk_state)body->state) {
    case TRAILER_START:
        if (c == '\r')
            body->state = LAST_LF;
        else if (http_is_tchar(c))
            body->state = TRAILER_NAME;
        else
            return bad(body, "bad trailer line");
        return HTTP_MORE;
    case TRAILER_NAME:
        if (c == ':')
            body->state = TRAILER_VALUE;
        else if (!http_is_tchar(c))
            return bad(body, "bad trailer line");
        return HTTP_MORE;
    default: /* TRAILER_VALUE */
        if (c == '\r')
            body->state = TRAILER_LF;
        else if (!http_is_field_vchar(c))
            return bad(body, "bad trailer line");
        return HTTP_MORE;
    }
}

static enum http_progress line_feed(struct http_body *body, unsigned char c)
{
    enum chunk_state state = (enum chunk_state)body->state;

    if (c != '\n')
        return bad(body, "CR without LF");
    if (state == LAST_LF)
        return HTTP_DONE;
    if (state == SIZE_LF)
        return end_size_line(body);
    body->state = state == DATA_LF ? SIZE_FIRST : TRAILER_START;
    return HTTP_MORE;
}

static enum http_progress chunk_byte(struct http_body *body, unsigned char c)
{
    switch ((enum chunk_state)body->state) {
    case SIZE_LF:
    case DATA_LF:
    case TRAILER_LF:
    case LAST_LF:
        return line_feed(body, c);
    case DATA_CR:
        if (c != '\r')
            return bad(body, "chunk longer than its size says");
        body->state = DATA_LF;
        return HTTP_MORE;
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return trailer_byte(body, c);
    default: /* not DATA, which is not read a byte at a time: see skip_data() */
        return size_byte(body, c);
    }
}

static size_t skip_data(struct http_body *body, size_t len)
{
    size_t n = body->left < len ? (size_t)body->left : len;

    body->left -= n;
    body->read += n;
    return n;
}

static enum http_progress skip_chunked(struct http_body *body, const char *data, size_t len, size_t *used)
{
    enum http_progress progress = HTTP_MORE;

    while (*used < len && progress == HTTP_MORE) {
        if (body->state == DATA) {
            *used += skip_data(body, len - *used);
            if (body->left == 0)
                body->state = DATA_CR;
        } else {
            progress = chunk_byte(body, (unsigned char)data[(*used)++]);
        }
    }
    return progress;
}

enum http_progress http_body_skip(struct http_body *body, const char *data, size_t len, size_t *used)
{
    *used = 0;
    switch (body->kind) {
    case HTTP_BODY_NONE:
        return HTTP_DONE;
    case HTTP_BODY_CHUNKED:
        return skip_chunked(body, data, len, used);
    case HTTP_BODY_LENGTH:
        if (body->left > body->limit - body->read)
            return over_limit(body);
        *used = skip_data(body, len);
        return body->left == 0 ? HTTP_DONE : HTTP_MORE;
    case HTTP_BODY_UNTIL_CLOSE:
        break;
    }
    *used = len;
    body->read += len;
    return body->read > body->limit ? over_limit(body) : HTTP_MORE;
}
