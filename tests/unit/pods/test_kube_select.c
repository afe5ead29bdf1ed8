/* SPDX-License-Identifier: MIT */
/* Which pods are the Deployment's, and which count: in recorded rollouts, and by the rules one by one. */
#include <config.h>

#include "kube_rig.h"

#include "../../../src/pods/kube_select.h"

TestSuite(kube_select, .timeout = 10);

struct rig {
    struct kube_deployment deployment;
    struct kube_selection selection;
};

static void rig_init(struct rig *rig, enum conf_pod_filter filter, enum conf_pod_scope scope, size_t max_pods)
{
    struct kube_rules rules = {.filter = filter, .scope = scope, .port = 8443, .max_pods = max_pods};

    *rig = (struct rig){.deployment = {.uid = "deployment", .revision = "2"}};
    buf_init(&rig->deployment.selector, KUBE_SELECTOR_MAX_BYTES);
    cr_assert_eq(kube_selection_init(&rig->selection, &rules), 0);
}

static void rig_release(struct rig *rig)
{
    kube_selection_release(&rig->selection);
    buf_release(&rig->deployment.selector);
}

static int add_set(struct rig *rig, const char *uid, const char *owner, const char *revision)
{
    struct kube_replicaset set = {0};

    snprintf(set.uid, sizeof(set.uid), "%s", uid);
    snprintf(set.owner, sizeof(set.owner), "%s", owner);
    snprintf(set.revision, sizeof(set.revision), "%s", revision);
    return kube_selection_add_set(&rig->selection, &rig->deployment, &set, NULL);
}

static int add_pod(struct rig *rig, const char *name, const char *owner, const char *addr, enum source_state state)
{
    struct kube_pod pod = {.state = state};

    snprintf(pod.name, sizeof(pod.name), "%s", name);
    snprintf(pod.uid, sizeof(pod.uid), "uid-%.50s", name);
    snprintf(pod.owner, sizeof(pod.owner), "%s", owner);
    if (addr)
        cr_assert_eq(addr_parse(&pod.addr, addr, strlen(addr)), 0);
    return kube_selection_add_pod(&rig->selection, &pod, NULL);
}

/* The names of those that count, each with a semicolon. */
static void expect_counting(struct rig *rig, const char *expected)
{
    char got[1024] = "";

    kube_selection_finish(&rig->selection);
    for (size_t i = 0; i < rig->selection.n; i++)
        if (rig->selection.pods[i].counts)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s;", rig->selection.pods[i].name);
    cr_expect_str_eq(got, expected, "%s", got);
}

/* ---- recordings ---- */

static int on_set(void *arg, const struct json_doc *doc, struct err *err)
{
    struct rig *rig = arg;
    struct kube_replicaset set;

    return kube_read_replicaset(doc, 0, &set, err) < 0
               ? -1
               : kube_selection_add_set(&rig->selection, &rig->deployment, &set, err);
}

static int on_pod(void *arg, const struct json_doc *doc, struct err *err)
{
    struct rig *rig = arg;
    struct kube_pod pod;

    return kube_read_pod(doc, 0, &pod, err) < 0 ? -1 : kube_selection_add_pod(&rig->selection, &pod, err);
}

static void read_list(struct rig *rig, size_t version, size_t phase, const char *what, const char *kind,
                      int (*on_item)(void *arg, const struct json_doc *doc, struct err *err))
{
    struct buf text = kube_recorded(version, phase, what), next;
    struct json_doc *doc = json_doc_new(KUBE_OBJECT_MAX_VALUES);
    struct kube_list list = {.kind = kind, .doc = doc, .next = &next, .on_item = on_item, .arg = rig};
    struct err err = {""};

    buf_init(&next, KUBE_CONTINUE_MAX_BYTES);
    kube_list_begin(&list);
    cr_assert_eq(kube_list_feed(&list, text.data, text.len, &err), 0, "%s", err.text);
    cr_assert_eq(kube_list_end(&list, &err), 0, "%s", err.text);
    kube_list_release(&list);
    json_doc_free(doc);
    buf_release(&next);
    buf_release(&text);
}

