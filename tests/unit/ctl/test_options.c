/* SPDX-License-Identifier: MIT */
/* The command line of syncerctl. */
#include <config.h>

#include <criterion/criterion.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "src/ctl/options.h"

TestSuite(options, .timeout = 5);

#define ARGS_MAX 8

static enum ctl_parsed parse(struct ctl_options *options, struct err *err, const char *first, const char *second,
                             const char *third, const char *fourth)
{
    const char *words[ARGS_MAX] = {"syncerctl", first, second, third, fourth};
    char bytes[ARGS_MAX][64], *argv[ARGS_MAX + 1] = {NULL};
    int argc = 0;

    while (argc < ARGS_MAX && words[argc]) {
        cr_assert_lt(strlen(words[argc]), sizeof(bytes[0]));
        strcpy(bytes[argc], words[argc]);
        argv[argc] = bytes[argc];
        argc++;
    }
    return ctl_options_parse(options, argc, argv, err);
}

Test(options, what_is_asked_for)
{
    struct ctl_options o;
    struct err err = {""};

    cr_expect_eq(parse(&o, &err, "check", NULL, NULL, NULL), CTL_RUN);
    cr_expect_eq(o.command, CTL_CHECK);
    cr_expect_null(o.value[OPT_VERBOSE]);
    cr_expect_eq(parse(&o, &err, "check", "-v", "--strict", "majority"), CTL_RUN);
    cr_expect_not_null(o.value[OPT_VERBOSE]);
    cr_expect_eq(parse(&o, &err, "wait", "--pods=12", "--timeout", "1m"), CTL_RUN);
    cr_expect_eq(o.pods, 12);
    cr_expect_eq(o.timeout_ms, 60000);
    cr_expect_eq(parse(&o, &err, "-h", NULL, NULL, NULL), CTL_HELP);
    cr_expect_eq(parse(&o, &err, "help", NULL, NULL, NULL), CTL_HELP);
    cr_expect_eq(parse(&o, &err, "help", "pods", NULL, NULL), CTL_HELP_COMMAND);
    cr_expect_eq(parse(&o, &err, "status", "--help", NULL, NULL), CTL_HELP_COMMAND);
    cr_expect_eq(o.command, CTL_STATUS);
    cr_expect_eq(parse(&o, &err, "--version", NULL, NULL, NULL), CTL_VERSION);
}

Test(options, what_is_wrong)
{
    static const struct {
        const char *args[3], *says;
    } cases[] = {
        {{NULL}, "a command is missing"},
        {{"checks"}, "checks: should be"},
        {{"check", "secret"}, "a token comes by standard input"},
        {{"check", "--token=secret"}, "--token: check has no such option"},
        {{"pods", "--origin", "x"}, "--origin: pods has no such option"},
        {{"pods", "x", "-z"}, "-z: pods has no such option"},
        {{"check", "--url"}, "--url: a value is missing"},
        {{"check", "-u"}, "-u: a value is missing"},
        {{"check", "--strict", "yes"}, "should be 0, 1 or majority"},
        {{"check", "--expect", "yes"}, "should be present or absent"},
        {{"check", "--cert", "x"}, "--cert and --key belong together"},
        {{"check", "--timeout", "2h"}, "should be a time"},
        {{"wait", "--pods", "0"}, "should be 1 to"},
        {{"wait", "--pods", "x1"}, "should be a number"},
        {{"wait", "--token-file", "x"}, "belong to --synced"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ctl_options o;
        struct err err = {""};
        const char *const *a = cases[i].args;

        cr_expect_eq(parse(&o, &err, a[0], a[1], a[2], NULL), CTL_USAGE, "%s", cases[i].says);
        cr_expect(strstr(err.text, cases[i].says), "%s: %s", cases[i].says, err.text);
        cr_expect_not(strstr(err.text, "secret"), "%s", err.text);
    }
}

Test(options, times)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"1", 1000}, {"1s", 1000}, {"250ms", 250}, {"2m", 120000},  {"60m", 3600000},
                 {"", -1},    {"0", -1},    {"s", -1},      {"-1", -1},      {"1h", -1},
                 {"61m", -1}, {"1.5s", -1}, {"1 s", -1},    {"99999999", -1}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -1;

        cr_expect_eq(ctl_parse_time(cases[i].text, &ms), cases[i].ms > 0 ? 0 : -1, "%s", cases[i].text);
        cr_expect(cases[i].ms < 0 || ms == cases[i].ms, "%s", cases[i].text);
    }
}
