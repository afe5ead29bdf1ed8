/* SPDX-License-Identifier: MIT */
/* What syncerctl makes of a server's words: sentences, harmless text, columns. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "src/ctl/ask.h"
#include "src/ctl/commands.h"
#include "src/ctl/explain.h"
#include "src/ctl/term.h"

TestSuite(words, .timeout = 10);

/* ---- sentences ---- */

static void explain(struct buf *out, const char *text)
{
    struct json_doc *doc = json_doc_new(100000);
    struct err err;

    cr_assert_eq(json_doc_parse(doc, text, strlen(text), &err), 0, "%s", err.text);
    buf_init(out, SIZE_MAX);
    explain_answer(out, doc);
    cr_assert_not(out->failed);
    json_doc_free(doc);
}

Test(words, each_result_has_a_sentence)
{
    static const struct {
        const char *result;
        int code;
        const char *one, *many;
    } cases[] = {
        {"status", 302, "pod a answers 302: its probe location still has error_page 401",
         "pods a, b answer 302: their probe location still has error_page 401"},
        {"status", 404, "pod a answers 404: `path` or `host` is not its", "pods a, b answer 404: `path` or `host`"},
        {"status", 429, "pod a answers 429: limit_req", "pods a, b answer 429: limit_req"},
        {"status", 599, "pod a answers 599: its probe location should say 200 or 401", "pods a, b answer 599: their"},
        {"absent", 401, "pod a answers 401: the token has not come", "pods a, b answer 401: the token has not come"},
        {"tls", 0, "pod a fails in TLS", "pods a, b fail in TLS"},
        {"connect", 0, "pod a takes no connection", "pods a, b take no connection"},
        {"down", 0, "pod a has taken no connection for a while", "pods a, b have taken"},
        {"down\",\"cause\":\"tls", 0, "pod a fails in TLS", "pods a, b fail in TLS"},
        {"overloaded", 0, "pod a owes answers", "pods a, b owe answers"},
        {"timeout", 0, "pod a answers too slowly", "pods a, b answer too slowly"},
        {"broken", 0, "pod a gives no whole HTTP answer", "pods a, b give no whole"},
        {"short", 0, "pod a could not be asked", "pods a, b could not be asked"},
        {"cut", 0, "pod a had not answered", "pods a, b had not answered"},
        {"none", 0, "pod a was not asked", "pods a, b were not asked"},
        {"unprotected", 200, "pod a says 200 to any token", "pods a, b say 200 to any token"},
        {"unconfirmed", 200, "pod a has not refused", "pods a, b have not refused"},
    };
    static const char one[] =
        "{\"pods\":[{\"name\":\"a\",\"result\":\"%s\",\"code\":%d,\"ms\":null,\"reason\":\"why\"}]}";
    static const char many[] = "{\"pods\":[{\"name\":\"a\",\"result\":\"%s\",\"code\":%d,\"ms\":null},"
                               "{\"name\":\"fine\",\"result\":\"present\",\"code\":200,\"ms\":1.5},"
                               "{\"name\":\"b\",\"result\":\"%s\",\"code\":%d,\"ms\":null}]}";

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        struct buf out;

        snprintf(text, sizeof(text), one, cases[i].result, cases[i].code);
        explain(&out, text);
        cr_expect_eq(strncmp(buf_str(&out), cases[i].one, strlen(cases[i].one)), 0, "%s", buf_str(&out));
        buf_release(&out);
        snprintf(text, sizeof(text), many, cases[i].result, cases[i].code, cases[i].result, cases[i].code);
        explain(&out, text);
        cr_expect_eq(strncmp(buf_str(&out), cases[i].many, strlen(cases[i].many)), 0, "%s", buf_str(&out));
        buf_release(&out);
    }
}

/* A thousand pods with one trouble are one line, and a thousand troubles a bounded number. */
Test(words, many_pods)
{
    struct buf text, out;
    size_t lines = 0;

    for (int same = 0; same <= 1; same++) {
        buf_init(&text, SIZE_MAX);
        buf_add_str(&text, "{\"pods\":[");
        for (int i = 0; i < 1000; i++)
            buf_addf(&text, "%s{\"name\":\"gw-%d\",\"result\":\"status\",\"code\":%d,\"ms\":null}", i ? "," : "", i,
                     same ? 302 : i);
        buf_add_str(&text, "]}");
        explain(&out, buf_str(&text));
        lines = 0;
        for (size_t i = 0; i < out.len; i++)
            lines += out.data[i] == '\n';
        cr_expect_eq(lines, same ? 1 : 33, "%zu", lines);
        cr_expect(strstr(buf_str(&out),
                         same ? "pods gw-0, gw-1, gw-2, gw-3, gw-4 and 995 more answer 302" : "and 968 more pods"),
                  "%s", buf_str(&out));
        buf_release(&text);
        buf_release(&out);
    }
}

