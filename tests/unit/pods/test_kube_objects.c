/* SPDX-License-Identifier: MIT */
/* Objects of the API: what recorded ones say, and what becomes of those that no API server should send. */
#include <config.h>

#include "kube_rig.h"

TestSuite(kube_objects, .timeout = 10);

/* ---- one object out of a text ---- */

static int read_pod(const char *text, struct kube_pod *pod, struct err *err)
{
    struct json_doc *doc = kube_doc(text, strlen(text));
    int rc;

    memset(pod, 0xa5, sizeof(*pod)); /* nothing may stay as it was */
    rc = kube_read_pod(doc, 0, pod, err);
    json_doc_free(doc);
    return rc;
}

static int read_set(const char *text, struct kube_replicaset *set, struct err *err)
{
    struct json_doc *doc = kube_doc(text, strlen(text));
    int rc;

    memset(set, 0xa5, sizeof(*set));
    rc = kube_read_replicaset(doc, 0, set, err);
    json_doc_free(doc);
    return rc;
}

/* The deployment's selector is made here; the caller releases it. */
static int read_deployment(const char *text, struct kube_deployment *deployment, struct err *err)
{
    struct json_doc *doc = kube_doc(text, strlen(text));
    int rc;

    memset(deployment, 0xa5, sizeof(*deployment));
    buf_init(&deployment->selector, KUBE_SELECTOR_MAX_BYTES);
    rc = kube_read_deployment(doc, 0, deployment, err);
    json_doc_free(doc);
    return rc;
}

static struct kube_pod good_pod(const char *text)
{
    struct kube_pod pod;
    struct err err = {""};

    cr_assert_eq(read_pod(text, &pod, &err), 0, "%s: %s", err.text, text);
    return pod;
}

static void expect_addr(const struct kube_pod *pod, const char *text)
{
    char got[ADDR_TEXT_BYTES];

    cr_expect_str_eq(addr_format(&pod->addr, got), text);
}

/* A pod of which `status` is all that matters. */
static struct kube_pod pod_of_status(const char *status)
{
    char text[1024];

    snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"},\"status\":%s}", status);
    return good_pod(text);
}

/* ---- recordings ---- */

Test(kube_objects, recorded_deployments)
{
    static const char *const revisions[] = {"1", "2", "2", "3", "3"};
    static const char *const uids[] = {"ff167409-e457-46c1-8c0d-3ed7312fa9f8", "17eb4804-830a-4de4-bd4a-cca35692102b"};

    for (size_t v = 0; v < ARRAY_LEN(kube_versions); v++) {
        for (size_t p = 0; p < ARRAY_LEN(kube_phases); p++) {
            struct buf text = kube_recorded(v, p, "deployment");
            struct kube_deployment deployment;
            struct err err = {""};

            cr_assert_eq(read_deployment(buf_str(&text), &deployment, &err), 0, "%s", err.text);
            cr_expect_str_eq(deployment.uid, uids[v]);
            cr_expect_str_eq(deployment.revision, revisions[p]);
            cr_expect_str_eq(buf_str(&deployment.selector), "app=ng-plus-apigw");
            buf_release(&deployment.selector);
            buf_release(&text);
        }
    }
}

Test(kube_objects, recorded_refusals)
{
    static const struct {
        const char *file, *begin;
    } refusals[] = {
        {"deployment-get-403.json", "deployments.apps \"ng-plus-apigw\" is forbidden: User \"system:"},
        {"deployment-get-404.json", "deployments.apps \"no-such-deployment\" not found"},
        {"pods-list-401.json", "Unauthorized"},
        {"pods-list-403.json", "pods is forbidden: User \"system:serviceaccount:apigwp-cz:norights\" cannot list"},
        {"replicasets-list-403.json", "replicasets.apps is forbidden: "},
    };

    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct buf text = kube_recording(refusals[i].file);
        struct json_doc *doc = kube_doc(text.data, text.len);
        struct kube_deployment deployment;
        char message[KUBE_MESSAGE_BYTES];
        struct err err = {""};

        kube_read_message(doc, 0, message);
        cr_expect(strncmp(message, refusals[i].begin, strlen(refusals[i].begin)) == 0, "%s", message);
        json_doc_free(doc);
        cr_expect_eq(read_deployment(buf_str(&text), &deployment, &err), -1, "a refusal is no Deployment");
        cr_expect_str_eq(err.text, "the answer is no Deployment");
        buf_release(&deployment.selector);
        buf_release(&text);
    }
}

