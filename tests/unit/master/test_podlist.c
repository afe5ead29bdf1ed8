/* SPDX-License-Identifier: MIT */
/* From lists to the table: ids are kept and never reused, and nothing is published without a change. */
#include <config.h>
#include <criterion/criterion.h>
#include <stdio.h>

#include "fake_master.h"

TestSuite(podlist, .timeout = 10, .init = fake_start, .fini = fake_stop);

static void take(const struct source_pod *pods, size_t n)
{
    struct err err = {""};

    cr_assert_eq(podlist_take(&fake.master, pods, n, &err), 0, "%s", err.text);
}

static uint64_t id_of(const char *name)
{
    const struct podtable_pod *pod = fake_find(name);

    cr_assert(pod, "%s is not in the table", name);
    return pod->id;
}

Test(podlist, an_unchanged_list_in_another_order_is_not_published_again)
{
    struct source_pod pods[] = {fake_pod("b", "2", "10.0.0.2"), fake_pod("a", "1", "10.0.0.1")};
    struct source_pod turned[] = {pods[1], pods[0]};
    uint64_t generation;

    take(pods, 2);
    generation = podtable_generation(fake.master.table);
    take(turned, 2);
    cr_expect_eq(podtable_generation(fake.master.table), generation);
    cr_expect_eq(fake_n_pods(), 2u);
}

Test(podlist, an_empty_list_is_a_list)
{
    struct source_pod pod = fake_pod("a", "1", "10.0.0.1");

    take(NULL, 0);
    cr_expect_eq(podtable_generation(fake.master.table), 1u);
    take(&pod, 1);
    take(NULL, 0);
    cr_expect(podtable_generation(fake.master.table) == 3 && fake_n_pods() == 0);
}

Test(podlist, name_uid_address_and_port_make_a_pod)
{
    struct source_pod pod = fake_pod("a", "1", "10.0.0.1");
    uint64_t last;

    take(&pod, 1);
    last = id_of("a");
    pod.state = SOURCE_UNREADY;
    pod.counts = false;
    take(&pod, 1);
    cr_expect_eq(id_of("a"), last, "state and counts are not what it is");
    cr_expect(fake_find("a")->state == PODTABLE_UNREADY && !fake_find("a")->counts);
    pod = fake_pod("a", "2", "10.0.0.1");
    take(&pod, 1);
    cr_expect_gt(id_of("a"), last);
    last = id_of("a");
    pod = fake_pod("a", "2", "10.0.0.9");
    take(&pod, 1);
    cr_expect_gt(id_of("a"), last);
    last = id_of("a");
    pod.port++;
    take(&pod, 1);
    cr_expect_gt(id_of("a"), last);
}

/* One that stays while many come and go would share its place with each that many ids later. */
Test(podlist, no_two_pods_share_a_place_of_the_scoreboard)
{
    struct source_pod pods[] = {fake_pod("a", "1", "10.0.0.1"), fake_pod("b", "", "10.0.0.2")};
    uint32_t places = scoreboard_places(fake.master.board);

    for (uint32_t i = 0; i < 2 * places; i++) {
        snprintf(pods[1].uid, sizeof(pods[1].uid), "%u", i);
        take(pods, 2);
        cr_assert_neq(id_of("a") % places, id_of("b") % places, "pod %u", i);
    }
}

Test(podlist, an_id_is_never_used_again)
{
    struct source_pod pod = fake_pod("a", "1", "10.0.0.1");
    uint64_t first;

    take(&pod, 1);
    first = id_of("a");
    take(NULL, 0);
    take(&pod, 1);
    cr_expect_gt(id_of("a"), first, "even the same pod, if it was gone in between");
}

/* Two entries of one id would be one peer asked twice, and half the quorum would be the other half. */
Test(podlist, a_pod_that_is_there_twice_is_one_and_counts_if_either_does)
{
    struct source_pod pods[] = {fake_pod("a", "1", "10.0.0.1"), fake_pod("b", "2", "10.0.0.2"),
                                fake_pod("a", "1", "10.0.0.1")};
    uint64_t generation;

    pods[0].counts = false;
    take(pods, 3);
    cr_expect(fake_n_pods() == 2 && fake_find("a")->counts);
    generation = podtable_generation(fake.master.table);
    take(pods, 3);
    cr_expect_eq(podtable_generation(fake.master.table), generation);
}

Test(podlist, pods_of_one_name_keep_an_id_each)
{
    struct source_pod pods[] = {fake_pod("a", "1", "10.0.0.1"), fake_pod("a", "1", "10.0.0.2")};
    uint64_t generation;

    take(pods, 2);
    generation = podtable_generation(fake.master.table);
    take(pods, 2);
    cr_expect(fake_n_pods() == 2 && podtable_generation(fake.master.table) == generation);
}

Test(podlist, a_list_that_the_table_cannot_hold_changes_nothing)
{
    struct source_pod pods[65], first = fake_pod("first", "", "10.0.0.1");
    char name[16];

    take(&first, 1);
    for (int i = 0; i < 65; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        pods[i] = fake_pod(name, "", "10.0.1.1");
        pods[i].port = (uint16_t)(1000 + i);
    }
    cr_expect_eq(podlist_take(&fake.master, pods, 65, NULL), -1);
    cr_expect(fake_n_pods() == 1 && fake_find("first") && fake.master.n_pods == 1);
}