static void read_recorded(struct rig *rig, size_t version, size_t phase)
{
    struct buf text = kube_recorded(version, phase, "deployment");
    struct json_doc *doc = kube_doc(text.data, text.len);

    cr_assert_eq(kube_read_deployment(doc, 0, &rig->deployment, NULL), 0);
    json_doc_free(doc);
    buf_release(&text);
    read_list(rig, version, phase, "replicasets", "ReplicaSetList", on_set);
    read_list(rig, version, phase, "pods", "PodList", on_pod);
    kube_selection_finish(&rig->selection);
}

static size_t counting(const struct rig *rig)
{
    size_t n = 0;

    for (size_t i = 0; i < rig->selection.n; i++)
        n += rig->selection.pods[i].counts;
    return n;
}

Test(kube_select, recorded_rollouts)
{
    static const struct {
        enum conf_pod_filter filter;
        enum conf_pod_scope scope;
        size_t counting[ARRAY_LEN(kube_phases)]; /* settled, rolling, rolled, undone, zero */
    } cases[] = {
        {CONF_FILTER_READY, CONF_SCOPE_DEPLOYMENT, {3, 3, 3, 3, 0}},
        {CONF_FILTER_READY, CONF_SCOPE_REVISION, {3, 1, 3, 3, 0}},
        {CONF_FILTER_ALL, CONF_SCOPE_DEPLOYMENT, {3, 5, 5, 5, 0}},
        {CONF_FILTER_ALL, CONF_SCOPE_REVISION, {3, 2, 3, 3, 0}},
    };
    static const size_t pods[] = {3, 5, 5, 5, 0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t v = 0; v < ARRAY_LEN(kube_versions); v++) {
            for (size_t p = 0; p < ARRAY_LEN(kube_phases); p++) {
                struct rig rig;

                rig_init(&rig, cases[i].filter, cases[i].scope, 16);
                read_recorded(&rig, v, p);
                cr_expect_eq(rig.selection.n, pods[p], "%s %s", kube_versions[v], kube_phases[p]);
                cr_expect_eq(counting(&rig), cases[i].counting[p], "case %zu, %s %s: %zu", i, kube_versions[v],
                             kube_phases[p], counting(&rig));
                rig_release(&rig);
            }
        }
    }
}

Test(kube_select, one_selection_reads_all_recordings_in_turn)
{
    struct rig rig;

    rig_init(&rig, CONF_FILTER_READY, CONF_SCOPE_REVISION, 16);
    for (size_t v = 0; v < ARRAY_LEN(kube_versions); v++) {
        for (size_t p = 0; p < ARRAY_LEN(kube_phases); p++) {
            kube_selection_clear(&rig.selection);
            read_recorded(&rig, v, p);
            cr_expect_eq(counting(&rig), p == 1 ? 1 : p == 4 ? 0 : 3);
        }
    }
    rig_release(&rig);
}

/* ---- whose pods ---- */

Test(kube_select, pods_and_sets_of_others_are_passed_over)
{
    struct rig rig;

    rig_init(&rig, CONF_FILTER_ALL, CONF_SCOPE_DEPLOYMENT, 2);
    cr_expect_eq(add_set(&rig, "z-ours", "deployment", "2"), 0);
    cr_expect_eq(add_set(&rig, "foreign", "another", "2"), 0);
    cr_expect_eq(add_set(&rig, "orphan", "", "2"), 0);
    cr_expect_eq(add_set(&rig, "a-ours", "deployment", "1"), 0);
    cr_expect_eq(rig.selection.n_sets, 2);
    cr_expect_eq(add_pod(&rig, "a", "a-ours", "10.0.0.1", SOURCE_READY), 0);
    cr_expect_eq(add_pod(&rig, "b", "foreign", "10.0.0.2", SOURCE_READY), 0);
    cr_expect_eq(add_pod(&rig, "c", "orphan", "10.0.0.3", SOURCE_READY), 0);
    cr_expect_eq(add_pod(&rig, "d", "", "10.0.0.4", SOURCE_READY), 0);
    cr_expect_eq(add_pod(&rig, "e", "deployment", "10.0.0.5", SOURCE_READY), 0, "a pod's owner is a set");
    cr_expect_eq(add_pod(&rig, "f", "z-ours", "10.0.0.6", SOURCE_READY), 0);
    expect_counting(&rig, "a;f;");
    cr_expect_str_eq(rig.selection.pods[1].uid, "uid-f");
    cr_expect_eq(rig.selection.pods[1].port, 8443);
    rig_release(&rig);
}

