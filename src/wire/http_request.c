/* SPDX-License-Identifier: MIT */
/*
 * The request head. Bytes are looked at once, in order, and every error belongs to the byte at which it is certain, so
 * that the result can't depend on how the bytes were cut. Targets and hosts are read by http_target.c.
 */
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/base/must.h>
#include <syncer/wire/http_request.h>

#include "http_target.h"

const struct http_request_error_info http_request_errors[HTTP_REQUEST_ERRORS] = {
    [HTTP_REQUEST_OK] = {200, ""},
    [HTTP_REQUEST_BAD_LINE] = {400, "the request line should be METHOD TARGET HTTP/1.1, with single blanks and CRLF"},
    [HTTP_REQUEST_BAD_TARGET] = {400, "the request target is not a valid URI path, or has a bad escape"},
    [HTTP_REQUEST_BAD_VERSION] = {505, "the protocol version should be HTTP/1.1 or HTTP/1.0"},
    [HTTP_REQUEST_LINE_TOO_LONG] = {414, "the request line is too long"},
    [HTTP_REQUEST_HEAD_TOO_LARGE] = {431, "the header fields are too large or too many"},
    [HTTP_REQUEST_BAD_FIELD] = {400, "a header line should be NAME: VALUE, without folding, control characters or a "
                                     "blank before the colon, ended by CRLF"},
    [HTTP_REQUEST_BAD_HOST] = {400, "there should be exactly one valid Host header"},
    [HTTP_REQUEST_BAD_LENGTH] = {400, "Content-Length should be one line of digits"},
    [HTTP_REQUEST_BAD_CODING] = {400, "Transfer-Encoding should be chunked, once, in HTTP/1.1, without Content-Length"},
    [HTTP_REQUEST_UNKNOWN_CODING] = {501, "the only transfer coding understood is chunked"},
};

static const char *const method_names[HTTP_METHOD_OTHER] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_DELETE] = "DELETE", [HTTP_CONNECT] = "CONNECT",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_TRACE] = "TRACE",   [HTTP_PATCH] = "PATCH",
};

const char *http_method_name(enum http_method method)
{
    return method < HTTP_METHOD_OTHER ? method_names[method] : NULL;
}

void http_request_init(struct http_request *req)
{
    /* The fields array is set as far as n_fields says: clearing its 1.6 KB each time would cost more than parsing. */
    memset(req, 0, offsetof(struct http_request, fields));
    memset(&req->host, 0, sizeof(*req) - offsetof(struct http_request, host));
    req->method = HTTP_METHOD_OTHER;
    req->minor = 1;
}

static enum http_method find_method(const char *data, struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(method_names); i++)
        if (strlen(method_names[i]) == name.len && memcmp(data + name.off, method_names[i], name.len) == 0)
            return (enum http_method)i;
    return HTTP_METHOD_OTHER;
}

/* "HTTP/1.1": case-sensitive (RFC 9112 section 2.3). */
static enum http_request_error parse_version(const char *text, size_t len, struct http_request *req)
{
    bool digits;

    if (len != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.')
        return HTTP_REQUEST_BAD_LINE;
    digits = text[5] >= '0' && text[5] <= '9' && text[7] >= '0' && text[7] <= '9';
    if (!digits || text[5] == '0')
        return HTTP_REQUEST_BAD_LINE;
    if (text[5] != '1')
        return HTTP_REQUEST_BAD_VERSION;
    req->minor = text[7] == '0' ? 0 : 1;
    return HTTP_REQUEST_OK;
}

static enum http_request_error parse_request_line(struct http_request *req, const char *data, struct slice line)
{
    const char *text = data + line.off, *end = text + line.len, *target, *version;
    enum http_request_error error;

    for (target = text; target < end && http_is_tchar((unsigned char)*target); target++)
        continue;
    if (target == text || target == end || *target != ' ')
        return HTTP_REQUEST_BAD_LINE;
    req->method_name = (struct slice){.off = line.off, .len = (uint32_t)(target - text)};
    req->method = find_method(data, req->method_name);
    target++;
    version = memchr(target, ' ', (size_t)(end - target));
    if (!version || version == target)
        return HTTP_REQUEST_BAD_LINE;
    error = parse_version(version + 1, (size_t)(end - version) - 1, req);
    if (error != HTTP_REQUEST_OK)
        return error;
    req->target = (struct slice){.off = (uint32_t)(target - data), .len = (uint32_t)(version - target)};
    return http_parse_target(data, req->target, req) ? HTTP_REQUEST_OK : HTTP_REQUEST_BAD_TARGET;
}

unsigned http_request_field(const struct http_request *req, const char *data, const char *lower, struct slice *value)
{
    unsigned found = 0;

    for (uint32_t i = 0; i < req->n_fields && found < 2; i++) {
        if (!http_name_is(data, req->fields[i].name, lower))
            continue;
        if (found++ == 0)
            *value = req->fields[i].value;
    }
    return found;
}

static enum http_request_error check_host(struct http_request *req, const char *data)
{
    struct slice host = {0};
    unsigned n = http_request_field(req, data, "host", &host);

    if (n > 1 || (n == 0 && req->minor > 0))
        return HTTP_REQUEST_BAD_HOST;
    if (n == 1 && !http_is_host(data + host.off, host.len))
        return HTTP_REQUEST_BAD_HOST;
    if (req->host.len == 0) /* else the target named one, which wins: RFC 9112 section 3.2.2 */
        req->host = host;
    return HTTP_REQUEST_OK;
}

/* RFC 9112 section 6: any doubt about where the body ends is an error, since a proxy before us may have another view. */
static enum http_request_error check_framing(struct http_request *req, const char *data)
{
    enum http_coding coding = HTTP_CODING_NONE;
    struct slice value = {0};
    unsigned lengths = http_request_field(req, data, "content-length", &value);