/* ---- pods ---- */

Test(kube_objects, members_come_in_any_order)
{
    struct kube_pod pod =
        good_pod("{\"status\":{\"conditions\":[{\"status\":\"False\",\"type\":\"Initialized\"},"
                 "{\"status\":\"True\",\"type\":\"Ready\"}],\"podIP\":\"10.1.2.3\",\"phase\":\"Running\"},"
                 "\"spec\":{\"containers\":null},\"metadata\":{\"ownerReferences\":["
                 "{\"uid\":\"other\",\"kind\":\"X\"},{\"uid\":\"rs\",\"controller\":true}],"
                 "\"uid\":\"u-1\",\"name\":\"gw-1\"}}");

    cr_expect_str_eq(pod.name, "gw-1");
    cr_expect_str_eq(pod.uid, "u-1");
    cr_expect_str_eq(pod.owner, "rs");
    cr_expect_eq(pod.state, SOURCE_READY);
    expect_addr(&pod, "10.1.2.3");
}

Test(kube_objects, what_looks_like_a_value_elsewhere_is_none)
{
    struct kube_pod pod =
        good_pod("{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"managedFields\":[{\"fieldsV1\":{\"f:status\":{\"f:"
                 "podIP\":{}},"
                 "\"podIP\":\"10.9.9.9\"}}],\"annotations\":{\"podIP\":\"10.9.9.8\",\"deletionTimestamp\":\"x\"}},"
                 "\"podIP\":\"10.9.9.7\",\"phase\":\"Running\",\"status\":{\"podIPs\":[{\"ip\":\"10.9.9.6\"}]}}");

    expect_addr(&pod, "-");
    cr_expect_eq(pod.state, SOURCE_UNKNOWN);
    cr_expect_str_eq(pod.owner, "");
}

Test(kube_objects, states)
{
    static const struct {
        const char *status;
        enum source_state state;
    } cases[] = {
        {"{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}", SOURCE_READY},
        {"{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}", SOURCE_UNREADY},
        {"{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"Unknown\"}]}", SOURCE_UNREADY},
        {"{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\"}]}", SOURCE_UNREADY},
        {"{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":true}]}", SOURCE_UNREADY},
        {"{\"phase\":\"Running\",\"conditions\":[{\"type\":\"ContainersReady\",\"status\":\"True\"}]}", SOURCE_UNREADY},
        {"{\"phase\":\"Running\",\"conditions\":[1,null,\"Ready\"]}", SOURCE_UNREADY},
        {"{\"phase\":\"Running\",\"conditions\":null}", SOURCE_UNREADY},
        {"{\"phase\":\"Running\"}", SOURCE_UNREADY},
        {"{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}", SOURCE_PENDING},
        {"{\"phase\":\"Failed\"}", SOURCE_FAILED},
        {"{\"phase\":\"Succeeded\"}", SOURCE_FAILED},
        {"{\"phase\":\"Unknown\"}", SOURCE_UNKNOWN},
        {"{\"phase\":\"running\"}", SOURCE_UNKNOWN},
        {"{\"phase\":7}", SOURCE_UNKNOWN},
        {"{}", SOURCE_UNKNOWN},
        {"null", SOURCE_UNKNOWN},
        {"[]", SOURCE_UNKNOWN},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(pod_of_status(cases[i].status).state, cases[i].state, "%s", cases[i].status);
}