Test(words, what_a_server_may_send)
{
    static const char *const texts[] = {
        "{}", "[]", "1", "{\"pods\":1}", "{\"pods\":[]}", "{\"pods\":[1,[],null,{\"ms\":1}]}",
    };
    struct buf out;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        explain(&out, texts[i]);
        cr_expect_eq(out.len, 0, "%s: %s", texts[i], buf_str(&out));
        buf_release(&out);
    }
    explain(&out, "{\"pods\":[{\"name\":\"\\u001b[2Jgw\",\"result\":\"\\u0007x\",\"reason\":\"\\u009b1m\"}]}");
    cr_expect_str_eq(buf_str(&out), "pod \\x1b[2Jgw \\x07x: \\xc2\\x9b1m\n");
    buf_release(&out);
}

/* ---- columns ---- */

Test(words, columns)
{
    struct term_table table;
    struct buf out;

    buf_init(&out, SIZE_MAX);
    term_table_init(&table, 2);
    term_table_add(&table, "NAME", TERM_BOLD);
    term_table_add(&table, "X", TERM_BOLD);
    term_table_add(&table, "a\n", TERM_GOOD);
    term_table_add(&table, "", TERM_PLAIN);
    term_table_add(&table, "longer", TERM_PLAIN);
    term_table_add(&table, "y", TERM_PLAIN);
    term_table_write(&table, &out, false);
    cr_expect_str_eq(buf_str(&out), "NAME    X\na\\x0a   -\nlonger  y\n");
    buf_clear(&out);
    term_table_write(&table, &out, true);
    cr_expect(strstr(buf_str(&out), "\033[32ma\\x0a\033[0m   -\n"), "%s", buf_str(&out));
    term_table_release(&table);
    buf_release(&out);
}

Test(words, a_long_cell_is_cut)
{
    struct term_table table;
    char text[5000];
    struct buf out;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    buf_init(&out, SIZE_MAX);
    term_table_init(&table, 1);
    term_table_add(&table, text, TERM_PLAIN);
    term_table_write(&table, &out, false);
    cr_expect_eq(out.len, 1025);
    term_table_release(&table);
    buf_release(&out);
}

Test(words, ages)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0 ms"},      {999, "999 ms"},     {1000, "1.0 s"},    {9999, "9.9 s"},
                 {10000, "10 s"},  {119999, "119 s"},   {120000, "2 min"},  {7199999, "119 min"},
                 {7200000, "2 h"}, {172799999, "47 h"}, {172800000, "2 d"}, {INT64_MAX, "106751991167 d"}};
    char out[CTL_AGE_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_str_eq(ctl_age(cases[i].ms, out), cases[i].text);
}

/* ---- where ---- */

Test(words, places)
{
    static const struct {
        const char *url, *base, *unix_socket;
    } cases[] = {
        {"http://10.0.0.1:8080", "http://10.0.0.1:8080", ""},
        {"http://gw/", "http://gw", ""},
        {"HTTPS://gw:8443", "https://gw:8443", ""},
        {"[::1]:8080", "http://[::1]:8080", ""},
        {"localhost:8080", "http://localhost:8080", ""},
        {"unix:/run/s", "http://localhost", "/run/s"},
        {"unix:run/s", NULL, NULL},
        {"http://", NULL, NULL},
        {"http://gw/v1/pods", NULL, NULL},
        {"http://me@gw", NULL, NULL},
        {"http://gw?x", NULL, NULL},
        {"ftp://gw", NULL, NULL},
        {"gw", NULL, NULL},
        {"", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ask_place place;
        int rc = ask_place_parse(&place, cases[i].url, NULL);

        cr_assert_eq(rc, cases[i].base ? 0 : -1, "%s", cases[i].url);
        if (rc == 0) {
            cr_expect_str_eq(place.base, cases[i].base);
            cr_expect_str_eq(place.unix_socket, cases[i].unix_socket);
        }
    }
}
