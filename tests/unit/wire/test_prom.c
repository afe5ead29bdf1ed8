/* SPDX-License-Identifier: MIT */
/* Prometheus' text format, byte for byte. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <syncer/wire/prom.h>

TestSuite(prom, .timeout = 10);

static struct buf out;
static struct prom_writer w;

static void expect(const char *text)
{
    cr_expect_str_eq(buf_str(&out), text);
    buf_release(&out);
}

static void begin(void)
{
    buf_init(&out, 65536);
}

Test(prom, a_family_begins_with_two_lines)
{
    begin();
    prom_family(&out, "a_total", PROM_COUNTER, "A \"quoted\" back\\slash\nand a line.");
    prom_family(&out, "b", PROM_GAUGE, "B.");
    prom_family(&out, "c_seconds", PROM_HISTOGRAM, "C.");
    expect("# HELP a_total A \"quoted\" back\\\\slash\\nand a line.\n# TYPE a_total counter\n"
           "# HELP b B.\n# TYPE b gauge\n# HELP c_seconds C.\n# TYPE c_seconds histogram\n");
}

Test(prom, samples)
{
    begin();
    prom_begin(&w, &out, "a", "");
    prom_number(&w, 0);
    prom_begin(&w, &out, "a", "");
    prom_labels(&w, "");
    prom_number(&w, UINT64_MAX);
    prom_begin(&w, &out, "a", "_sum");
    prom_labels(&w, "x=\"1\",y=\"2\"");
    prom_label(&w, "pod", "gw-1", 4);
    prom_number(&w, 7);
    expect("a 0\na 18446744073709551615\na_sum{x=\"1\",y=\"2\",pod=\"gw-1\"} 7\n");
}

Test(prom, label_values_are_escaped)
{
    static const char value[] = "a\"b\\c\nd\te\0f\xff\xc3\xa4";

    begin();
    prom_begin(&w, &out, "a", "");
    prom_label(&w, "l", value, sizeof(value) - 1);
    prom_label(&w, "empty", "", 0);
    prom_number(&w, 1);
    cr_expect_eq(out.len, strlen("a{l=\"a\\\"b\\\\c\\nd\te") + 1 + strlen("f\xef\xbf\xbd\xc3\xa4\",empty=\"\"} 1\n"));
    cr_expect_eq(memcmp(out.data, "a{l=\"a\\\"b\\\\c\\nd\te\0f\xef\xbf\xbd\xc3\xa4\",empty=\"\"} 1\n", out.len), 0);
    buf_release(&out);
}

Test(prom, decimals_are_exact)
{
    static const struct {
        uint64_t n;
        unsigned digits;
        const char *text;
    } rows[] = {{0, 3, "0"},
                {1, 3, "0.001"},
                {1500, 3, "1.5"},
                {1000, 3, "1"},
                {123456, 6, "0.123456"},
                {10, 6, "0.00001"},
                {1700000000123, 3, "1700000000.123"},
                {9007199254740991, 9, "9007199.254740991"},
                {100, 0, "100"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];

        begin();
        prom_begin(&w, &out, "a", "");
        prom_decimal(&w, rows[i].n, rows[i].digits);
        snprintf(text, sizeof(text), "a %s\n", rows[i].text);
        expect(text);
    }
}

Test(prom, bounds_of_buckets)
{
    begin();
    prom_begin(&w, &out, "a_seconds", "_bucket");
    prom_le(&w, 2500);
    prom_number(&w, 3);
    prom_begin(&w, &out, "a_seconds", "_bucket");
    prom_labels(&w, "x=\"y\"");
    prom_le(&w, 10000000);
    prom_number(&w, 4);
    expect("a_seconds_bucket{le=\"0.0025\"} 3\na_seconds_bucket{x=\"y\",le=\"10\"} 4\n");
}

Test(prom, a_buffer_that_is_full_shows)
{
    buf_init(&out, 10);
    prom_begin(&w, &out, "a_long_name", "");
    prom_number(&w, 1);
    cr_expect(out.failed);
    buf_release(&out);
}

Test(prom, names_are_names, .signal = SIGABRT)
{
    begin();
    prom_family(&out, "no name", PROM_GAUGE, "");
}