Test(kube_objects, a_pod_being_deleted_is_not_ready)
{
    struct kube_pod pod = good_pod("{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"deletionTimestamp\":\"2026-"
                                   "01-01T00:00:00Z\"},\"status\":"
                                   "{\"phase\":\"Running\",\"podIP\":\"10.0.0.1\",\"conditions\":[{\"type\":"
                                   "\"Ready\",\"status\":\"True\"}]}}");

    cr_expect_eq(pod.state, SOURCE_TERMINATING);
    expect_addr(&pod, "10.0.0.1");
    pod = good_pod("{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"deletionTimestamp\":null},\"status\":"
                   "{\"phase\":\"Pending\"}}");
    cr_expect_eq(pod.state, SOURCE_PENDING);
}

Test(kube_objects, addresses)
{
    static const struct {
        const char *status, *addr;
    } cases[] = {
        {"{\"podIP\":\"192.168.0.1\"}", "192.168.0.1"},
        {"{\"podIP\":\"fd00:10:244::1f\"}", "fd00:10:244::1f"},
        {"{\"podIP\":\"FD00:0:0:0:0:0:0:1\"}", "fd00::1"},
        {"{\"podIP\":\"::ffff:10.0.0.1\"}", "10.0.0.1"},
        {"{\"podIP\":\"10.0.0\\u002e1\"}", "10.0.0.1"},
        {"{\"podIP\":\"\"}", "-"},
        {"{\"podIP\":null}", "-"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_pod pod = pod_of_status(cases[i].status);

        expect_addr(&pod, cases[i].addr);
    }
}

/* Such a pod could not be asked, so it is not passed over. */
Test(kube_objects, what_is_no_address_is_nonsense)
{
    static const char *const cases[] = {
        "167772161",           "[\"10.0.0.1\"]",   "\"10.0.0.256\"",
        "\"10.0.0.1 \"",       "\"10.0.0.1:80\"",  "\"gw.example\"",
        "\"10.0.0.1\\u0000\"", "\"fe80::1%eth0\"", "\"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc\"",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_pod pod;
        char text[256];

        snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\"},\"status\":{\"podIP\":%s}}",
                 cases[i]);
        cr_expect_eq(read_pod(text, &pod, NULL), -1, "%s", text);
    }
}

Test(kube_objects, a_pod_without_name_or_uid_is_nonsense)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "\"pod\"",
        "{\"metadata\":null}",
        "{\"metadata\":[]}",
        "{\"metadata\":{\"name\":\"a\"}}",
        "{\"metadata\":{\"uid\":\"u\"}}",
        "{\"metadata\":{\"name\":\"\",\"uid\":\"u\"}}",
        "{\"metadata\":{\"name\":\"a\",\"uid\":\"\"}}",
        "{\"metadata\":{\"name\":null,\"uid\":\"u\"}}",
        "{\"metadata\":{\"name\":7,\"uid\":\"u\"}}",
        "{\"metadata\":{\"name\":{\"name\":\"a\"},\"uid\":\"u\"}}",
        "{\"metadata\":{\"name\":\"a\\u0000b\",\"uid\":\"u\"}}",
        "{\"metadata\":{\"name\":\"a\\ud800\",\"uid\":\"u\"}}",
        "{\"name\":\"a\",\"uid\":\"u\"}",
    };
    struct kube_pod pod;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err err = {""};

        cr_expect_eq(read_pod(texts[i], &pod, &err), -1, "%s", texts[i]);
        cr_expect_str_eq(err.text, "a Pod without name or uid", "%s", texts[i]);
    }
}

Test(kube_objects, names_as_long_as_they_may_be_and_longer)
{
    char name[SOURCE_NAME_MAX + 2], uid[SOURCE_UID_MAX + 2], text[1024];
    struct kube_pod pod;

    memset(name, 'n', sizeof(name));
    memset(uid, 'u', sizeof(uid));
    for (int longer = 0; longer < 4; longer++) {
        int name_len = SOURCE_NAME_MAX + longer % 2, uid_len = SOURCE_UID_MAX + longer / 2;

        snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"%.*s\",\"uid\":\"%.*s\"}}", name_len, name, uid_len,
                 uid);
        cr_expect_eq(read_pod(text, &pod, NULL), longer == 0 ? 0 : -1, "%d", longer);
        if (longer == 0)
            cr_expect(strlen(pod.name) == SOURCE_NAME_MAX && strlen(pod.uid) == SOURCE_UID_MAX);
    }
}

