/* SPDX-License-Identifier: MIT */
/* The static source: the configured list, from the loop, at once, again on request and at each interval. */
#include <config.h>
#include <criterion/criterion.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/pods/source.h>

TestSuite(static_source, .timeout = 10);

struct seen {
    int begun, lists, failures;
    size_t n;
    struct source_pod pods[4];
};

static void on_begin(void *arg)
{
    ((struct seen *)arg)->begun++;
}

static void on_list(void *arg, const struct source_pod *pods, size_t n)
{
    struct seen *seen = arg;

    seen->lists++;
    seen->n = n;
    for (size_t i = 0; i < n && i < 4; i++)
        seen->pods[i] = pods[i];
}

static void on_failed(void *arg, const struct source_failure *failure)
{
    (void)failure;
    ((struct seen *)arg)->failures++;
}

static const struct source_events events = {.on_begin = on_begin, .on_list = on_list, .on_failed = on_failed};

static const char text[] =
    "pods: static\nhost: gw\npath: /p\nport: 9443\nscrape_interval: 1s\nmax_pods: 2\n"
    "static:\n  - {name: gw-a, address: 127.0.0.2}\n  - {name: gw-b, address: \"::1\", port: 9}\n";

static struct conf conf;
static struct loop *loop;

static struct source *start(struct seen *seen, struct err *err)
{
    struct source_settings settings = {&conf, "syncer/test", loop, &events, seen};

    return source_new(&settings, err);
}

static void setup(void)
{
    struct err err = {""};
    struct conf_notes notes = {0};

    cr_assert(conf_init(&conf, &err) == 0 && conf_read_text(&conf, "c.yaml", text, strlen(text), &err) == 0, "%s",
              err.text);
    cr_assert_eq(conf_check(&conf, false, &notes, &err), 0, "%s", err.text);
    loop = loop_new(&err);
    cr_assert(loop, "%s", err.text);
}

static void teardown(void)
{
    loop_free(loop);
    conf_free(&conf);
}

Test(static_source, delivers_from_the_loop, .init = setup, .fini = teardown)
{
    struct seen seen = {0};
    struct source *source = start(&seen, NULL);

    cr_assert(source);
    cr_expect_str_eq(source_describe(source), "static: 2 pods");
    cr_expect_eq(seen.begun, 0, "no event from within source_new()");
    while (seen.lists == 0)
        loop_turn(loop, -1, NULL);
    cr_assert(seen.begun == 1 && seen.failures == 0 && seen.n == 2);
    cr_expect_str_eq(seen.pods[0].name, "gw-a");
    cr_expect(seen.pods[0].port == 9443 && seen.pods[0].addr.family == 4 && seen.pods[0].counts);
    cr_expect(seen.pods[1].port == 9 && seen.pods[1].addr.family == 6 && seen.pods[1].state == SOURCE_READY);
    cr_expect_str_eq(seen.pods[1].uid, "");
    source_free(source);
}

Test(static_source, again_on_request_and_at_each_interval, .init = setup, .fini = teardown)
{
    struct seen seen = {0};
    struct source *source = start(&seen, NULL);
    int64_t begun = clock_now_ns();

    while (seen.lists == 0)
        loop_turn(loop, -1, NULL);
    source_refresh(source);
    cr_expect_eq(seen.lists, 1, "no event from within source_refresh()");
    while (seen.lists == 1)
        loop_turn(loop, -1, NULL);
    cr_expect_lt(clock_now_ns() - begun, NS_PER_S);
    while (seen.lists == 2)
        loop_turn(loop, -1, NULL);
    cr_expect_geq(clock_now_ns() - begun, NS_PER_S);
    source_free(source);
}

Test(static_source, too_long_a_list_is_refused, .init = setup, .fini = teardown)
{
    struct seen seen = {0};
    struct err err = {""};

    conf.max_pods = 1;
    cr_assert_null(start(&seen, &err));
    cr_expect_str_eq(err.text, "static: 2 pods are more than max_pods (1)");
    source_free(NULL);
}
