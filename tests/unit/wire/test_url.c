/* SPDX-License-Identifier: MIT */
/* Escapes and query strings. */
#include <criterion/criterion.h>

#include <syncer/wire/url.h>

#include "guarded.h"

TestSuite(url, .timeout = 10);

static int decode(const char *text, char *out, size_t *len)
{
    return url_decode(guarded(text, strlen(text)), strlen(text), out, len);
}

Test(url, decode)
{
    char out[32];
    size_t len;

    cr_assert_eq(decode("a%20%C3%a9%00b", out, &len), 0);
    cr_assert(len == 6 && memcmp(out, "a \xc3\xa9\0b", 6) == 0);
    cr_assert_eq(decode("%", out, &len), -1);
    cr_assert_eq(decode("a%4", out, &len), -1);
    cr_assert_eq(decode("%g0", out, &len), -1);
    cr_assert_eq(decode("%0-", out, &len), -1);
}

Test(url, encode_is_the_inverse_of_decode)
{
    char all[256], back[256];
    struct buf buf;
    size_t len;

    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    buf_init(&buf, 4096);
    url_encode(&buf, all, sizeof(all));
    cr_assert(!memchr(buf.data, ',', buf.len) && !memchr(buf.data, '=', buf.len));
    cr_assert(buf.len < sizeof(back) * 3);
    char decoded[1024];
    cr_assert_eq(url_decode(buf.data, buf.len, decoded, &len), 0);
    cr_assert(len == sizeof(all) && memcmp(decoded, all, len) == 0);
    buf_release(&buf);
}

Test(url, query)
{
    static const char query[] = "a=1&&b&c==2&=x&d=";
    static const struct {
        const char *name, *value;
        bool has;
    } expected[] = {{"a", "1", true},  {"", "", false}, {"b", "", false},
                    {"c", "=2", true}, {"", "x", true}, {"d", "", true}};
    const char *text = guarded(query, sizeof(query) - 1);
    struct url_param param;
    size_t pos = 0, n = 0;

    for (; url_query_next(text, sizeof(query) - 1, &pos, &param); n++) {
        cr_assert_lt(n, sizeof(expected) / sizeof(expected[0]));
        cr_expect(param.name_len == strlen(expected[n].name) &&
                  memcmp(param.name, expected[n].name, param.name_len) == 0);
        cr_expect(param.value_len == strlen(expected[n].value) &&
                      memcmp(param.value, expected[n].value, param.value_len) == 0,
                  "%zu", n);
        cr_expect_eq(param.has_value, expected[n].has);
    }
    cr_assert_eq(n, sizeof(expected) / sizeof(expected[0]));
}