Test(kube_objects, escapes)
{
    struct kube_pod pod =
        good_pod("{\"\\u006detadata\":{\"n\\u0061me\":\"gw\\u002d1\",\"uid\":\"\\u003c\\u0026\\u003e\\/\"}}");

    cr_expect_str_eq(pod.name, "gw-1");
    cr_expect_str_eq(pod.uid, "<&>/");
}

Test(kube_objects, the_owner_is_the_one_that_controls)
{
    static const struct {
        const char *owners, *owner; /* NULL: not understood */
    } cases[] = {
        {"[{\"uid\":\"a\",\"controller\":true}]", "a"},
        {"[{\"uid\":\"a\",\"controller\":false},{\"controller\":true,\"uid\":\"b\"}]", "b"},
        {"[{\"uid\":\"a\"}]", ""},
        {"[{\"uid\":\"a\",\"controller\":null}]", ""},
        {"[]", ""},
        {"null", ""},
        {"[{\"controller\":true}]", NULL},
        {"[{\"controller\":true,\"uid\":7}]", NULL},
        {"[{\"controller\":true,\"uid\":\"\"}]", NULL},
        {"[{\"controller\":true,\"uid\":\"0123456789012345678901234567890123456789012345678901234567890123\"}"
         "]",
         NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        struct kube_replicaset set;
        struct kube_pod pod;
        int rc = cases[i].owner ? 0 : -1;

        snprintf(text, sizeof(text), "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"ownerReferences\":%s}}",
                 cases[i].owners);
        cr_expect_eq(read_pod(text, &pod, NULL), rc, "%s", text);
        cr_expect_eq(read_set(text, &set, NULL), rc, "%s", text);
        if (rc < 0)
            continue;
        cr_expect_str_eq(pod.owner, cases[i].owner);
        cr_expect_str_eq(set.owner, cases[i].owner);
    }
}

/* ---- ReplicaSets and Deployments ---- */

Test(kube_objects, replicasets)
{
    struct kube_replicaset set;
    struct err err = {""};

    cr_assert_eq(read_set("{\"metadata\":{\"annotations\":{\"deployment.kubernetes.io/revision-history\":\"1\","
                          "\"deployment.kubernetes.io/revision\":\"12\"},\"uid\":\"s\"}}",
                          &set, &err),
                 0);
    cr_expect_str_eq(set.uid, "s");
    cr_expect_str_eq(set.revision, "12");
    cr_expect_eq(read_set("{\"metadata\":{\"uid\":\"s\",\"annotations\":null}}", &set, &err), 0);
    cr_expect_str_eq(set.revision, "");
    cr_expect_eq(read_set("{\"metadata\":{}}", &set, &err), -1);
    cr_expect_str_eq(err.text, "a ReplicaSet without uid");
    cr_expect_eq(read_set("{\"metadata\":{\"uid\":\"s\",\"annotations\":{\"deployment.kubernetes.io/revision\":1}}}",
                          &set, &err),
                 -1);
    cr_expect_str_eq(err.text, "a ReplicaSet whose annotation deployment.kubernetes.io/revision is no short string");
}

/* What becomes of a selector; NULL = it is not understood. */
static void expect_selector(const char *selector, const char *expected)
{
    char text[2048];
    struct kube_deployment deployment;
    struct err err = {""};
    int rc;

    snprintf(text, sizeof(text), "{\"kind\":\"Deployment\",\"metadata\":{\"uid\":\"d\"},\"spec\":{\"selector\":%s}}",
             selector);
    rc = read_deployment(text, &deployment, &err);
    cr_expect_eq(rc, expected ? 0 : -1, "%s", selector);
    if (rc == 0 && expected)
        cr_expect_str_eq(buf_str(&deployment.selector), expected);
    else
        cr_expect_str_eq(err.text, "the Deployment's spec.selector is missing, empty or not understood", "%s",
                         selector);
    buf_release(&deployment.selector);
}

Test(kube_objects, selectors)
{
    expect_selector("{\"matchLabels\":{\"app\":\"gw\"}}", "app=gw");
    expect_selector("{\"matchLabels\":{\"app.example.com/name\":\"gw_1.a\",\"x\":\"\"}}",
                    "app.example.com/name=gw_1.a,x=");
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"b\",\"c\"]}]}",
                    "a in (b,c)");
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"b\"]}]}",
                    "a notin (b)");
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}", "a");
    expect_selector("{\"matchExpressions\":[{\"operator\":\"Exists\",\"values\":null,\"key\":\"a\"}]}", "a");
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"DoesNotExist\",\"values\":[]}]}", "!a");
    expect_selector("{\"matchExpressions\":[{\"values\":[\"b\",\"\"],\"key\":\"a\",\"operator\":\"In\"},"
                    "{\"key\":\"d\",\"operator\":\"DoesNotExist\"}],\"matchLabels\":{\"app\":\"gw\"}}",
                    "app=gw,a in (b,),!d");
    expect_selector("{\"matchLabels\":null,\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}", "a");
}

