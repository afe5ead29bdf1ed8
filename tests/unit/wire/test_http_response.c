/* SPDX-License-Identifier: MIT */
/* A pod's answer: what counts as whole, and what must never count as a 200. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include <syncer/base/macros.h>
#include <syncer/wire/http_response.h>

#include "guarded.h"

TestSuite(http_response, .timeout = 30);

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *text;
    enum http_progress progress;
    int status;
    bool keep;
    size_t surplus; /* bytes left behind the answer */
} cases[] = {
    {OK "Content-Length: 0\r\n\r\n", HTTP_DONE, 200, true, 0},
    {OK "Content-Length: 2\r\n\r\nab", HTTP_DONE, 200, true, 0},
    {OK "Content-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n", HTTP_DONE, 200, true, 17},
    {OK "Content-Length: 3\r\n\r\nab", HTTP_MORE, 200, true, 0},
    {OK "content-length: 0\r\nConnection: close\r\n\r\n", HTTP_DONE, 200, false, 0},
    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_DONE, 200, false, 0},
    {"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", HTTP_DONE, 401, true, 0},
    {"HTTP/1.1 204\r\nContent-Length: 9\r\n\r\n", HTTP_DONE, 204, true, 0},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", HTTP_DONE, 304, true, 0},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n" OK "Content-Length: 0\r\n\r\n", HTTP_DONE,
     200, true, 0},
    {OK "\r\nbody until close", HTTP_MORE, 200, false, 0},
    {"HTTP/1.1 101 Switching\r\n\r\n", HTTP_BAD, 101, false, 0},
    {OK "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", HTTP_BAD, 0, false, 0},
    {OK "Content-Length: -1\r\n\r\n", HTTP_BAD, 0, false, 0},
    {OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD, 0, false, 0},
    {OK "Transfer-Encoding: gzip\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BAD, 0, false, 0},
    {OK "Content-Length: 99999\r\n\r\n", HTTP_BAD, 0, false, 0},
    {OK "Content-Length : 0\r\n\r\n", HTTP_BAD, 0, false, 0},
    {OK "Content-Length: 0\n\r\n", HTTP_BAD, 0, false, 0},
    {OK " fold\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/2 200 OK\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.1 2000\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.1 20\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.1 099 x\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.1 600 x\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"ICY 200 OK\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"\r\n" OK "\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.1 200\tOK\r\nContent-Length: 0\r\n\r\n", HTTP_BAD, 0, false, 0},
    {OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", HTTP_BAD, 0, false, 0},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.1 100 C\r\nContent-Length: 19\r\n\r\n" OK "\r\n", HTTP_BAD, 0, false, 0},
    {"HTTP/1.1 103 C\r\nTransfer-Encoding: chunked\r\n\r\n" OK "\r\n", HTTP_BAD, 0, false, 0},
    {OK "Transfer-Encoding: chunked\r\n\r\n1\r\nab", HTTP_BAD, 0, false, 0},
};

/* As the caller must: what was not used comes again in front of what is new. */
static enum http_progress feed(struct http_response *resp, const char *text, size_t len, size_t cut, size_t *used)
{
    enum http_progress progress = http_response_parse(resp, guarded(text, cut), cut, used);
    size_t more = 0;

    if (progress != HTTP_MORE)
        return progress;
    progress = http_response_parse(resp, guarded(text + *used, len - *used), len - *used, &more);
    *used += more;
    return progress;
}

/* One byte more each time. */
static enum http_progress trickle(struct http_response *resp, const char *text, size_t len, size_t *used)
{
    enum http_progress progress = HTTP_MORE;

    for (size_t end = 1; end <= len && progress == HTTP_MORE; end++) {
        size_t more = 0;

        progress = http_response_parse(resp, guarded(text + *used, end - *used), end - *used, &more);
        *used += more;
    }
    return progress;
}

Test(http_response, rules_byte_by_byte)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = strlen(cases[i].text), used = 0;
        struct http_response resp;

        http_response_init(&resp, 16384);
        cr_expect_eq(trickle(&resp, cases[i].text, len, &used), cases[i].progress, "case %zu", i);
        if (cases[i].progress == HTTP_BAD)
            continue;
        cr_expect(resp.status == cases[i].status && resp.keep_alive == cases[i].keep, "case %zu", i);
        cr_expect_eq(len - used, cases[i].surplus, "case %zu: used %zu", i, used);
    }
}

Test(http_response, rules_however_cut)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = strlen(cases[i].text);

        for (size_t cut = 0; cut <= len; cut++) {
            struct http_response resp;
            size_t used = 0;

            http_response_init(&resp, 16384);
            cr_expect_eq(feed(&resp, cases[i].text, len, cut, &used), cases[i].progress, "case %zu cut %zu", i, cut);
            if (cases[i].progress == HTTP_BAD) {
                cr_expect(resp.error && !resp.keep_alive, "case %zu", i);
                continue;
            }
            cr_expect_eq(resp.status, cases[i].status, "case %zu: %d", i, resp.status);
            cr_expect_eq(resp.keep_alive, cases[i].keep, "case %zu", i);
            cr_expect_eq(len - used, cases[i].surplus, "case %zu cut %zu: used %zu", i, cut, used);
        }
    }
}

Test(http_response, end_of_the_connection)
{
    struct http_response resp;
    size_t used;

    http_response_init(&resp, 100);
    cr_assert_eq(http_response_end(&resp), HTTP_BAD);
    http_response_init(&resp, 100);
    http_response_parse(&resp, OK "\r\nabc", 22, &used);
    cr_assert_eq(http_response_end(&resp), HTTP_DONE);
    http_response_init(&resp, 100);
    http_response_parse(&resp, OK "Content-Length: 5\r\n\r\nabc", 41, &used);
    cr_assert_eq(http_response_end(&resp), HTTP_BAD);
    http_response_init(&resp, 100);
    http_response_parse(&resp, OK, 17, &used);
    cr_assert_eq(http_response_end(&resp), HTTP_BAD);
}

Test(http_response, heads_and_interims_are_bounded)
{
    static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
    struct http_response resp;
    size_t used, len = HTTP_RESPONSE_MAX_HEAD_BYTES + 100;
    char *text = malloc(len), many[sizeof(interim) * 6] = "";

    cr_assert_not_null(text);
    memset(text, 'a', len);
    memcpy(text, OK "x:", 19);
    http_response_init(&resp, 100);
    cr_assert_eq(http_response_parse(&resp, text, len, &used), HTTP_BAD);
    for (int i = 0; i < 5; i++)
        strcat(many, interim);
    http_response_init(&resp, 100);
    cr_assert_eq(http_response_parse(&resp, many, strlen(many), &used), HTTP_BAD);
    free(text);
}
