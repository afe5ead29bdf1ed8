/* SPDX-License-Identifier: MIT */
/* What the kubernetes source does between two full reads, against an API server that plays a script. */
#include <config.h>

#include "source_rig.h"

TestSuite(kube_watch, .timeout = 20);

static void setup(void)
{
    start_rig("pods: kubernetes\ndeployment: ng-plus-apigw");
}

/* Turns until `what` holds; the suite's time-out is the limit. */
#define WAIT(what)  \
    while (!(what)) \
    loop_turn(loop, 20 * NS_PER_MS, NULL)

/* Turns for so long: for what should not happen. */
static void pass_ms(int64_t ms)
{
    int64_t end = clock_now_ns() + ms * NS_PER_MS;

    while (clock_now_ns() < end)
        loop_turn(loop, 10 * NS_PER_MS, NULL);
}

/* A source with the pods a and b, both ready, and three watches that run. Full reads come seldom. */
static struct source *start_watched(void)
{
    struct source *source;

    conf.scrape_interval_ms = 3600000;
    tell("phase v1.36-1-settled");
    tell("live");
    tell("again one");
    tell("owned a 10.0.0.1 set-of-one");
    tell("owned b 10.0.0.2 set-of-one");
    source = start_well();
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_assert_str_eq(seen.names, "a b ");
    WAIT(seen.watch.on == 3 && seen.watch.events == 1); /* the Deployment's is told what is there */
    return source;
}

Test(kube_watch, changes_come_without_a_read, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("owned c 10.0.0.3 set-of-one");
    WAIT(seen.counting == 3);
    cr_expect_eq(seen.watch.events, 2);
    tell("pod b 10.0.0.2 unready");
    WAIT(seen.counting == 2);
    cr_expect_str_eq(seen.names, "a c ");
    cr_expect_eq(seen.n, 3, "it is known and does not count");
    tell("pod b 10.0.0.2 ready");
    WAIT(seen.counting == 3);
    tell("pod a 10.0.0.1 terminating");
    WAIT(seen.counting == 2);
    tell("pod a");
    WAIT(seen.n == 2);
    cr_expect(seen.begun == 1 && seen.lists == 1 && seen.failures == 0, "all of that by the watch alone");
    cr_expect_eq(seen.watch.events, 6, "one change, one event");
    cr_expect_eq(seen.watch.restarts, 0);
    source_free(source);
}

Test(kube_watch, an_event_may_be_cut_anywhere, .init = setup, .fini = teardown)
{
    struct source *source;

    tell("chunks 7");
    source = start_watched();
    tell("owned c 10.0.0.3 set-of-one");
    tell("pod a");
    WAIT(strcmp(seen.names, "b c ") == 0);
    cr_expect_eq(seen.begun, 1);
    source_free(source);
}

Test(kube_watch, a_burst_is_few_updates, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    for (int i = 0; i < 100; i++) {
        char command[64];

        snprintf(command, sizeof(command), "owned c%d 10.0.1.%d set-of-one", i, i);
        tell(command);
    }
    WAIT(seen.counting == 102);
    cr_expect_lt(seen.updates, 60, "%d", seen.updates);
    cr_expect_eq(seen.watch.events, 101);
    source_free(source);
}

/* ---- streams that end ---- */

Test(kube_watch, a_stream_that_ended_is_resumed, .init = setup, .fini = teardown)
{
    static const char *const ends[] = {"end pods", "cut pods"};
    struct source *source = start_watched();

    tell("owned c 10.0.0.3 set-of-one");
    WAIT(seen.counting == 3);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        int watched = tell("watched pods");

        pass_ms(1100); /* a stream that lived costs no pause */
        tell(ends[i]);
        WAIT(seen.watch.restarts == i + 1 && seen.watch.on == 3);
        tell(i == 0 ? "pod c" : "owned c 10.0.0.3 set-of-one"); /* not before: it could come by the stream that ends */
        WAIT(seen.counting == (i == 0 ? 2 : 3));
        cr_expect_eq(tell("watched pods"), watched + 1);
    }
    cr_expect_eq(tell("versions pods"), 3, "each from where the last one was");
    cr_expect_eq(seen.begun, 1);
    cr_expect_eq(seen.watch.restarts, 2);
    cr_expect_eq(seen.notices, 0);
    source_free(source);
}

