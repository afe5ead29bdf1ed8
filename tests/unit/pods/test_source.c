/* SPDX-License-Identifier: MIT */
/*
 * Full reads of the kubernetes source against an API server that misbehaves: whatever goes wrong is a failure
 * with its reason, never a list.
 */
#include <config.h>

#include "source_rig.h"

TestSuite(kube_source, .timeout = 10);

static void setup(void)
{
    start_rig("pods: kubernetes\ndeployment: ng-plus-apigw");
}

/* ---- lists ---- */

Test(kube_source, reads_by_itself_and_again, .init = setup, .fini = teardown)
{
    struct source *source = start_well();
    char expected[128];

    snprintf(expected, sizeof(expected), "kubernetes: deployment apigwp-cz/ng-plus-apigw at https://127.0.0.1:%s",
             fake.port);
    cr_expect_str_eq(source_describe(source), expected);
    cr_expect_eq(seen.begun, 0, "no event from within source_new()");
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_expect(seen.n == 3 && seen.counting == 3);
    tell("phase v1.20-2-rolling");
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_expect(seen.n == 5 && seen.counting == 3);
    tell("phase v1.36-5-zero");
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_expect_eq(seen.n, 0, "a list without pods is a list");
    source_free(source);
}

Test(kube_source, pages_in_small_chunks, .init = setup, .fini = teardown)
{
    struct source *source;

    tell("phase v1.36-3-rolled");
    tell("page 2");
    tell("chunks 7");
    source = start_well();
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_expect(seen.n == 5 && seen.counting == 3);
    cr_expect_eq(tell("asked pods"), 3);
    source_free(source);
}

Test(kube_source, an_expired_page_begins_anew, .init = setup, .fini = teardown)
{
    struct source *source;

    tell("page 2");
    tell("fault pods expired 1");
    source = start_well();
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_expect(seen.n == 3 && seen.begun == 1);
    cr_expect_eq(tell("asked pods"), 4);
    tell("fault pods expired 0");
    cr_expect_not(read_again(source), "not for ever");
    cr_expect(strstr(seen.last.reason.text, "status 410"), "%s", seen.last.reason.text);
    source_free(source);
}

/* A read that is under way may have passed the change already. */
Test(kube_source, a_refresh_meanwhile_is_one_more_read, .init = setup, .fini = teardown)
{
    struct source *source;

    conf.scrape_interval_ms = 3600000;
    source = start_well();
    while (seen.begun == 0)
        loop_turn(loop, -1, NULL);
    source_refresh(source);
    source_refresh(source);
    cr_assert(read_ends() && read_ends());
    source_refresh(source);
    cr_assert(read_ends());
    cr_expect(seen.begun == 3 && tell("asked deployment") == 3);
    source_free(source);
}

/* ---- failures ---- */

Test(kube_source, what_goes_wrong_is_a_failure, .init = setup, .fini = teardown)
{
    static const struct {
        const char *command, *reason, *detail;
    } cases[] = {
        {"fault deployment 403 1", "get deployments in namespace apigwp-cz: status 403",
         "verb get on resource deployments"},
        {"fault deployment 404 1", "get deployments", "no such Deployment"},
        {"fault replicasets 403 1", "list replicasets", "verb list on resource replicasets of apiGroup \"apps\""},
        {"fault pods 403 1", "list pods", "verb list on resource pods of apiGroup \"\""},
        {"fault pods 500 1", "list pods", "status 500"},
        {"fault pods garbage 1", "list pods", "no PodList"},
        {"fault replicasets cut 1", "list replicasets", ""},
        {"fault deployment garbage 1", "get deployments", "no JSON"},
        {"fault pods endless 0", "list pods", "does not end"},
    };
    struct source *source = start_well();

    cr_assert(read_ends(), "%s", seen.last.reason.text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        tell(cases[i].command);
        cr_assert_not(read_again(source), "%s", cases[i].command);
        cr_expect(strstr(seen.last.reason.text, cases[i].reason) && strstr(seen.last.reason.text, cases[i].detail),
                  "%s: %s", cases[i].command, seen.last.reason.text);
        cr_expect_not(seen.last.too_many);
    }
    source_free(source);
}

Test(kube_source, backs_off_but_not_beyond_the_interval, .init = setup, .fini = teardown)
{
    struct source *source;
    int64_t last = 0;

    tell("fault deployment 500 0");
    source = start_well();
    for (int i = 0; i < 4; i++) {
        int64_t began = clock_now_ns();

        cr_assert_not(read_ends());
        cr_expect(clock_now_ns() - began >= last * NS_PER_MS, "earlier than announced");
        last = seen.last.retry_ms;
        cr_expect(last >= 600 && last <= 1000, "%d ms", (int)last);
    }
    source_free(source);
}

