/* SPDX-License-Identifier: MIT */
/* The JSON reader: what is JSON, what is not, and walking. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include <syncer/base/macros.h>
#include <syncer/wire/json_read.h>

#include "guarded.h"

TestSuite(json_read, .timeout = 30);

static int parse(struct json_doc *doc, const char *text, struct err *err)
{
    size_t len = strlen(text);

    return json_doc_parse(doc, guarded(text, len), len, err);
}

Test(json_read, accepts_json)
{
    static const char *const good[] = {
        "{}",
        "[]",
        " [ ] ",
        "0",
        "-0",
        "1.5e+10",
        "-12E-3",
        "true",
        "false",
        "null",
        "\"\"",
        "\"\\u00e9\\n\\/\"",
        "[1,2,[3,{\"a\":[]}],{}]",
        "{\"a\":{\"b\":null},\"c\":\"d\"}",
        "\t\r\n{\n}\n",
        "[\"\xc3\xa9\"]",
    };
    struct json_doc *doc = json_doc_new(1000);
    struct err err = {""};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        cr_expect_eq(parse(doc, good[i], &err), 0, "%s: %s", good[i], err.text);
    json_doc_free(doc);
}

Test(json_read, refuses_what_is_not)
{
    static const char *const bad[] = {
        "",      " ",           "{",           "[",          "}",         "]",        "[1,]",  "[,1]",
        "[1 2]", "{\"a\"}",     "{\"a\":}",    "{\"a\":1,}", "{\"a\" 1}", "{a:1}",    "{1:2}", "{\"a\":1 \"b\":2}",
        "[1]]",  "[1}",         "{\"a\":1]",   "01",         "1.",        ".5",       "-",     "+1",
        "1e",    "1e+",         "0x1",         "tru",        "True",      "nul",      "nan",   "'a'",
        "\"a",   "\"\\x\"",     "\"\\u12g4\"", "\"\\u123",   "\"a\nb\"",  "\"\x01\"", "1 2",   "{} x",
        "[1,2",  "\"a\" \"b\"", "[\"a\":1]",   "{{}}",       "{[]}",      "//",       "[1]//", "\xef\xbb\xbf{}",
    };
    struct json_doc *doc = json_doc_new(1000);
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err_clear(&err);
        cr_expect_eq(parse(doc, bad[i], &err), -1, "%s", bad[i]);
        cr_expect(err.text[0] != '\0');
        cr_expect_eq(json_type(doc, 0), JSON_MISSING, "nothing of a refused text is left");
    }
    json_doc_free(doc);
}

Test(json_read, depth_and_number_of_values_are_bounded)
{
    struct json_doc *doc = json_doc_new(1000), *small = json_doc_new(3);
    char text[256] = "";

    for (int depth = 64; depth <= 65; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        cr_expect_eq(json_doc_parse(doc, text, 2 * (size_t)depth, NULL), depth == 64 ? 0 : -1);
    }
    cr_expect_eq(parse(small, "[1,2]", NULL), 0);
    cr_expect_eq(parse(small, "[1,2,3]", NULL), -1);
    cr_expect_eq(parse(small, "[1,2]", NULL), 0);
    json_doc_free(doc);
    json_doc_free(small);
}

Test(json_read, walks_by_path)
{
    static const char text[] = "{\"kind\":\"Pod\",\"metadata\":{\"managed\":{\"name\":\"wrong\"},\"name\":\"gw-1\"},"
                               "\"spec\":[1,[2,3],{\"x\":true}],\"n\\u0061me\":\"a\",\"twice\":1,\"twice\":2}";
    struct json_doc *doc = json_doc_new(1000);
    json_value v;
    char name[16];
    int64_t n = 0;
    bool b = false;

    cr_assert_eq(json_doc_parse(doc, text, sizeof(text) - 1, NULL), 0);
    cr_assert(json_is(doc, json_get(doc, 0, "kind"), "Pod"));
    cr_assert_eq(json_str(doc, json_path(doc, 0, "metadata", "name", NULL), name, sizeof(name)), 4);
    cr_assert_str_eq(name, "gw-1");
    cr_assert_eq(json_str(doc, json_path(doc, 0, "metadata", "name", NULL), name, 4), -1, "no room for the NUL");
    cr_assert(json_is(doc, json_get(doc, 0, "name"), "a"));
    cr_assert_eq(json_int(doc, json_get(doc, 0, "twice"), &n), 0);
    cr_assert_eq(n, 2);
    v = json_get(doc, 0, "spec");
    cr_assert_eq(json_size(doc, v), 3);
    v = json_first(doc, v);
    cr_assert_eq(json_type(doc, v), JSON_NUMBER);
    v = json_next(doc, v);
    cr_assert_eq(json_type(doc, v), JSON_ARRAY);
    v = json_next(doc, v);
    cr_assert_eq(json_bool(doc, json_get(doc, v, "x"), &b), 0);
    cr_assert(b);
    cr_assert_eq(json_next(doc, v), JSON_NONE);
    cr_assert_eq(json_path(doc, 0, "kind", "name", NULL), JSON_NONE);
    cr_assert_eq(json_first(doc, json_get(doc, 0, "none")), JSON_NONE);
    json_doc_free(doc);
}

Test(json_read, compares_texts_of_any_length)
{
    struct json_doc *doc = json_doc_new(10);
    char text[2003], wanted[2001];

    memset(wanted, 'a', sizeof(wanted) - 1);
    wanted[sizeof(wanted) - 1] = '\0';
    snprintf(text, sizeof(text), "\"%s\"", wanted);
    cr_assert_eq(json_doc_parse(doc, text, sizeof(text) - 1, NULL), 0);
    cr_expect(json_is(doc, 0, wanted));
    cr_expect_not(json_is(doc, 0, wanted + 1));
    cr_assert_eq(parse(doc, "\"\\u0061b\\ud83d\\ude00\"", NULL), 0);
    cr_expect(json_is(doc, 0, "ab\xf0\x9f\x98\x80"));
    cr_expect_not(json_is(doc, 0, "ab"));
    cr_expect_not(json_is(doc, 0, "ab\xf0\x9f\x98\x80x"));
    cr_expect_not(json_is(doc, 0, ""));
    cr_assert_eq(parse(doc, "\"\\ud83d\"", NULL), 0);
    cr_expect_not(json_is(doc, 0, ""));
    json_doc_free(doc);
}

Test(json_read, strings_and_numbers)
{
    static const struct {
        const char *text, *value; /* NULL: no string */
    } strings[] = {
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\u20ac\\t\"", "\xe2\x82\xac\t"},
        {"\"\"", ""},
        {"\"\\ud83d\"", NULL},
        {"\"\\ude00\"", NULL},
        {"\"\\ud83d\\u0041\"", NULL},
        {"\"\\u0000\"", NULL},
        {"\"\xff\"", NULL},
        {"\"\xc0\x80\"", NULL},
        {"1", NULL},
        {"null", NULL},
    };
    static const struct {
        const char *text;
        int rc;
        int64_t n;
    } numbers[] = {
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", -1, 0},
        {"-9223372036854775809", -1, 0},
        {"1.0", -1, 0},
        {"1e2", -1, 0},
        {"-7", 0, -7},
        {"\"7\"", -1, 0},
    };
    struct json_doc *doc = json_doc_new(10);
    char out[16];
    int64_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        int len;

        cr_assert_eq(parse(doc, strings[i].text, NULL), 0, "%s", strings[i].text);
        len = json_str(doc, 0, out, sizeof(out));
        cr_expect_eq(len, strings[i].value ? (int)strlen(strings[i].value) : -1, "%s", strings[i].text);
        cr_expect(len < 0 || strcmp(out, strings[i].value) == 0, "%s", strings[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        cr_assert_eq(parse(doc, numbers[i].text, NULL), 0);
        cr_expect_eq(json_int(doc, 0, &n), numbers[i].rc, "%s", numbers[i].text);
        cr_expect(numbers[i].rc != 0 || n == numbers[i].n, "%s", numbers[i].text);
    }
    json_doc_free(doc);
}

Test(json_read, thousandths)
{
    static const struct {
        const char *text;
        int64_t n; /* -1 = none */
    } cases[] = {
        {"0", 0},         {"7", 7000},
        {"1.2345", 1234}, {"0.5", 500},
        {"0.0009", 0},    {"1000000000000", 1000000000000000},
        {"-1.5", -1500},  {"99999999999999", -1},
        {"1e3", -1},      {"\"1\"", -1},
        {"null", -1},
    };
    struct json_doc *doc = json_doc_new(10);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t n = -1;

        cr_assert_eq(parse(doc, cases[i].text, NULL), 0);
        cr_expect_eq(json_thousandths(doc, 0, &n), cases[i].n == -1 ? -1 : 0, "%s", cases[i].text);
        cr_expect_eq(n, cases[i].n, "%s", cases[i].text);
    }
    json_doc_free(doc);
}