Test(kube_watch, half_an_event_is_none, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("part pods "
         "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"uid\":\"uid-a\",\"resourceVersion\":\"9999\"}}}");
    tell("cut pods");
    WAIT(seen.watch.restarts == 1 && seen.watch.on == 3);
    tell("owned c 10.0.0.3 set-of-one");
    WAIT(strcmp(seen.names, "a b c ") == 0);
    cr_expect_eq(seen.begun, 1);
    source_free(source);
}

Test(kube_watch, a_stream_that_never_lives_is_left_alone, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();
    int watched;

    tell("watch pods zero 0");
    watched = tell("watched pods");
    tell("end pods");
    pass_ms(2000);
    cr_expect_leq(tell("watched pods") - watched, 4, "at once, then 0.8 s, 1.6 s ...");
    cr_expect_geq(tell("watched pods") - watched, 2);
    tell("watch pods well 0");
    tell("owned c 10.0.0.3 set-of-one");
    WAIT(seen.counting == 3);
    cr_expect_eq(seen.begun, 1);
    source_free(source);
}

Test(kube_watch, a_list_has_the_watch_tried_at_once, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("watch pods 500 4");
    tell("end pods");
    pass_ms(1500);
    cr_expect_eq(seen.watch.on, 2);
    tell("watch pods well 0");
    cr_assert(read_again(source));
    pass_ms(200);
    cr_expect_eq(seen.watch.on, 3);
    source_free(source);
}

Test(kube_watch, waits_as_the_server_asked, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();
    int64_t began = clock_now_ns();

    tell("watch pods 429 1");
    tell("end pods");
    WAIT(seen.watch.on < 3);
    cr_assert(read_again(source), "%s", seen.last.reason.text);
    WAIT(seen.watch.on == 3);
    cr_expect_geq(clock_now_ns() - began, 990 * NS_PER_MS, "Retry-After is one second");
    cr_expect_eq(tell("watched pods"), 3);
    source_free(source);
}

/* ---- streams that can't be resumed ---- */

Test(kube_watch, what_cannot_be_resumed_is_listed_again, .init = setup, .fini = teardown)
{
    static const char *const ways[] = {"watch pods gone 1", "watch pods 410 1", "watch pods error 1"};
    struct source *source = start_watched();

    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        char name[8], command[64];

        tell(ways[i]);
        pass_ms(1100);
        tell("end pods");
        snprintf(name, sizeof(name), "c%zu", i);
        snprintf(command, sizeof(command), "quiet owned %s 10.0.1.%zu set-of-one", name, i);
        tell(command);
        WAIT(seen.lists == (int)i + 2 && seen.watch.on == 3);
        cr_expect_eq(seen.counting, i + 3, "%s", ways[i]);
        cr_expect(seen.failures == 0 && seen.notices == 0);
    }
    tell("owned d 10.0.0.4 set-of-one");
    WAIT(seen.counting == 6);
    source_free(source);
}

Test(kube_watch, nonsense_is_listed_again, .init = setup, .fini = teardown)
{
    static const char *const lines[] = {
        "line pods <html>not today</html>",
        "line pods {\"type\":\"RENAMED\",\"object\":{}}",
        "line pods {\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"1\"}}}",
        "line pods {\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\",\"uid\":\"x\"}}}",
        "line pods {\"type\":\"ADDED\"}",
        "line pods []",
    };
    struct source *source = start_watched();

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        pass_ms(1100);
        tell(lines[i]);
        WAIT(seen.lists == (int)i + 2 && seen.watch.on == 3);
        cr_expect_str_eq(seen.names, "a b ", "%s", lines[i]);
    }
    cr_expect_eq(seen.failures, 0);
    source_free(source);
}