Test(kube_source, leaves_the_server_alone_when_asked_to, .init = setup, .fini = teardown)
{
    struct source *source;
    int64_t failed;

    conf.scrape_interval_ms = 3600000;
    tell("fault pods 429 1");
    source = start_well();
    cr_assert_not(read_ends());
    failed = clock_now_ns();
    cr_expect(seen.last.retry_ms >= 999, "Retry-After is one second, not %d ms", (int)seen.last.retry_ms);
    source_refresh(source);
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_expect_geq(clock_now_ns() - failed, 990 * NS_PER_MS);
    source_free(source);
}

Test(kube_source, too_many_pods, .init = setup, .fini = teardown)
{
    struct source *source;

    conf.max_pods = 2;
    source = start_well();
    cr_assert_not(read_ends());
    cr_expect(seen.last.too_many && strstr(seen.last.reason.text, "max_pods"), "%s", seen.last.reason.text);
    source_free(source);
}

/* ---- credentials ---- */

Test(kube_source, a_refused_token_is_read_again, .init = setup, .fini = teardown)
{
    struct source *source = start_well();

    cr_assert(read_ends(), "%s", seen.last.reason.text);
    tell("rotate token-of-the-account-2");
    cr_assert(read_again(source), "%s", seen.last.reason.text);
    tell("fault pods 401 1"); /* it was swapped between reading and asking */
    cr_assert(read_again(source), "%s", seen.last.reason.text);
    tell("revoke token-of-nobody");
    cr_assert_not(read_again(source));
    cr_expect(strstr(seen.last.reason.text, "status 401: the token is not accepted"), "%s", seen.last.reason.text);
    source_free(source);
}

Test(kube_source, a_changed_ca_is_in_force_at_once, .init = setup, .fini = teardown)
{
    struct source *source = start_well();

    cr_assert(read_ends(), "%s", seen.last.reason.text);
    tell("ca other"); /* the kept connections are the watches' */
    cr_assert_not(read_again(source), "a server that the new CA does not know is trusted");
    cr_expect(strstr(seen.last.reason.text, "certificate"), "%s", seen.last.reason.text);
    tell("ca own");
    cr_assert(read_again(source), "%s", seen.last.reason.text);
    source_free(source);
}

Test(kube_source, a_certificate_for_another_name, .init = setup, .fini = teardown)
{
    struct source *source;

    setenv("KUBERNETES_SERVICE_HOST", "localhost", 1); /* the certificate is for 127.0.0.1 */
    source = start_well();
    cr_assert_not(read_ends());
    cr_expect(strstr(seen.last.reason.text, "certificate"), "%s", seen.last.reason.text);
    cr_expect_eq(tell("asked deployment"), 0, "the token went to a server that is not proven");
    source_free(source);
}

static void expect_refused(const char *reason)
{
    struct err err = {""};

    cr_expect_null(start(&err));
    cr_expect(strstr(err.text, reason), "%s", err.text);
}

Test(kube_source, without_credentials_there_is_no_source, .init = setup, .fini = teardown)
{
    char path[300];

    setenv("KUBERNETES_SERVICE_PORT", "443x", 1);
    expect_refused("KUBERNETES_SERVICE_PORT");
    setenv("KUBERNETES_SERVICE_PORT", fake.port, 1);
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1/x", 1);
    expect_refused("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_HOST");
    expect_refused("pods: static");
    setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1", 1);
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"token", "ca.crt", "namespace"};

        snprintf(path, sizeof(path), "%s/%s", fake.folder, names[i]);
        cr_assert_eq(unlink(path), 0);
        expect_refused(names[i]);
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        expect_refused("empty");
        cr_assert_eq(truncate(path, 2), 0);
        expect_refused(i == 1 ? "ca.crt" : "one word");
        if (i == 0)
            tell("rotate token-of-the-account-1");
        else if (i == 1)
            tell("ca own");
    }
}

/* ---- the end ---- */

Test(kube_source, ends_in_the_middle_of_a_read, .init = setup, .fini = teardown)
{
    struct source *source;

    tell("fault replicasets hang 1");
    source = start_well();
    while (tell("asked replicasets") == 0)
        loop_turn(loop, 10 * NS_PER_MS, NULL);
    source_free(source);
    loop_turn(loop, 0, NULL);
    cr_expect(seen.begun == 1 && seen.lists == 0 && seen.failures == 0);
}