Test(kube_select, without_sets_there_are_no_pods)
{
    struct rig rig;

    rig_init(&rig, CONF_FILTER_ALL, CONF_SCOPE_DEPLOYMENT, 2);
    cr_expect_eq(add_pod(&rig, "a", "", "10.0.0.1", SOURCE_READY), 0);
    expect_counting(&rig, "");
    cr_expect_eq(rig.selection.n, 0);
    rig_release(&rig);
}

/* ---- which count ---- */

static void add_one_in_each_state(struct rig *rig)
{
    cr_assert_eq(add_set(rig, "s", "deployment", "2"), 0);
    add_pod(rig, "pending", "s", "10.0.0.1", SOURCE_PENDING);
    add_pod(rig, "ready", "s", "10.0.0.2", SOURCE_READY);
    add_pod(rig, "unready", "s", "10.0.0.3", SOURCE_UNREADY);
    add_pod(rig, "terminating", "s", "10.0.0.4", SOURCE_TERMINATING);
    add_pod(rig, "failed", "s", "10.0.0.5", SOURCE_FAILED);
    add_pod(rig, "unknown", "s", "fd00::6", SOURCE_UNKNOWN);
    add_pod(rig, "ready-no-address", "s", NULL, SOURCE_READY);
    cr_expect_eq(rig->selection.n, 7, "pods in any state are known");
}

Test(kube_select, filter_ready)
{
    struct rig rig;

    rig_init(&rig, CONF_FILTER_READY, CONF_SCOPE_DEPLOYMENT, 8);
    add_one_in_each_state(&rig);
    expect_counting(&rig, "ready;");
    rig_release(&rig);
}

Test(kube_select, filter_all)
{
    struct rig rig;

    rig_init(&rig, CONF_FILTER_ALL, CONF_SCOPE_DEPLOYMENT, 8);
    add_one_in_each_state(&rig);
    expect_counting(&rig, "pending;ready;unready;terminating;failed;unknown;");
    rig_release(&rig);
}

/* ---- revisions ---- */

static void begin_rollout(struct rig *rig, enum conf_pod_scope scope)
{
    rig_init(rig, CONF_FILTER_READY, scope, 8);
    cr_assert_eq(add_set(rig, "old", "deployment", "1"), 0);
    cr_assert_eq(add_set(rig, "new", "deployment", "2"), 0);
    add_pod(rig, "old-1", "old", "10.0.0.1", SOURCE_READY);
    add_pod(rig, "old-2", "old", "10.0.0.2", SOURCE_READY);
}

Test(kube_select, the_old_revision_counts_until_the_current_one_has_a_ready_pod)
{
    struct rig rig;

    begin_rollout(&rig, CONF_SCOPE_REVISION);
    expect_counting(&rig, "old-1;old-2;");
    add_pod(&rig, "new-1", "new", NULL, SOURCE_PENDING);
    add_pod(&rig, "new-2", "new", "10.0.0.3", SOURCE_UNREADY);
    add_pod(&rig, "new-3", "new", "10.0.0.4", SOURCE_TERMINATING);
    add_pod(&rig, "new-4", "new", NULL, SOURCE_READY);
    expect_counting(&rig, "old-1;old-2;");
    add_pod(&rig, "new-5", "new", "10.0.0.5", SOURCE_READY);
    expect_counting(&rig, "new-5;");
    rig_release(&rig);
}