Test(kube_watch, a_server_that_always_says_gone_is_left_alone, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("watch pods gone 0");
    tell("end pods");
    pass_ms(2500);
    cr_expect_leq(seen.lists, 4, "%d", seen.lists);
    cr_expect_geq(seen.lists, 2);
    source_free(source);
}

/* ---- lists beside the watch ---- */

Test(kube_watch, after_an_outage_the_first_gone_costs_no_pause, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();
    int watched = tell("watched pods");
    int64_t gone_ns;

    tell("watch pods drop 0");
    tell("cut pods");
    while (tell("watched pods") < watched + 4)
        loop_turn(loop, 20 * NS_PER_MS, NULL);
    tell("watch pods gone 1");
    while (tell("watched pods") < watched + 5)
        loop_turn(loop, 20 * NS_PER_MS, NULL);
    gone_ns = clock_now_ns();
    WAIT(seen.begun == 2 && seen.watch.on == 3);
    cr_expect_lt(clock_now_ns() - gone_ns, 2 * NS_PER_S, "a pause was made that was the outage's");
    source_free(source);
}

Test(kube_watch, a_list_without_news_leaves_the_watch_alone, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("owned c 10.0.0.3 set-of-one");
    WAIT(seen.counting == 3);
    for (int i = 0; i < 3; i++)
        cr_assert(read_again(source), "%s", seen.last.reason.text);
    pass_ms(100);
    cr_expect(seen.watch.restarts == 0 && seen.watch.on == 3);
    cr_expect_eq(tell("watched pods"), 1);
    source_free(source);
}

/* Silent for good, since its version is still to come or the stream is dead: only a list can tell. */
Test(kube_watch, a_watch_that_is_behind_begins_anew, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("quiet owned c 10.0.0.3 set-of-one");
    tell("quiet pod a");
    pass_ms(200);
    cr_expect_str_eq(seen.names, "a b ");
    cr_assert(read_again(source), "%s", seen.last.reason.text);
    cr_expect_str_eq(seen.names, "b c ");
    WAIT(seen.watch.restarts == 1 && seen.watch.on == 3);
    tell("owned d 10.0.0.4 set-of-one");
    WAIT(strcmp(seen.names, "b c d ") == 0);
    cr_expect_eq(seen.watch.restarts, 1);
    source_free(source);
}

/* ---- the Deployment ---- */

Test(kube_watch, a_rollout_and_pods_before_their_set, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("owned x 10.0.0.7 set-two");
    pass_ms(100);
    cr_expect_eq(seen.counting, 2, "whose it is nobody knows yet");
    tell("set set-two one");
    WAIT(seen.counting == 3);
    tell("owned y 10.0.0.8 set-of-somebody");
    tell("pod b 10.0.0.22 ready");
    WAIT(seen.watch.events == 5);
    pass_ms(50);
    cr_expect_str_eq(seen.names, "a b x ");
    cr_expect_eq(seen.begun, 1);
    source_free(source);
}

/* A rollout and its undo: no instant has fewer pods than the Deployment wants. */
Test(kube_watch, a_recorded_rollout_step_by_step, .init = setup, .fini = teardown)
{
    struct source *source;
    int counting, most = 0;

    conf.scrape_interval_ms = 3600000;
    tell("phase v1.36-1-settled");
    tell("live");
    source = start_well();
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    WAIT(seen.watch.on == 3);
    for (int steps = 0; (counting = tell("replay")) >= 0; steps++) {
        WAIT(seen.counting == (size_t)counting && seen.watch.events == (uint64_t)steps + 2);
        most = counting > most ? counting : most;
    }
    cr_expect(most == 4 && seen.fewest == 3 && seen.counting == 3);
    cr_expect(seen.begun == 1 && seen.failures == 0);
    source_free(source);
}

