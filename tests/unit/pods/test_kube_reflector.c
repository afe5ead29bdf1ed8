/* SPDX-License-Identifier: MIT */
/* The own limits of a watch, made short: a server that says nothing, and a Role that is mended. */
#include <config.h>

#include "source_rig.h"

#include "../../../src/pods/kube_reflector.h"

TestSuite(kube_reflector, .timeout = 20);

#define WAIT(what)  \
    while (!(what)) \
    loop_turn(loop, 20 * NS_PER_MS, NULL)

static const struct kube_resource pods = {
    .verb = "list", .name = "pods", .group = "", .root = "/api/v1", .list_kind = "PodList"};
static const struct kube_limits limits = {
    .request_ms = 5000, .watch_head_ms = 300, .watch_idle_ms = 1500, .watch_s = 300, .forbidden_ms = 500};

static struct kube_reflector reflector;
static struct kube_client *client;
static struct json_doc *doc;
static struct {
    int listed, failed, lost, notices;
    bool works; /* as the last notice says */
} told;

static int on_read(void *arg, struct kube_reflector *from, const struct json_doc *d, json_value object,
                   struct kube_record *out, struct err *err)
{
    struct kube_pod pod;

    (void)arg;
    (void)from;
    (void)out;
    return kube_read_pod(d, object, &pod, err);
}

static void on_listed(void *arg, struct kube_reflector *from)
{
    (void)arg;
    (void)from;
    told.listed++;
}

static void on_list_failed(void *arg, struct kube_reflector *from, const char *reason, int64_t retry_after_ms)
{
    (void)arg;
    (void)from;
    (void)reason;
    (void)retry_after_ms;
    told.failed++;
}

static void on_change(void *arg, struct kube_reflector *from, bool records)
{
    (void)arg;
    (void)from;
    (void)records;
}

static void on_lost(void *arg, struct kube_reflector *from)
{
    (void)arg;
    (void)from;
    told.lost++;
}

static void on_reflector_notice(void *arg, struct kube_reflector *from, const char *reason)
{
    (void)arg;
    (void)from;
    told.notices++;
    told.works = reason == NULL;
}

static void setup(void)
{
    static const struct kube_reflector_events reflector_events = {on_read,   on_listed, on_list_failed,
                                                                  on_change, on_lost,   on_reflector_notice};
    struct err err = {""};

    start_rig("pods: kubernetes\ndeployment: ng-plus-apigw");
    tell("live");
    client = kube_client_new(loop, &conf, "syncer/test", &err);
    doc = json_doc_new(KUBE_OBJECT_MAX_VALUES);
    cr_assert(client && doc, "%s", err.text);
    reflector = (struct kube_reflector){.resource = &pods, .events = &reflector_events, .client = client, .doc = doc};
    cr_assert_eq(kube_reflector_init(&reflector, loop, sizeof(struct kube_record), 16, NULL), 0);
    reflector.limits = &limits;
    cr_assert_eq(kube_reflector_aim(&reflector, "app=ng-plus-apigw"), 0);
    kube_reflector_list(&reflector);
    WAIT(told.listed == 1 && reflector.watch == KUBE_WATCH_ON);
    cr_assert_eq(reflector.records.n, 3);
}

static void end(void)
{
    kube_reflector_release(&reflector);
    kube_client_free(client);
    json_doc_free(doc);
    loop_turn(loop, 0, NULL);
    teardown();
}

/* A dead connection looks just like a quiet cluster. */
Test(kube_reflector, a_silent_stream_is_asked_for_anew, .init = setup, .fini = end)
{
    uint64_t starts = reflector.n_starts;

    tell("watch pods silent 1");
    tell("end pods");
    WAIT(reflector.n_starts == starts + 1);
    tell("pod x 10.0.0.9 ready"); /* the silent one does not tell */
    WAIT(reflector.records.n == 4);
    cr_expect_geq(reflector.n_starts, starts + 2);
    cr_expect(told.lost == 0 && told.listed == 1);
}

Test(kube_reflector, a_server_that_does_not_answer_is_asked_again, .init = setup, .fini = end)
{
    uint64_t starts = reflector.n_starts;

    tell("watch pods hang 1");
    tell("end pods");
    WAIT(reflector.n_starts == starts + 2 && reflector.watch == KUBE_WATCH_ON);
    tell("pod x 10.0.0.9 ready");
    WAIT(reflector.records.n == 4);
    cr_expect(told.lost == 0 && told.listed == 1);
}

Test(kube_reflector, a_role_that_is_mended, .init = setup, .fini = end)
{
    tell("watch pods 403 0");
    tell("end pods");
    WAIT(told.notices == 1);
    cr_expect(!told.works && reflector.forbidden);
    tell("watch pods well 0");
    tell("quiet pod x 10.0.0.9 ready");
    kube_reflector_list(&reflector);
    WAIT(told.listed == 2);
    cr_expect_eq(reflector.records.n, 4, "lists go on");
    WAIT(reflector.watch == KUBE_WATCH_ON);
    WAIT(told.notices == 2);
    cr_expect(told.works && !reflector.forbidden);
}

/* Whatever runs ends without an event. */
Test(kube_reflector, aimed_elsewhere_it_forgets, .init = setup, .fini = end)
{
    kube_reflector_list(&reflector);
    cr_assert_eq(kube_reflector_aim(&reflector, "app=other"), 0);
    cr_expect(reflector.records.n == 0 && !reflector.complete && reflector.watch == KUBE_WATCH_OFF);
    for (int i = 0; i < 10; i++)
        loop_turn(loop, 20 * NS_PER_MS, NULL);
    cr_expect(told.listed == 1 && told.failed == 0);
    kube_reflector_list(&reflector);
    WAIT(told.failed == 1); /* the fake knows the other selector only */
}