Test(kube_objects, selectors_that_are_not_understood)
{
    expect_selector("null", NULL);
    expect_selector("{}", NULL); /* it would select every pod */
    expect_selector("{\"matchLabels\":{},\"matchExpressions\":[]}", NULL);
    expect_selector("\"app=gw\"", NULL);
    expect_selector("{\"matchLabels\":\"app\"}", NULL);
    expect_selector("{\"matchLabels\":[\"app\",\"gw\"]}", NULL);
    expect_selector("{\"matchLabels\":{\"app\":1}}", NULL);
    expect_selector("{\"matchLabels\":{\"app\":null}}", NULL);
    expect_selector("{\"matchLabels\":{\"\":\"gw\"}}", NULL);
    expect_selector("{\"matchLabels\":{\"app\":\"a,b\"}}", NULL);
    expect_selector("{\"matchLabels\":{\"app\":\"a\\u0026limit=1\"}}", NULL);
    expect_selector("{\"matchLabels\":{\"app!\":\"gw\"}}", NULL);
    expect_selector("{\"matchLabels\":{\"app\":\"0123456789012345678901234567890123456789012345678901234567890123\"}}",
                    NULL);
    expect_selector("{\"matchExpressions\":{\"key\":\"a\",\"operator\":\"Exists\"}}", NULL);
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Gt\",\"values\":[\"1\"]}]}", NULL);
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"in\",\"values\":[\"b\"]}]}", NULL);
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\"}]}", NULL);
    expect_selector("{\"matchExpressions\":[{\"operator\":\"Exists\"}]}", NULL);
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}", NULL);
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[]}]}", NULL);
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":\"b\"}]}", NULL);
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"b\",2]}]}", NULL);
    expect_selector("{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"b)\"]}]}", NULL);
    /* Half of a selector selects more than the whole. */
    expect_selector("{\"matchLabels\":{\"app\":\"gw\"},\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"?\"}]}",
                    NULL);
}

Test(kube_objects, a_selector_longer_than_its_limit)
{
    struct buf text;
    struct kube_deployment deployment;

    buf_init(&text, KUBE_OBJECT_MAX_BYTES);
    buf_add_str(&text,
                "{\"kind\":\"Deployment\",\"metadata\":{\"uid\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{");
    for (int i = 0; i < 400; i++)
        buf_addf(&text, "%s\"label-%d\":\"0123456789012345678901234567890123456789\"", i ? "," : "", i);
    buf_add_str(&text, "}}}}");
    cr_expect_eq(read_deployment(buf_str(&text), &deployment, NULL), -1);
    buf_release(&deployment.selector);
    buf_release(&text);
}