Test(kube_watch, without_the_deployment_the_old_list_stays, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();
    int64_t failed_ns;
    int updates;

    tell("gone");
    WAIT(seen.failures == 1);
    cr_expect(strstr(seen.last.reason.text, "no such Deployment"), "%s", seen.last.reason.text);
    updates = seen.updates;
    tell("set set-of-one");
    tell("pod a");
    pass_ms(100);
    cr_expect_eq(seen.updates, updates);
    cr_expect_str_eq(seen.names, "a b ");
    WAIT(seen.failures == 3);
    cr_expect_geq(seen.last.retry_ms, 2000);
    failed_ns = clock_now_ns();
    tell("again two other");
    WAIT(seen.lists == 2);
    cr_expect_lt(clock_now_ns() - failed_ns, 1500 * NS_PER_MS, "the watch tells of it, not the next try");
    cr_expect_eq(seen.n, 0, "that is what it has");
    WAIT(seen.watch.on == 3);
    tell("owned z 10.0.0.9 set-of-two");
    WAIT(strcmp(seen.names, "z ") == 0);
    source_free(source);
}

Test(kube_watch, a_deployment_made_again_is_another_one, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();
    int lists = seen.lists;

    tell("again two other");
    tell("owned z 10.0.0.9 set-of-two");
    WAIT(strcmp(seen.names, "z ") == 0);
    cr_expect_gt(seen.lists, lists, "its collections were listed anew");
    WAIT(seen.watch.on == 3);
    tell("owned y 10.0.0.8 set-of-two");
    WAIT(seen.counting == 2);
    source_free(source);
}

/* ---- what can't be handed on ---- */

Test(kube_watch, too_many_is_a_failure, .init = setup, .fini = teardown)
{
    struct source *source;

    conf.max_pods = 2;
    source = start_watched();
    tell("owned c 10.0.0.3 set-of-one");
    WAIT(seen.failures == 1);
    cr_expect(seen.last.too_many && strstr(seen.last.reason.text, "max_pods"), "%s", seen.last.reason.text);
    cr_expect_eq(seen.updates, 0);
    tell("pod a");
    WAIT(seen.lists == 2);
    cr_expect_str_eq(seen.names, "b c ");
    source_free(source);
}

Test(kube_watch, a_pod_that_cannot_be_asked_is_a_failure, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("owned c 10.0.0.300 set-of-one");
    WAIT(seen.failures == 1);
    cr_expect(strstr(seen.last.reason.text, "podIP of Pod c"), "%s", seen.last.reason.text);
    cr_expect_str_eq(seen.names, "a b ");
    tell("pod c");
    WAIT(seen.lists == 2);
    source_free(source);
}

/* ---- the Role ---- */

Test(kube_watch, one_403_is_no_proof, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("watch pods 403 2");
    tell("end pods");
    WAIT(seen.watch.on == 2);
    WAIT(seen.watch.on == 3);
    cr_expect(seen.notices == 0 && seen.watch.forbidden == 0);
    source_free(source);
}

Test(kube_watch, a_watch_that_is_forbidden_is_said_once, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();
    int watched;

    tell("watch pods 403 0");
    tell("end pods");
    WAIT(seen.watch.forbidden == 1);
    cr_expect_eq(seen.notices, 1);
    cr_expect(strstr(seen.notice, "watch pods in namespace apigwp-cz: status 403") &&
                  strstr(seen.notice, "verb watch on resource pods of apiGroup \"\"") &&
                  strstr(seen.notice, "cannot watch"),
              "%s", seen.notice);
    watched = tell("watched pods");
    tell("owned c 10.0.0.3 set-of-one");
    for (int i = 0; i < 3; i++)
        cr_assert(read_again(source));
    cr_expect_eq(seen.counting, 3, "reads go on");
    cr_expect(tell("watched pods") == watched && seen.notices == 1, "and do not bother the server with the watch");
    source_free(source);
}

/* ---- the end ---- */

Test(kube_watch, ends_while_everything_runs, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    source_refresh(source);
    loop_turn(loop, 10 * NS_PER_MS, NULL);
    tell("owned c 10.0.0.3 set-of-one");
    source_free(source);
    loop_turn(loop, 0, NULL);
}
