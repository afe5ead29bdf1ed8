/* SPDX-License-Identifier: MIT */
/*
 * The parser of request heads, RFC 9112: pure, incremental, strict. The caller keeps all bytes of the head in one
 * buffer that may move and grow; each call looks only at bytes not yet seen, line by line, so a trickled head costs no
 * more than one that comes whole, and the result does not depend on how the bytes were cut. Any process.
 *
 * Refused as soon as it is certain, not when the head is complete: see enum http_request_error.
 */
#ifndef SYNCER_WIRE_HTTP_REQUEST_H
#define SYNCER_WIRE_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/wire/http_scan.h>

#define HTTP_REQUEST_MAX_FIELDS 100

struct http_request_limits {
    uint32_t line_bytes; /* request line; at least 8,000 (RFC 9112 section 3) */
    uint32_t head_bytes; /* request line and all field lines with their line ends */
    uint32_t fields;     /* <= HTTP_REQUEST_MAX_FIELDS */
};

/* Methods of RFC 9110 and RFC 5789; others are tokens we do not implement. */
enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_CONNECT,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_PATCH,
    HTTP_METHOD_OTHER,
};

enum http_request_error {
    HTTP_REQUEST_OK,
    HTTP_REQUEST_BAD_LINE,       /* 400 request line (HTTP/0.9 too) */
    HTTP_REQUEST_BAD_TARGET,     /* 400 bad target or escape */
    HTTP_REQUEST_BAD_VERSION,    /* 505 another major version */
    HTTP_REQUEST_LINE_TOO_LONG,  /* 414 */
    HTTP_REQUEST_HEAD_TOO_LARGE, /* 431 head_bytes or fields passed */
    HTTP_REQUEST_BAD_FIELD,      /* 400 grammar of a field line, obs-fold, blank before the colon, NUL, bare CR */
    HTTP_REQUEST_BAD_HOST,       /* 400 none in 1.1, two, or not a uri-host with port */
    HTTP_REQUEST_BAD_LENGTH,     /* 400 Content-Length: two, not digits, overflow */
    HTTP_REQUEST_BAD_CODING,     /* 400 Transfer-Encoding with Content-Length, in 1.0, twice, chunked not last */
    HTTP_REQUEST_UNKNOWN_CODING, /* 501 a transfer coding other than chunked */
    HTTP_REQUEST_ERRORS
};

struct http_request_error_info {
    int status;         /* the answer's status */
    const char *reason; /* what is wrong and what would be right, for the problem document; a literal */
};
/* The table parser error -> HTTP status. */
extern const struct http_request_error_info http_request_errors[HTTP_REQUEST_ERRORS];

struct http_request {
    /* the scanner's own */
    uint32_t scanned;    /* bytes already searched for a line end */
    uint32_t line_start; /* of the line being collected */
    bool line_done;      /* the request line is parsed */

    /* valid after HTTP_DONE; after HTTP_BAD as far as it was read (`minor` and `method` for the answer) */
    enum http_request_error error;
    enum http_method method;
    uint8_t minor; /* 0 or 1; 1.2-1.9 count as 1 */
    struct slice method_name;
    struct slice target; /* as sent */
    struct slice path;   /* of the target, origin or absolute form, still escaped; "*" for OPTIONS *;
                                  * empty (as good as "/") in "http://host" and CONNECT */
    struct slice query;  /* without "?"; len 0 and off 0 = none */
    uint32_t n_fields;
    struct http_field fields[HTTP_REQUEST_MAX_FIELDS];
    struct slice host; /* with its port: of the target where it names one, else of the Host field;
                                  * empty only in HTTP/1.0 without Host */
    bool has_length, chunked;
    uint64_t content_length;
    bool keep_alive;      /* what version and Connection ask for */
    bool expect_continue; /* Expect: 100-continue, HTTP/1.1 only */
    uint32_t head_bytes;  /* where the body, or the next request, begins */
};

/* Before each request of a connection. */
void http_request_init(struct http_request *req);

/* `data`, `len`: all bytes of this request so far, starting at its first (up to one empty line, CRLF, before the
 * request line is skipped, RFC 9112 section 2.2; it counts in head_bytes). Not called again after DONE or BAD. */
enum http_progress http_request_parse(struct http_request *req, const char *data, size_t len,
                                      const struct http_request_limits *limits);

/* The value of field `lower` and how often it occurs: 0, 1, 2 = more. The first one's value in *value. */
unsigned http_request_field(const struct http_request *req, const char *data, const char *lower, struct slice *value);

/* "GET", or NULL for HTTP_METHOD_OTHER. */
const char *http_method_name(enum http_method method);

#endif
