/* SPDX-License-Identifier: MIT */
/* The small value modules: err, buf, addr, clock, fd, random, utf8. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/addr.h>
#include <syncer/base/buf.h>
#include <syncer/base/clock.h>
#include <syncer/base/err.h>
#include <syncer/base/fd.h>
#include <syncer/base/macros.h>
#include <syncer/base/random.h>
#include <syncer/base/siphash.h>
#include <syncer/base/utf8.h>

TestSuite(values, .timeout = 30);

Test(values, err_gets_context_and_is_cut)
{
    struct err err;
    char much[2 * ERR_TEXT_BYTES];

    cr_assert_eq(err_set(&err, "%d is no port", 7), -1);
    cr_assert_eq(err_context(&err, "config.yaml:%d", 3), -1);
    cr_assert_str_eq(err.text, "config.yaml:3: 7 is no port");
    err_set_errno(&err, ENOENT, "%s", "/x");
    cr_assert_str_eq(err.text, "/x: No such file or directory");
    err_set(&err, "why");
    err_set_errno(&err, ENOENT, "%s", err.text);
    cr_assert_str_eq(err.text, "why: No such file or directory", "its own text may be an argument");
    err_context(&err, "(%s)", err.text);
    cr_assert_str_eq(err.text, "(why: No such file or directory): why: No such file or directory");
    memset(much, 'a', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    err_set(&err, "%s", much);
    err_context(&err, "%s", much);
    cr_assert_eq(strlen(err.text), ERR_TEXT_BYTES - 1);
    cr_assert_eq(err_set(NULL, "nobody"), -1);
}

Test(values, buf_is_bounded_and_failure_sticks)
{
    struct buf buf;

    buf_init(&buf, 10);
    cr_assert_str_eq(buf_str(&buf), "");
    buf_add_str(&buf, "12345");
    buf_addf(&buf, "%d", 67);
    cr_assert_str_eq(buf_str(&buf), "1234567");
    buf_add_str(&buf, "890x");
    cr_assert(buf.failed && buf.len == 7);
    buf_add_char(&buf, '8');
    cr_assert_eq(buf.len, 7, "after a failure nothing more is added");
    buf_clear(&buf);
    buf_add_str(&buf, "0123456789");
    cr_assert(!buf.failed && buf.len == 10);
    buf_drop_front(&buf, 4);
    cr_assert_str_eq(buf_str(&buf), "456789");
    buf_wipe(&buf);
    cr_assert(!buf.data && buf.len == 0);
}

Test(values, buf_adds_numbers)
{
    struct buf buf;

    buf_init(&buf, 64);
    buf_add_number(&buf, 0);
    buf_add_char(&buf, ' ');
    buf_add_number(&buf, 1900);
    buf_add_char(&buf, ' ');
    buf_add_number(&buf, UINT64_MAX);
    cr_assert_str_eq(buf_str(&buf), "0 1900 18446744073709551615");
    buf_release(&buf);
}

Test(values, addr_with_a_port)
{
    static const struct {
        const char *text, *back; /* NULL: refused */
        uint16_t port;           /* 7 = there is none */
    } rows[] = {
        {"10.0.0.1", "10.0.0.1", 7},
        {"10.0.0.1:53", "10.0.0.1", 53},
        {"::1", "::1", 7},
        {"[::1]", "::1", 7},
        {"[::1]:65535", "::1", 65535},
        {"fd00::53", "fd00::53", 7},
        {"[::1]:", NULL, 0},
        {"[::1]53", NULL, 0},
        {"[10.0.0.1]:53", NULL, 0},
        {"10.0.0.1:", NULL, 0},
        {":53", NULL, 0},
        {"10.0.0.1:0", NULL, 0},
        {"10.0.0.1:65536", NULL, 0},
        {"10.0.0.1:+53", NULL, 0},
        {"[::1", NULL, 0},
        {"10.0.0.1:53:53", NULL, 0},
        {"host:53", NULL, 0},
        {"", NULL, 0},
        {"[]:53", NULL, 0},
        {"[::1]:53x", NULL, 0},
    };
    char out[ADDR_TEXT_BYTES];
    struct addr addr;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint16_t port = 7;
        int rc = addr_parse_port(&addr, &port, rows[i].text);

        cr_expect_eq(rc, rows[i].back ? 0 : -1, "%s", rows[i].text);
        cr_expect(!rows[i].back || (strcmp(addr_format(&addr, out), rows[i].back) == 0 && port == rows[i].port), "%s",
                  rows[i].text);
    }
}

Test(values, addr)
{
    static const struct {
        const char *text, *back; /* NULL: refused */
    } rows[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"::1", "::1"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"", NULL},
        {"1.2.3", NULL},
        {"1.2.3.4 ", NULL},
        {"[::1]", NULL},
        {"fe80::1%eth0", NULL},
        {"01.2.3.4", NULL},
        {"host", NULL},
        {"1.2.3.4.5", NULL},
    };
    char out[ADDR_TEXT_BYTES];
    struct addr a, b;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = addr_parse(&a, rows[i].text, strlen(rows[i].text));

        cr_expect_eq(rc, rows[i].back ? 0 : -1, "%s", rows[i].text);
        cr_expect(rc != 0 || strcmp(addr_format(&a, out), rows[i].back) == 0, "%s: %s", rows[i].text, out);
    }
    cr_assert_eq(addr_parse(&a, "10.0.0.1", 8), 0);
    cr_assert_eq(addr_parse(&b, "::ffff:10.0.0.1", 15), 0);
    cr_assert(addr_equal(&a, &b));
}

