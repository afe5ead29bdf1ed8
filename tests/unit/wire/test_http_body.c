/* SPDX-License-Identifier: MIT */
/* Where bodies end. */
#include <criterion/criterion.h>

#include <syncer/base/macros.h>
#include <syncer/wire/http_scan.h>

#include "guarded.h"

TestSuite(http_body, .timeout = 30);

static const struct {
    const char *text;
    enum http_progress progress;
    size_t used; /* for HTTP_DONE */
} chunked[] = {
    {"0\r\n\r\nGET", HTTP_DONE, 5},
    {"3\r\nabc\r\n0\r\n\r\n", HTTP_DONE, 13},
    {"a;x=y\r\n0123456789\r\n00\r\nT: v\r\n\r\nrest", HTTP_DONE, 31},
    {"3 ; x\r\nabc\r\n0\r\n\r\n", HTTP_DONE, 17},
    {"3\r\nabc\r\n0\r\n", HTTP_MORE, 0},
    {"", HTTP_MORE, 0},
    {"\r\n", HTTP_BAD, 0},
    {"0x3\r\nabc", HTTP_BAD, 0},
    {"-1\r\n", HTTP_BAD, 0},
    {"3 \r\nabc", HTTP_BAD, 0},
    {"3;\r\nabc", HTTP_BAD, 0},
    {"3;a;b=c;d=\"e\\\"\t;f\" ;\tg = h\r\nabc\r\n0;z\r\n\r\n", HTTP_DONE, 40},
    {"3;;\r\nabc", HTTP_BAD, 0},
    {"3;a;\r\nabc", HTTP_BAD, 0},
    {"3;a=\r\nabc", HTTP_BAD, 0},
    {"3;a=b \r\nabc", HTTP_BAD, 0},
    {"3;a b\r\nabc", HTTP_BAD, 0},
    {"3;a=\"b\r\nabc", HTTP_BAD, 0},
    {"3;a=\"b\"c\r\nabc", HTTP_BAD, 0},
    {"3;a=\"b\x01\"\r\nabc", HTTP_BAD, 0},
    {"3;a\nabc\r\n", HTTP_BAD, 0},
    {"3\nabc", HTTP_BAD, 0},
    {"3\r\nabcd\r\n", HTTP_BAD, 0},
    {"3\r\nab\r\n0\r\n\r\n", HTTP_BAD, 0},
    {"3\r\nabc\n0\r\n\r\n", HTTP_BAD, 0},
    {"fffffffffffffffff\r\n", HTTP_BAD, 0},
    {"ffffffffffffffff\r\n", HTTP_BAD, 0}, /* beyond the limit */
    {"0\r\nT : v\r\n\r\n", HTTP_BAD, 0},
    {"0\r\n v\r\n\r\n", HTTP_BAD, 0},
    {"0\r\n: v\r\n\r\n", HTTP_BAD, 0},
    {"0\r\nT\r\n\r\n", HTTP_BAD, 0},
    {"0\r\nT:\r\n v\r\n\r\n", HTTP_BAD, 0},
    {"0\r\nT: v\n\r\n", HTTP_BAD, 0},
    {"0\r\nT: a\x01\r\n\r\n", HTTP_BAD, 0},
};

static enum http_progress skip(struct http_body *body, const char *text, size_t len, size_t cut, size_t *used)
{
    enum http_progress progress = http_body_skip(body, guarded(text, cut), cut, used);
    size_t more = 0;

    if (progress != HTTP_MORE)
        return progress;
    cr_assert_eq(*used, cut);
    progress = http_body_skip(body, guarded(text + cut, len - cut), len - cut, &more);
    *used += more;
    return progress;
}

Test(http_body, chunked_however_cut)
{
    for (size_t i = 0; i < ARRAY_LEN(chunked); i++) {
        size_t len = strlen(chunked[i].text);

        for (size_t cut = 0; cut <= len; cut++) {
            struct http_body body;
            size_t used = 0;

            http_body_init(&body, HTTP_BODY_CHUNKED, 0, 4096);
            cr_expect_eq(skip(&body, chunked[i].text, len, cut, &used), chunked[i].progress, "case %zu cut %zu", i,
                         cut);
            if (chunked[i].progress == HTTP_DONE)
                cr_expect_eq(used, chunked[i].used, "case %zu: used %zu", i, used);
        }
    }
}

/* Feeds `unit` until the body is done or bad; false if that takes more than `max` bytes. */
static bool ends_within(struct http_body *body, const char *unit, size_t max)
{
    size_t used, fed = 0;

    while (fed < max) {
        if (http_body_skip(body, unit, strlen(unit), &used) == HTTP_BAD)
            return true;
        fed += used;
    }
    return false;
}

Test(http_body, nothing_is_endless)
{
    struct http_body body;
    size_t used;

    http_body_init(&body, HTTP_BODY_CHUNKED, 0, 4096);
    cr_assert(ends_within(&body, "1\r\na\r\n", 8 * 4096));
    http_body_init(&body, HTTP_BODY_CHUNKED, 0, 4096);
    cr_assert(ends_within(&body, "0", 4096)); /* a size of many zeros */
    http_body_init(&body, HTTP_BODY_CHUNKED, 0, 1 << 20);
    cr_assert(ends_within(&body, "1;name=value;name=value\r\na\r\n", 16384));
    http_body_init(&body, HTTP_BODY_CHUNKED, 0, 4096);
    http_body_skip(&body, "1;a=\"", 5, &used);
    cr_assert(ends_within(&body, "\\\"", 4096));
    http_body_init(&body, HTTP_BODY_CHUNKED, 0, 4096);
    http_body_skip(&body, "0\r\n", 3, &used);
    cr_assert(ends_within(&body, "T: v\r\n", 16384));
    http_body_init(&body, HTTP_BODY_UNTIL_CLOSE, 0, 4096);
    cr_assert(ends_within(&body, "aaaaaaaa", 8192));
    http_body_init(&body, HTTP_BODY_LENGTH, 5000, 4096);
    cr_assert(ends_within(&body, "a", 1));
}

Test(http_body, length)
{
    struct http_body body;
    size_t used;

    http_body_init(&body, HTTP_BODY_LENGTH, 5, 4096);
    cr_assert_eq(http_body_skip(&body, "abc", 3, &used), HTTP_MORE);
    cr_assert_eq(http_body_skip(&body, "deGET", 5, &used), HTTP_DONE);
    cr_assert_eq(used, 2);
    http_body_init(&body, HTTP_BODY_LENGTH, 0, 4096);
    cr_assert_eq(http_body_skip(&body, "G", 1, &used), HTTP_DONE);
    cr_assert_eq(used, 0);
}