    if (lengths > 1 || (lengths == 1 && http_parse_length(data + value.off, value.len, &req->content_length) != 0))
        return HTTP_REQUEST_BAD_LENGTH;
    req->has_length = lengths == 1;
    for (uint32_t i = 0; i < req->n_fields; i++)
        if (http_name_is(data, req->fields[i].name, "transfer-encoding"))
            coding = http_coding_add(coding, data, req->fields[i].value);
    if (coding == HTTP_CODING_NONE)
        return HTTP_REQUEST_OK;
    if (req->has_length || req->minor == 0 || coding == HTTP_CODING_BAD)
        return HTTP_REQUEST_BAD_CODING;
    if (coding == HTTP_CODING_OTHER)
        return HTTP_REQUEST_UNKNOWN_CODING;
    req->chunked = true;
    return HTTP_REQUEST_OK;
}

/* Connection and Expect, RFC 9110 sections 7.6.1 and 10.1.1. */
static void read_options(struct http_request *req, const char *data)
{
    bool close = false, keep = false;

    for (uint32_t i = 0; i < req->n_fields; i++) {
        const struct http_field *field = &req->fields[i];

        if (http_name_is(data, field->name, "connection")) {
            close = close || http_list_has(data, field->value, "close");
            keep = keep || http_list_has(data, field->value, "keep-alive");
        } else if (http_name_is(data, field->name, "expect")) {
            /* To be ignored from a 1.0 client, which knows no interim answers. */
            if (req->minor > 0 && http_list_has(data, field->value, "100-continue"))
                req->expect_continue = true;
        }
    }
    req->keep_alive = !close && (req->minor > 0 || keep);
}

static enum http_request_error finish(struct http_request *req, const char *data)
{
    enum http_request_error error = check_host(req, data);

    if (error == HTTP_REQUEST_OK)
        error = check_framing(req, data);
    if (error == HTTP_REQUEST_OK)
        read_options(req, data);
    return error;
}

/* A complete line, without its CRLF. HTTP_DONE after the empty line that ends the head. */
static enum http_progress take_line(struct http_request *req, const char *data, struct slice line,
                                    const struct http_request_limits *limits)
{
    if (!req->line_done) {
        if (line.len == 0 && line.off == 0)
            return HTTP_MORE; /* one empty line before the request line, RFC 9112 section 2.2 */
        req->error = parse_request_line(req, data, line);
        req->line_done = true;
    } else if (line.len == 0) {
        req->error = finish(req, data);
        return req->error == HTTP_REQUEST_OK ? HTTP_DONE : HTTP_BAD;
    } else if (req->n_fields == limits->fields) {
        req->error = HTTP_REQUEST_HEAD_TOO_LARGE;
    } else if (http_parse_field(data, line, &req->fields[req->n_fields])) {
        req->n_fields++;
    } else {
        req->error = HTTP_REQUEST_BAD_FIELD;
    }
    return req->error == HTTP_REQUEST_OK ? HTTP_MORE : HTTP_BAD;
}

/* What is wrong with byte `at`, if anything is certain from it and the bytes before it. */
static enum http_request_error check_byte(const struct http_request *req, const char *data, uint32_t at,
                                          const struct http_request_limits *limits)
{
    char c = data[at], before = at > req->line_start ? data[at - 1] : '\0';
    uint32_t line_end = c == '\r' ? 1 : c == '\n' ? 2 : 0; /* the line end does not count as the line's */

    if (!req->line_done && at - req->line_start >= limits->line_bytes + line_end)
        return HTTP_REQUEST_LINE_TOO_LONG;
    if (at >= limits->head_bytes)
        return HTTP_REQUEST_HEAD_TOO_LARGE;
    /* CR and LF only together: RFC 9112 section 2.2 lets a server take LF alone, but not all proxies do, and where two
     * parsers see different lines requests are smuggled. No other control character but HTAB in field values. */
    if ((c == '\n') == (before == '\r') && (c == '\n' || c == '\r' || http_is_field_vchar((unsigned char)c)))
        return HTTP_REQUEST_OK;
    return req->line_done ? HTTP_REQUEST_BAD_FIELD : HTTP_REQUEST_BAD_LINE;
}

/* Where the bytes end that stand for themselves, which are nearly all: those that check_byte() would find right one by one.
 * Behind a CR there are none. */
static uint32_t skip_plain(const struct http_request *req, const char *data, size_t len,
                           const struct http_request_limits *limits)
{
    uint32_t at = req->scanned;
    size_t end = req->line_done ? limits->head_bytes : req->line_start + limits->line_bytes;

    if (end > len)
        end = len;
    if (at >= end || (at > req->line_start && data[at - 1] == '\r'))
        return at;
    return at + (uint32_t)http_field_vchars(data + at, end - at);
}

enum http_progress http_request_parse(struct http_request *req, const char *data, size_t len,
                                      const struct http_request_limits *limits)
{
    enum http_progress progress = HTTP_MORE;

    must(limits->fields <= HTTP_REQUEST_MAX_FIELDS && limits->head_bytes >= limits->line_bytes + 4);
    while (progress == HTTP_MORE) {
        uint32_t at = skip_plain(req, data, len, limits);

        req->scanned = at;
        if (at == len)
            break;
        req->error = check_byte(req, data, at, limits);
        req->scanned++;
        if (req->error != HTTP_REQUEST_OK) {
            progress = HTTP_BAD;
        } else if (data[at] == '\n') {
            struct slice line = {.off = req->line_start, .len = at - 1 - req->line_start};

            progress = take_line(req, data, line, limits);
            req->line_start = req->scanned;
        }
    }
    req->head_bytes = req->scanned;
    return progress;
}