Test(kube_select, the_scope_deployment_knows_no_revision)
{
    struct rig rig;

    begin_rollout(&rig, CONF_SCOPE_DEPLOYMENT);
    add_pod(&rig, "new-1", "new", "10.0.0.3", SOURCE_READY);
    expect_counting(&rig, "old-1;old-2;new-1;");
    rig_release(&rig);
}

Test(kube_select, revisions_match_by_equal_annotation)
{
    struct rig rig;

    rig_init(&rig, CONF_FILTER_READY, CONF_SCOPE_REVISION, 8);
    snprintf(rig.deployment.revision, sizeof(rig.deployment.revision), "10");
    add_set(&rig, "highest", "deployment", "11");
    add_set(&rig, "prefix", "deployment", "1");
    add_set(&rig, "longer", "deployment", "100");
    add_set(&rig, "none", "deployment", "");
    add_set(&rig, "equal", "deployment", "10");
    add_pod(&rig, "a", "highest", "10.0.0.1", SOURCE_READY);
    add_pod(&rig, "b", "prefix", "10.0.0.2", SOURCE_READY);
    add_pod(&rig, "c", "longer", "10.0.0.3", SOURCE_READY);
    add_pod(&rig, "d", "none", "10.0.0.4", SOURCE_READY);
    add_pod(&rig, "e", "equal", "10.0.0.5", SOURCE_READY);
    expect_counting(&rig, "e;");
    rig_release(&rig);
}

Test(kube_select, no_revision_equals_none)
{
    struct rig rig;

    rig_init(&rig, CONF_FILTER_READY, CONF_SCOPE_REVISION, 8);
    rig.deployment.revision[0] = '\0';
    add_set(&rig, "none", "deployment", "");
    add_set(&rig, "one", "deployment", "1");
    add_pod(&rig, "a", "none", "10.0.0.1", SOURCE_READY);
    add_pod(&rig, "b", "one", "10.0.0.2", SOURCE_READY);
    expect_counting(&rig, "a;b;");
    rig_release(&rig);
}

/* ---- too many ---- */

Test(kube_select, more_pods_than_max_pods_are_an_error)
{
    struct rig rig;

    rig_init(&rig, CONF_FILTER_READY, CONF_SCOPE_DEPLOYMENT, 2);
    add_set(&rig, "s", "deployment", "2");
    cr_expect_eq(add_pod(&rig, "a", "s", NULL, SOURCE_PENDING), 0);
    cr_expect_eq(add_pod(&rig, "b", "s", NULL, SOURCE_FAILED), 0);
    cr_expect_eq(add_pod(&rig, "x", "foreign", "10.0.0.9", SOURCE_READY), 0, "those of others are not counted");
    cr_expect_not(rig.selection.too_many);
    cr_expect_eq(add_pod(&rig, "c", "s", "10.0.0.1", SOURCE_READY), -1);
    cr_expect(rig.selection.too_many && rig.selection.n == 2);
    kube_selection_clear(&rig.selection);
    cr_expect(!rig.selection.too_many && rig.selection.n == 0 && rig.selection.n_sets == 0);
    rig_release(&rig);
}

Test(kube_select, more_sets_than_there_is_room_for_are_an_error)
{
    struct rig rig;
    char uid[32];

    rig_init(&rig, CONF_FILTER_READY, CONF_SCOPE_DEPLOYMENT, 2);
    for (int i = 0; i < KUBE_MAX_SETS; i++) {
        snprintf(uid, sizeof(uid), "set-%d", i);
        cr_assert_eq(add_set(&rig, uid, "deployment", "2"), 0);
    }
    cr_expect_eq(add_set(&rig, "foreign", "another", "2"), 0);
    cr_expect_eq(add_set(&rig, "one-more", "deployment", "2"), -1);
    cr_expect_eq(add_pod(&rig, "a", "set-4095", "10.0.0.1", SOURCE_READY), 0);
    expect_counting(&rig, "a;");
    rig_release(&rig);
}
