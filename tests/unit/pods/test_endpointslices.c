/* SPDX-License-Identifier: MIT */
/* The source `endpointslices` against an API server that plays a script. */
#include <config.h>

#include <syncer/base/buf.h>

#include "../../../src/pods/kube_slice.h"
#include "source_rig.h"

TestSuite(endpointslices, .timeout = 20);

#define WAIT(what)  \
    while (!(what)) \
    loop_turn(loop, 20 * NS_PER_MS, NULL)

static void setup(void)
{
    start_rig("pods: endpointslices\nservice: gateway");
    conf.scrape_interval_ms = 3600000;
    tell("live");
}

static struct source *start_watched(void)
{
    struct source *source;

    tell("slice one IPv4 a=10.0.0.1=ready b=10.0.0.2=unready");
    source = start_well();
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_assert_str_eq(seen.names, "a ");
    WAIT(seen.watch.on == 1);
    return source;
}

Test(endpointslices, slices_that_change, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();
    char expected[128];

    snprintf(expected, sizeof(expected), "endpointslices: service apigwp-cz/gateway at https://127.0.0.1:%s",
             fake.port);
    cr_expect_str_eq(source_describe(source), expected);
    cr_expect_eq(seen.n, 2, "an unready one is known");
    tell("slice one IPv4 a=10.0.0.1=ready b=10.0.0.2=ready");
    WAIT(strcmp(seen.names, "a b ") == 0);
    tell("slice two IPv4 b=10.0.0.2=ready c=10.0.0.3=unknown =10.0.0.9=ready");
    WAIT(strcmp(seen.names, "10.0.0.9 a b c ") == 0);
    tell("slice six IPv6 a=fd00::1=ready c=fd00::3=ready d=fd00::4=published");
    WAIT(seen.n == 5);
    cr_expect_eq(seen.counting, 4);
    tell("slice one IPv4 a=10.0.0.1=terminating");
    WAIT(strcmp(seen.names, "10.0.0.9 b c ") == 0);
    tell("slice two");
    WAIT(strcmp(seen.names, "c ") == 0);
    cr_expect(seen.begun == 1 && seen.failures == 0, "all of that by the watch alone");
    source_free(source);
}

Test(endpointslices, an_empty_slice_is_no_pods_but_no_slice_is_a_failure, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("slice one");
    WAIT(seen.failures == 1);
    cr_expect(strstr(seen.last.reason.text, "Service gateway has no EndpointSlice"), "%s", seen.last.reason.text);
    cr_expect_str_eq(seen.names, "a ", "the old list stays");
    tell("slice one IPv4");
    WAIT(seen.lists == 2);
    cr_expect_eq(seen.n, 0);
    source_free(source);
}

Test(endpointslices, what_goes_wrong_is_a_failure, .init = setup, .fini = teardown)
{
    struct source *source = start_watched();

    tell("fault endpointslices 500 1");
    cr_assert_not(read_again(source));
    cr_expect(strstr(seen.last.reason.text, "list endpointslices in namespace apigwp-cz: status 500"), "%s",
              seen.last.reason.text);
    tell("slice two FQDN e=gw.example=ready");
    WAIT(seen.failures == 2);
    cr_expect(strstr(seen.last.reason.text, "addressType"), "%s", seen.last.reason.text);
    tell("slice two");
    WAIT(seen.lists == 2);
    conf.max_pods = 2;
    tell("slice two IPv4 c=10.0.0.3=ready");
    WAIT(seen.last.too_many);
    cr_expect_str_eq(seen.names, "a ");
    source_free(source);
}

Test(endpointslices, pages_and_filter_all, .init = setup, .fini = teardown)
{
    struct source *source;

    conf.pod_filter = CONF_FILTER_ALL;
    tell("slice one IPv4 a=10.0.0.1=ready");
    tell("slice two IPv4 b=10.0.0.2=unready");
    tell("slice three IPv4 c=10.0.0.3=terminating");
    tell("page 1");
    tell("chunks 7");
    source = start_well();
    cr_assert(read_ends(), "%s", seen.last.reason.text);
    cr_expect_str_eq(seen.names, "a b c ");
    cr_expect_eq(tell("asked endpointslices"), 3);
    source_free(source);
}

static void tell_full_slice(int number)
{
    struct buf command;

    buf_init(&command, 1 << 20);
    buf_addf(&command, "slice s%d IPv4", number);
    for (int i = 0; i < KUBE_SLICE_ENDPOINTS; i++)
        buf_addf(&command, " p%d-%d=10.%d.%d.%d=ready", number, i, number, i / 256, i % 256);
    tell(buf_str(&command));
    buf_release(&command);
}

/* What is held is bounded by what counts, not by what a server can write. */
Test(endpointslices, slices_without_end, .init = setup, .fini = teardown)
{
    struct source *source;

    conf.max_pods = 1;
    for (int i = 0; i < 5; i++)
        tell_full_slice(i);
    source = start_well();
    cr_assert_not(read_ends());
    cr_expect(strstr(seen.last.reason.text, "far more endpoints than max_pods"), "%s", seen.last.reason.text);
    source_free(source);
}