Test(kube_objects, deployments)
{
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"{\"metadata\":{\"uid\":\"d\"},\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}}}}",
         "the answer is no Deployment"},
        {"{\"kind\":\"DeploymentList\",\"items\":[]}", "the answer is no Deployment"},
        {"[{\"kind\":\"Deployment\"}]", "the answer is no Deployment"},
        {"{\"kind\":\"Deployment\"}", "the Deployment has no uid"},
        {"{\"kind\":\"Deployment\",\"metadata\":{\"uid\":{}}}", "the Deployment has no uid"},
        {"{\"kind\":\"Deployment\",\"metadata\":{\"uid\":\"d\",\"annotations\":{\"deployment.kubernetes.io/"
         "revision\":"
         "\"0123456789012345678901234\"}}}",
         "the Deployment's annotation deployment.kubernetes.io/revision is no short string"},
        {"{\"kind\":\"Deployment\",\"metadata\":{\"uid\":\"d\"}}",
         "the Deployment's spec.selector is missing, empty or not understood"},
    };
    struct kube_deployment deployment;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {""};

        cr_expect_eq(read_deployment(bad[i].text, &deployment, &err), -1);
        cr_expect_str_eq(err.text, bad[i].reason);
        buf_release(&deployment.selector);
    }
    cr_assert_eq(
        read_deployment("{\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}}},\"metadata\":{\"uid\":\"d\"},"
                        "\"kind\":\"Deployment\"}",
                        &deployment, NULL),
        0);
    cr_expect_str_eq(deployment.revision, "", "its controller has not seen it yet");
    buf_release(&deployment.selector);
}

/* ---- the rest ---- */

static void expect_message(const char *text, const char *expected)
{
    struct json_doc *doc = kube_doc(text, strlen(text));
    char message[KUBE_MESSAGE_BYTES];

    memset(message, 0xa5, sizeof(message));
    kube_read_message(doc, 0, message);
    cr_expect_str_eq(message, expected);
    json_doc_free(doc);
}

Test(kube_objects, messages)
{
    char text[2600], longest[2100];

    expect_message("{\"message\":\"no\\n\\u003cb\\u003e\",\"kind\":\"Status\"}", "no\n<b>");
    expect_message("{\"message\":\"no\"}", "");
    expect_message("{\"kind\":\"Status\"}", "");
    expect_message("{\"kind\":\"Status\",\"message\":null}", "");
    expect_message("[]", "");
    memset(longest, 'x', sizeof(longest));
    longest[2047] = '\0';
    snprintf(text, sizeof(text), "{\"kind\":\"Status\",\"message\":\"%s\"}", longest);
    longest[KUBE_MESSAGE_BYTES - 1] = '\0';
    expect_message(text, longest);
}

static int read_continue(const char *text, struct buf *next)
{
    struct json_doc *doc = kube_doc(text, strlen(text));
    int rc = kube_read_continue(doc, next, NULL);

    json_doc_free(doc);
    return rc;
}

Test(kube_objects, continue_tokens)
{
    struct buf next, text;

    buf_init(&next, KUBE_CONTINUE_MAX_BYTES);
    cr_expect(read_continue("{\"continue\":\"eyJ2\\u003d\",\"resourceVersion\":\"1\"}", &next) == 0);
    cr_expect_str_eq(buf_str(&next), "eyJ2=");
    cr_expect(read_continue("{\"resourceVersion\":\"1\"}", &next) == 0 && next.len == 0, "the old one is forgotten");
    cr_expect(read_continue("{\"continue\":\"\"}", &next) == 0 && next.len == 0);
    cr_expect(read_continue("{\"continue\":null}", &next) == 0 && next.len == 0);
    cr_expect(read_continue("null", &next) == 0 && next.len == 0);
    cr_expect_eq(read_continue("{\"continue\":5}", &next), -1);
    buf_init(&text, 2 * KUBE_CONTINUE_MAX_BYTES);
    buf_add_str(&text, "{\"continue\":\"");
    for (size_t i = 0; i < KUBE_CONTINUE_MAX_BYTES; i++)
        buf_add_char(&text, 'c');
    buf_add_str(&text, "\"}");
    cr_expect_eq(read_continue(buf_str(&text), &next), -1, "cut, it would be another token");
    buf_release(&text);
    buf_release(&next);
}
