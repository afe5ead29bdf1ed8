/* SPDX-License-Identifier: MIT */
/* EndpointSlices one by one, and pods that are in several of them. */
#include <config.h>

#include "kube_rig.h"

#include "../../../src/pods/kube_slice.h"

TestSuite(kube_slice, .timeout = 10);

static int read_slice(const char *text, struct kube_slice *slice, struct err *err)
{
    struct json_doc *doc = kube_doc(text, strlen(text));
    int rc = kube_read_slice(doc, 0, slice, err);

    json_doc_free(doc);
    return rc;
}

static struct kube_slice good_slice(const char *text)
{
    struct kube_slice slice;
    struct err err = {""};

    cr_assert_eq(read_slice(text, &slice, &err), 0, "%s: %s", err.text, text);
    return slice;
}

Test(kube_slice, an_endpoint_as_the_controller_writes_it)
{
    struct kube_slice slice = good_slice("{\"addressType\":\"IPv4\",\"apiVersion\":\"discovery.k8s.io/"
                                         "v1\",\"endpoints\":[{\"addresses\":[\"10.1.2.3\",\"10.9.9."
                                         "9\"],"
                                         "\"conditions\":{\"ready\":true,\"serving\":true,\"terminating\":"
                                         "false},\"nodeName\":\"n\",\"targetRef\":{\"kind\":"
                                         "\"Pod\","
                                         "\"name\":\"gw-1\",\"namespace\":\"g\",\"uid\":\"u-1\"},\"zone\":"
                                         "\"z\"}],\"kind\":\"EndpointSlice\",\"ports\":null}");
    char addr[ADDR_TEXT_BYTES];

    cr_assert_eq(slice.n, 1);
    cr_expect_str_eq(slice.endpoints[0].name, "gw-1");
    cr_expect_str_eq(slice.endpoints[0].uid, "u-1");
    cr_expect_str_eq(addr_format(&slice.endpoints[0].addr, addr), "10.1.2.3");
    cr_expect_eq(slice.endpoints[0].state, SOURCE_READY);
    kube_slice_release(&slice);
}

Test(kube_slice, conditions)
{
    static const struct {
        const char *conditions;
        enum source_state state;
    } cases[] = {
        {"{}", SOURCE_READY}, /* unknown is ready */
        {"null", SOURCE_READY},
        {"{\"ready\":null}", SOURCE_READY},
        {"{\"ready\":true}", SOURCE_READY},
        {"{\"ready\":false}", SOURCE_UNREADY},
        {"{\"ready\":false,\"serving\":false}", SOURCE_UNREADY},
        {"{\"ready\":true,\"serving\":false}", SOURCE_UNREADY}, /* publishNotReadyAddresses */
        {"{\"ready\":false,\"serving\":true,\"terminating\":true}", SOURCE_TERMINATING},
        {"{\"ready\":true,\"serving\":true,\"terminating\":true}", SOURCE_TERMINATING},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_slice slice;
        char text[256];

        snprintf(text, sizeof(text),
                 "{\"addressType\":\"IPv6\",\"endpoints\":[{\"addresses\":[\"fd00::1\"],\"conditions\":%s}]}",
                 cases[i].conditions);
        slice = good_slice(text);
        cr_expect_eq(slice.endpoints[0].state, cases[i].state, "%s", cases[i].conditions);
        cr_expect_str_eq(slice.endpoints[0].name, "fd00::1", "without a pod its address is its name");
        kube_slice_release(&slice);
    }
}

Test(kube_slice, slices_without_endpoints)
{
    static const char *const texts[] = {
        "{\"addressType\":\"IPv4\",\"endpoints\":null}",
        "{\"addressType\":\"IPv4\",\"endpoints\":[]}",
        "{\"addressType\":\"IPv4\"}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct kube_slice slice = good_slice(texts[i]);

        cr_expect(slice.n == 0 && slice.endpoints == NULL);
    }
}

Test(kube_slice, nonsense)
{
    static const char *const texts[] = {
        "{}",
        "{\"addressType\":\"FQDN\",\"endpoints\":[{\"addresses\":[\"gw.example\"]}]}",
        "{\"addressType\":\"IPv4\",\"endpoints\":{}}",
        "{\"addressType\":\"IPv4\",\"endpoints\":[{}]}",
        "{\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[]}]}",
        "{\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]},{\"addresses\":[\"10.0.0."
        "256\"]}]}",
        "{\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],\"targetRef\":{\"kind\":"
        "\"Pod\"}}]}",
        "{\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"],\"targetRef\":{\"kind\":"
        "\"Pod\",\"name\":\"a\","
        "\"uid\":7}}]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct kube_slice slice;

        cr_expect_eq(read_slice(texts[i], &slice, NULL), -1, "%s", texts[i]);
        cr_expect_null(slice.endpoints);
    }
}

Test(kube_slice, more_endpoints_than_a_slice_may_have)
{
    struct kube_slice slice;
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_add_str(&text, "{\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]}");
    for (int i = 0; i < KUBE_SLICE_ENDPOINTS; i++)
        buf_add_str(&text, ",{\"addresses\":[\"10.0.0.1\"]}");
    buf_add_str(&text, "]}");
    cr_expect_eq(read_slice(buf_str(&text), &slice, NULL), -1);
    buf_release(&text);
}

/* ---- all slices ---- */

static struct source_pod pod_of(const char *name, const char *addr, enum source_state state)
{
    struct source_pod pod = {.state = state, .counts = state == SOURCE_READY};

    snprintf(pod.name, sizeof(pod.name), "%s", name);
    snprintf(pod.uid, sizeof(pod.uid), "uid-%.20s", name);
    cr_assert_eq(addr_parse(&pod.addr, addr, strlen(addr)), 0);
    return pod;
}

Test(kube_slice, each_pod_once)
{
    struct source_pod pods[] = {
        pod_of("b", "fd00::2", SOURCE_READY),    pod_of("b", "10.0.0.2", SOURCE_READY),
        pod_of("a", "10.0.0.1", SOURCE_UNREADY), pod_of("a", "10.0.0.1", SOURCE_READY),
        pod_of("a", "10.0.0.1", SOURCE_READY),   pod_of("c", "fd00::3", SOURCE_READY),
        pod_of("d", "10.0.0.4", SOURCE_UNREADY), pod_of("d", "10.0.0.5", SOURCE_READY),
        pod_of("e", "fd00::6", SOURCE_READY),    pod_of("e", "10.0.0.6", SOURCE_UNREADY),
    };
    static const char *const expected[] = {"a 10.0.0.1 1", "b 10.0.0.2 1", "c fd00::3 1",
                                           "d 10.0.0.4 0", "d 10.0.0.5 1", "e 10.0.0.6 1"};
    size_t n = kube_slice_merge(pods, ARRAY_LEN(pods));

    cr_assert_eq(n, ARRAY_LEN(expected));
    for (size_t i = 0; i < n; i++) {
        char got[4096], addr[ADDR_TEXT_BYTES];

        snprintf(got, sizeof(got), "%s %s %d", pods[i].name, addr_format(&pods[i].addr, addr), pods[i].counts);
        cr_expect_str_eq(got, expected[i], "%s", got);
    }
    cr_expect_eq(kube_slice_merge(pods, 0), 0);
}
