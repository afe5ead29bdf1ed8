/* SPDX-License-Identifier: MIT */
/*
 * A pod's answer to a probe. Where a proxy would be lenient this is not: an answer that can be read in two ways must
 * not count as a 200. The body is skipped by http_body.c.
 */
#include <string.h>

#include <syncer/wire/http_response.h>

void http_response_init(struct http_response *resp, uint64_t body_limit)
{
    *resp = (struct http_response){.body_limit = body_limit};
}

static enum http_progress bad(struct http_response *resp, const char *why)
{
    resp->error = why;
    resp->keep_alive = false;
    return HTTP_BAD;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ], RFC 9112 section 4. The blank before an empty reason
 * is left out by some servers: no danger in that. */
static enum http_progress take_status_line(struct http_response *resp, const char *text, size_t len)
{
    if (len < 12 || memcmp(text, "HTTP/1.", 7) != 0 || !is_digit(text[7]) || text[8] != ' ')
        return bad(resp, "no HTTP/1 status line");
    if (!is_digit(text[9]) || !is_digit(text[10]) || !is_digit(text[11]) || (len > 12 && text[12] != ' '))
        return bad(resp, "bad status code");
    resp->minor = text[7] == '0' ? 0 : 1;
    resp->status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    if (resp->status < 100 || resp->status > 599)
        return bad(resp, "bad status code");
    for (size_t i = 12; i < len; i++)
        if (!http_is_field_vchar((unsigned char)text[i]))
            return bad(resp, "control character in the status line");
    if (resp->status == 101)
        return bad(resp, "switches protocols, which nobody asked for");
    resp->keep_alive = resp->minor > 0;
    resp->line_done = true;
    return HTTP_MORE;
}

#define LITERAL(text) (text), sizeof(text) - 1

/* Most names differ in length already. */
static bool is_named(const char *data, const struct http_field *field, const char *lower, size_t len)
{
    return field->name.len == len && http_name_is(data, field->name, lower);
}

static enum http_progress take_field(struct http_response *resp, const char *data, struct slice line)
{
    struct http_field field;

    if (!http_parse_field(data, line, &field))
        return bad(resp, "bad header line");
    if (is_named(data, &field, LITERAL("content-length"))) {
        if (resp->has_length)
            return bad(resp, "two Content-Length headers");
        if (http_parse_length(data + field.value.off, field.value.len, &resp->content_length) != 0)
            return bad(resp, "bad Content-Length");
        resp->has_length = true;
    } else if (is_named(data, &field, LITERAL("transfer-encoding"))) {
        resp->coding = http_coding_add(resp->coding, data, field.value);
    } else if (is_named(data, &field, LITERAL("connection")) && http_list_has(data, field.value, "close")) {
        resp->keep_alive = false;
    }
    return HTTP_MORE;
}

/* How the body ends, RFC 9112 section 6.3. */
static enum http_progress end_head(struct http_response *resp)
{
    enum http_body_kind kind = HTTP_BODY_UNTIL_CLOSE;

    if (resp->coding != HTTP_CODING_NONE && (resp->has_length || resp->minor == 0))
        return bad(resp, "Transfer-Encoding with Content-Length, or in HTTP/1.0");
    if (resp->coding != HTTP_CODING_NONE && resp->coding != HTTP_CODING_CHUNKED)
        return bad(resp, "a transfer coding other than chunked");
    if (resp->status == 204 || resp->status == 304)
        kind = HTTP_BODY_NONE;
    else if (resp->coding == HTTP_CODING_CHUNKED)
        kind = HTTP_BODY_CHUNKED;
    else if (resp->has_length)
        kind = HTTP_BODY_LENGTH;
    if (kind == HTTP_BODY_UNTIL_CLOSE)
        resp->keep_alive = false;
    resp->head_done = true;
    http_body_init(&resp->body, kind, resp->content_length, resp->body_limit);
    return HTTP_MORE;
}

/* The head of an interim answer is over: the next one begins (RFC 9110 section 15.2). It has no body, so a length is a
 * lie (RFC 9110 section 8.6): what is read as the final answer could be a body to somebody else. */
static enum http_progress end_interim(struct http_response *resp)
{
    uint32_t interim = resp->interim + 1;

    if (resp->has_length || resp->coding != HTTP_CODING_NONE)
        return bad(resp, "interim answer with a body");
    if (interim > HTTP_RESPONSE_MAX_INTERIM)
        return bad(resp, "too many interim answers");
    http_response_init(resp, resp->body_limit);
    resp->interim = interim;
    return HTTP_MORE;
}

static enum http_progress take_line(struct http_response *resp, const char *data, struct slice line)
{
    if (!resp->line_done)
        return take_status_line(resp, data + line.off, line.len);
    if (line.len > 0)
        return take_field(resp, data, line);
    return resp->status < 200 ? end_interim(resp) : end_head(resp);
}

/* The line that ends with the LF at `lf`: its length without CR LF. False if a CR or the LF stands alone. */
static bool take_eol(const char *data, uint32_t lf, struct slice *line)
{
    if (lf == line->off || data[lf - 1] != '\r')
        return false;
    line->len = lf - 1 - line->off;
    return !memchr(data + line->off, '\r', line->len);
}

/* Reads head lines from `data`, which begins with this head's first byte. *used tells of an interim head that is over:
 * then scanned is 0 again. */
static enum http_progress read_head(struct http_response *resp, const char *data, size_t len, size_t *used)
{
    uint32_t end = len < HTTP_RESPONSE_MAX_HEAD_BYTES ? (uint32_t)len : HTTP_RESPONSE_MAX_HEAD_BYTES;

    while (resp->scanned < end) {
        const char *lf = memchr(data + resp->scanned, '\n', end - resp->scanned);
        uint32_t at = lf ? (uint32_t)(lf - data) : end;
        struct slice line = {.off = resp->line_start};

        resp->scanned = lf ? at + 1 : end;
        if (!lf)
            break;
        if (!take_eol(data, at, &line))
            return bad(resp, "CR or LF alone in the header");
        resp->line_start = resp->scanned;
        if (take_line(resp, data, line) == HTTP_BAD)
            return HTTP_BAD;
        if (resp->head_done || resp->scanned == 0) {
            *used = at + 1;
            return HTTP_MORE;
        }
    }
    return len > HTTP_RESPONSE_MAX_HEAD_BYTES ? bad(resp, "header larger than the limit") : HTTP_MORE;
}

enum http_progress http_response_parse(struct http_response *resp, const char *data, size_t len, size_t *used)
{
    enum http_progress progress;
    size_t part;

    *used = 0;
    while (!resp->head_done) {
        part = 0;
        if (read_head(resp, data + *used, len - *used, &part) == HTTP_BAD)
            return HTTP_BAD;
        *used += part;
        if (part == 0)
            return HTTP_MORE;
    }
    progress = http_body_skip(&resp->body, data + *used, len - *used, &part);
    *used += part;
    return progress == HTTP_BAD ? bad(resp, resp->body.error) : progress;
}

enum http_progress http_response_end(struct http_response *resp)
{
    if (resp->head_done && resp->body.kind == HTTP_BODY_UNTIL_CLOSE)
        return HTTP_DONE;
    if (resp->scanned == 0 && resp->interim == 0)
        return bad(resp, "closed before an answer");
    return bad(resp, "closed within the answer");
}