Test(values, dates)
{
    char http[CLOCK_HTTP_DATE_BYTES], iso[CLOCK_ISO_BYTES];

    clock_http_date(INT64_C(784111777000), http);
    cr_assert_str_eq(http, "Sun, 06 Nov 1994 08:49:37 GMT");
    clock_iso(INT64_C(951782400123), iso);
    cr_assert_str_eq(iso, "2000-02-29T00:00:00.123Z");
}

Test(values, fd_read_file_is_bounded)
{
    char path[] = "/tmp/syncer-test-XXXXXX";
    int fd = mkstemp(path);
    struct err err;
    struct buf buf;

    cr_assert(fd >= 0 && fd_write_all(fd, "0123456789", 10) == 0);
    buf_init(&buf, 10);
    cr_assert_eq(fd_read_file(path, &buf, &err), 0);
    cr_assert_str_eq(buf_str(&buf), "0123456789");
    buf_clear(&buf);
    cr_assert_eq(fd_write_all(fd, "x", 1), 0);
    cr_assert_eq(fd_read_file(path, &buf, &err), -1);
    cr_assert(strstr(err.text, path) && strstr(err.text, "larger than 10 bytes"), "%s", err.text);
    unlink(path);
    cr_assert_eq(fd_read_file(path, &buf, &err), -1);
    cr_assert_eq(fd_read_file("/dev", &buf, &err), -1);
    cr_assert(strstr(err.text, "not a regular file"), "%s", err.text);
    fd_close(&fd);
    cr_assert_eq(fd, -1);
    buf_release(&buf);
}

Test(values, random)
{
    unsigned seen[7] = {0};
    char hex[RANDOM_HEX_BYTES(8)], a[KEYED_HASH_BYTES], b[KEYED_HASH_BYTES];

    for (int i = 0; i < 7000; i++)
        seen[random_below(7)]++;
    for (int i = 0; i < 7; i++)
        cr_expect(seen[i] > 700 && seen[i] < 1300, "%d: %u", i, seen[i]);
    random_hex(hex, 8);
    cr_assert_eq(strspn(hex, "0123456789abcdef"), 16);
    keyed_hash("token", 5, a);
    keyed_hash("token", 5, b);
    cr_assert_str_eq(a, b);
    keyed_hash("tokem", 5, b);
    cr_assert_str_neq(a, b);
}

Test(values, utf8_round_trip)
{
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char text[4];
        uint32_t back = 0;
        size_t len;

        if (code >= 0xd800 && code < 0xe000)
            continue;
        len = utf8_encode(code, text);
        cr_assert(utf8_decode(text, len, &back) == len && back == code);
        cr_assert(len == 1 || utf8_decode(text, len - 1, &back) == 0);
    }
}

Test(values, utf8_refuses)
{
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                      "\xff", "\xc3("};
    uint32_t code;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_eq(utf8_decode(bad[i], strlen(bad[i]), &code), 0, "%zu", i);
}

Test(addr, ranges, .timeout = 5)
{
    static const struct {
        const char *range, *in, *out;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
        {"10.1.2.128/25", "10.1.2.255", "10.1.2.127"},
        {"0.0.0.0/0", "255.1.2.3", "::1"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.6"},
        {"192.0.2.7/32", "192.0.2.7", "192.0.2.8"},
        {"fd00::/8", "fdff::1", "fe00::1"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"},
        {"::1", "::1", "::2"},
        {"::/0", "1::1", "1.2.3.4"},
        {"::1/128", "::1", "::3"},
    };
    bool low_bits;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr_range range;
        struct addr in, out;

        cr_assert_eq(addr_range_parse(&range, cases[i].range, &low_bits), 0, "%s", cases[i].range);
        addr_parse(&in, cases[i].in, strlen(cases[i].in));
        addr_parse(&out, cases[i].out, strlen(cases[i].out));
        cr_expect(addr_range_has(&range, &in), "%s has %s", cases[i].range, cases[i].in);
        cr_expect_not(addr_range_has(&range, &out), "%s has not %s", cases[i].range, cases[i].out);
    }
}

Test(addr, what_is_no_range, .timeout = 5)
{
    static const char *const wrong[] = {
        "",           "/8",          "10.0.0.0/",   "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/8/8",
        "fd00::/129", "10.0.0.0/-1", "10.0.0.0/ 8", "10.0.0/8",    "any",         "10.0.0.0/1000"};
    static const char *const low[] = {"10.0.0.1/8", "10.1.2.129/25", "fd00::1/8", "1.2.3.4/0"};
    struct addr_range range;
    bool low_bits;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect_eq(addr_range_parse(&range, wrong[i], &low_bits), -1, "\"%s\"", wrong[i]);
        cr_expect_not(low_bits, "\"%s\"", wrong[i]);
    }
    for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
        cr_expect_eq(addr_range_parse(&range, low[i], &low_bits), -1, "%s", low[i]);
        cr_expect(low_bits, "%s", low[i]);
    }
}

/* The paper's own example, appendix A, and lengths around a word. */
Test(siphash, as_in_its_paper, .timeout = 5)
{
    static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908}, other[2] = {1, 2};
    unsigned char bytes[17];
    uint64_t seen[sizeof(bytes) + 1];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    cr_expect_eq(siphash(key, bytes, 15), 0xa129ca6149be45e5);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        seen[n] = siphash(other, bytes, n);
        for (size_t i = 0; i < n; i++)
            cr_expect_neq(seen[i], seen[n]);
    }
    cr_expect_eq(keyed_number(bytes, 9), keyed_number(bytes, 9));
    cr_expect_neq(keyed_number(bytes, 9), keyed_number(bytes, 8));
}
