/* SPDX-License-Identifier: MIT */
/* Request targets (RFC 9112 section 3.2) and hosts (RFC 3986 section 3.2.2), by their grammar and nothing laxer. */
#include <string.h>

#include <syncer/base/addr.h>
#include <syncer/base/macros.h>

#include "http_target.h"

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* unreserved or sub-delims, or one of `more`. */
static bool is_uri_char(char c, const char *more)
{
    return c != '\0' && (is_alnum(c) || strchr("-._~!$&'()*+,;=", c) || strchr(more, c));
}

/* Only URI characters, those of `more`, and whole escapes. */
static bool is_uri_text(const char *text, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%') {
            if (len - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))
                return false;
            i += 2;
        } else if (!is_uri_char(text[i], more)) {
            return false;
        }
    }
    return true;
}

/* 0 to 65535, or nothing: "host:" is a host with an empty port. */
static bool is_port(const char *text, size_t len)
{
    uint64_t port = 0;

    return len == 0 || (http_parse_length(text, len, &port) == 0 && port <= 65535);
}

bool http_is_host(const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t host = colon ? (size_t)(colon - text) : len;

    if (len > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', len);
        struct addr addr;

        if (!bracket || addr_parse(&addr, text + 1, (size_t)(bracket - text) - 1) != 0 ||
            !memchr(text, ':', (size_t)(bracket - text)))
            return false;
        host = (size_t)(bracket - text) + 1;
        if (host < len && text[host] != ':')
            return false;
    } else if (host == 0 || !is_uri_text(text, host, "")) {
        return false;
    }
    return host == len || is_port(text + host + 1, len - host - 1);
}

/* Path and query from `off` on. */
static bool parse_path(const char *data, uint32_t off, uint32_t len, struct http_request *req)
{
    const char *mark = memchr(data + off, '?', len);
    uint32_t path = mark ? (uint32_t)(mark - (data + off)) : len;

    req->path = (struct slice){.off = off, .len = path};
    if (mark)
        req->query = (struct slice){.off = off + path + 1, .len = len - path - 1};
    return is_uri_text(data + off, path, ":@/") && (!mark || is_uri_text(mark + 1, len - path - 1, ":@/?"));
}

/* "http://host/path": what a proxy is asked, and servers have to understand too (RFC 9112 section 3.2.2). */
static bool parse_absolute(const char *data, struct slice target, struct http_request *req)
{
    static const char *const schemes[] = {"http://", "https://"};
    uint32_t skip = 0, host = 0;

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        uint32_t len = (uint32_t)strlen(schemes[i]);

        if (target.len >= len && http_name_is(data, (struct slice){target.off, len}, schemes[i]))
            skip = len;
    }
    if (skip == 0)
        return false;
    while (skip + host < target.len && !strchr("/?", data[target.off + skip + host]))
        host++;
    if (!http_is_host(data + target.off + skip, host))
        return false;
    req->host = (struct slice){.off = target.off + skip, .len = host};
    skip += host;
    return parse_path(data, target.off + skip, target.len - skip, req);
}

bool http_parse_target(const char *data, struct slice target, struct http_request *req)
{
    char first = data[target.off];

    if (req->method == HTTP_CONNECT) { /* authority-form, with a port */
        const char *text = data + target.off;

        req->host = target;
        req->path = (struct slice){.off = target.off};
        return http_is_host(text, target.len) && text[target.len - 1] != ':' && text[target.len - 1] != ']' &&
               memchr(text, ':', target.len);
    }
    if (first == '/')
        return parse_path(data, target.off, target.len, req);
    if (first == '*' && target.len == 1) {
        req->path = target;
        return req->method == HTTP_OPTIONS;
    }
    return parse_absolute(data, target, req);
}
