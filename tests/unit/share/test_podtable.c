/* SPDX-License-Identifier: MIT */
/* The pod table as its users see it: lists in, snapshots out, finding, ages. Memory and its rights:
 * test_podtable_shm.c. */
#include <config.h>

#include <criterion/criterion.h>
#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/share/podtable.h>

#include "pods.h"

static struct podtable *table;
static struct podtable_reader *reader;

static void open_table(void)
{
    struct err err = {""};

    table = podtable_create(8, &err);
    cr_assert(table, "%s", err.text);
    reader = podtable_attach(podtable_worker_fd(table), &err);
    cr_assert(reader, "%s", err.text);
}

static void close_table(void)
{
    podtable_detach(reader);
    podtable_free(table);
}

TestSuite(podtable, .init = open_table, .fini = close_table, .timeout = 10);

static void publish(const struct podtable_pod *pods, size_t n)
{
    struct err err = {""};

    cr_assert_eq(podtable_publish(table, pods, n, 1000, &err), 0, "%s", err.text);
}

static const struct podtable_snapshot *snapshot(void)
{
    const struct podtable_snapshot *s = NULL;

    cr_assert_eq(podtable_reader_snapshot(reader, &s), PODTABLE_READ_DONE);
    return s;
}

Test(podtable, begins_without_a_list)
{
    cr_expect_eq(podtable_generation(table), 0);
    cr_expect_not(podtable_reader_changed(reader));
    cr_expect(snapshot()->generation == 0 && snapshot()->n == 0);
    cr_expect_eq(podtable_read_age(reader, 5), -1);
    cr_expect_null(podtable_find_name(snapshot(), "a", 1));
}

Test(podtable, what_is_published_is_read)
{
    struct podtable_pod pods[] = {pod(7, "gw-b", "10.0.0.2"), pod(3, "gw-a", "fd00::1"), pod(9, "gw-c", NULL)};
    const struct podtable_snapshot *s;

    pods[0].port = 65535;
    pods[1].state = PODTABLE_TERMINATING;
    pods[2].counts = false;
    publish(pods, ARRAY_LEN(pods));
    cr_expect(podtable_reader_changed(reader));
    s = snapshot();
    cr_expect_not(podtable_reader_changed(reader));
    cr_assert(s->generation == 1 && s->n == 3);
    for (size_t i = 0; i < s->n; i++) {
        cr_expect(s->pods[i].id == pods[i].id && s->pods[i].port == pods[i].port);
        cr_expect(s->pods[i].state == pods[i].state && s->pods[i].counts == pods[i].counts);
        cr_expect_str_eq(s->pods[i].name, pods[i].name);
        cr_expect_eq(memcmp(&s->pods[i].addr, &pods[i].addr, sizeof(pods[i].addr)), 0);
    }
    cr_expect(s->by_name[0] == 1 && s->by_name[1] == 0 && s->by_name[2] == 2);
    cr_expect(s->by_addr[0] == 2 && s->by_addr[1] == 0 && s->by_addr[2] == 1);
}

Test(podtable, unchanged_is_the_same_snapshot)
{
    struct podtable_pod one = pod(1, "a", "10.0.0.1");
    const struct podtable_snapshot *first;

    publish(&one, 1);
    first = snapshot();
    podtable_touch(table, 2000);
    cr_expect_not(podtable_reader_changed(reader));
    cr_expect_eq(snapshot(), first);
}

Test(podtable, the_generation_counts_lists_and_the_latest_wins)
{
    struct podtable_pod pods[3] = {pod(1, "a", "10.0.0.1"), pod(2, "b", "10.0.0.2"), pod(3, "c", "10.0.0.3")};

    for (uint64_t i = 1; i < 20; i++) {
        publish(pods, i % 4);
        if (i % 3)
            cr_expect(snapshot()->generation == i && snapshot()->n == i % 4);
        cr_expect_eq(podtable_generation(table), i);
    }
}

Test(podtable, an_empty_list_is_a_list)
{
    publish(NULL, 0);
    cr_expect(snapshot()->generation == 1 && snapshot()->n == 0);
    cr_expect_eq(podtable_read_age(reader, 1001), 1);
}

Test(podtable, finds_by_name)
{
    struct podtable_pod pods[] = {pod(1, "gw-10", "10.0.0.1"), pod(2, "gw-1", "10.0.0.2"), pod(3, "a", "10.0.0.3"),
                                  pod(4, "", "10.0.0.4")};
    const struct podtable_snapshot *s;

    memset(pods[3].name, 'z', PODTABLE_NAME_MAX);
    publish(pods, ARRAY_LEN(pods));
    s = snapshot();
    for (size_t i = 0; i < ARRAY_LEN(pods); i++)
        cr_expect_eq(podtable_find_name(s, pods[i].name, strlen(pods[i].name)), &s->pods[i]);
    cr_expect_eq(podtable_find_name(s, "gw-1x", 4), &s->pods[1]);
    cr_expect_null(podtable_find_name(s, "gw-", 3));
    cr_expect_null(podtable_find_name(s, "gw-100", 6));
    cr_expect_null(podtable_find_name(s, "GW-1", 4));
    cr_expect_null(podtable_find_name(s, "gw-1\0", 5));
    cr_expect_null(podtable_find_name(s, "", 0));
}

Test(podtable, finds_by_address)
{
    struct podtable_pod pods[] = {pod(1, "a", "10.0.0.1"), pod(2, "b", "a00:1::"), pod(3, "c", NULL)};
    const struct podtable_snapshot *s;
    struct addr other;

    publish(pods, ARRAY_LEN(pods));
    s = snapshot();
    /* 10.0.0.1 and a00:1:: begin with the same bytes. */
    cr_expect_eq(podtable_find_addr(s, &pods[0].addr), &s->pods[0]);
    cr_expect_eq(podtable_find_addr(s, &pods[1].addr), &s->pods[1]);
    cr_expect_null(podtable_find_addr(s, &pods[2].addr));
    cr_assert_eq(addr_parse(&other, "10.0.0.2", 8), 0);
    cr_expect_null(podtable_find_addr(s, &other));
}

/* Host network, or a pod that takes over the address of one that is ending. */
Test(podtable, of_equal_ones_the_one_that_counts)
{
    struct podtable_pod pods[] = {pod(1, "a", "10.0.0.1"), pod(2, "b", "10.0.0.1"), pod(4, "c", "10.0.0.9"),
                                  pod(3, "c", "10.0.0.9"), pod(5, "b", "10.0.0.8")};
    const struct podtable_snapshot *s;

    pods[0].counts = pods[1].counts = false;
    publish(pods, ARRAY_LEN(pods));
    s = snapshot();
    cr_expect_eq(podtable_find_addr(s, &pods[0].addr)->id, 1);
    cr_expect_eq(podtable_find_addr(s, &pods[2].addr)->id, 3); /* both count: the older id */
    cr_expect_eq(podtable_find_name(s, "b", 1)->id, 5);
    cr_expect_eq(podtable_find_name(s, "c", 1)->id, 3);
    pods[1].counts = true;
    publish(pods, ARRAY_LEN(pods));
    cr_expect_eq(podtable_find_addr(snapshot(), &pods[0].addr)->id, 2);
    pods[1].counts = false;
    pods[0].state = PODTABLE_FAILED; /* its address is the other's now */
    publish(pods, ARRAY_LEN(pods));
    cr_expect_eq(podtable_find_addr(snapshot(), &pods[0].addr)->id, 2);
    pods[1].state = PODTABLE_FAILED;
    publish(pods, ARRAY_LEN(pods));
    cr_expect_eq(podtable_find_addr(snapshot(), &pods[0].addr)->id, 1);
}

Test(podtable, a_list_that_is_too_long_keeps_the_old_and_is_known)
{
    struct podtable_pod pods[9];
    struct err err = {""};

    for (size_t i = 0; i < ARRAY_LEN(pods); i++)
        pods[i] = pod(i + 1, "p", "10.0.0.1");
    publish(pods, 8);
    cr_expect_eq(podtable_publish(table, pods, 9, 2000, &err), -1);
    cr_expect(strstr(err.text, "9 pods, more than max_pods (8)"), "%s", err.text);
    cr_expect(snapshot()->generation == 1 && snapshot()->n == 8);
    cr_expect_eq(podtable_read_age(reader, 3000), 2000);
    cr_expect_eq(podtable_scrapes(reader).last, PODTABLE_SCRAPE_TOO_MANY);
    podtable_scrape_begin(table);
    podtable_scrape_end(table, PODTABLE_SCRAPE_FAILED); /* tells nothing about its length */
    cr_expect_eq(podtable_scrapes(reader).last, PODTABLE_SCRAPE_TOO_MANY);
    publish(pods, 7);
    cr_expect_eq(podtable_scrapes(reader).last, PODTABLE_SCRAPE_OK);
}

Test(podtable, a_pod_that_the_table_cannot_hold_keeps_the_old)
{
    struct podtable_pod good = pod(1, "a", "10.0.0.1"), bad[5];
    struct err err;

    publish(&good, 1);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = good;
    bad[0].id = 0;
    bad[1].name[0] = '\0';
    memset(bad[2].name, 'x', sizeof(bad[2].name)); /* no NUL */
    bad[3].state = PODTABLE_STATES;
    bad[4].addr.family = 5;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct podtable_pod pods[] = {pod(2, "b", "10.0.0.2"), bad[i]};

        err_clear(&err);
        cr_expect_eq(podtable_publish(table, pods, 2, 2000, &err), -1);
        cr_expect_neq(err.text[0], '\0');
        cr_expect(snapshot()->generation == 1 && snapshot()->n == 1 && snapshot()->pods[0].id == 1);
    }
    cr_expect_eq(podtable_scrapes(reader).last, PODTABLE_SCRAPE_OK);
}

Test(podtable, the_age_is_since_the_last_good_read)
{
    publish(NULL, 0);
    cr_expect_eq(podtable_read_age(reader, 1500), 500);
    podtable_touch(table, 1400);
    cr_expect_eq(podtable_read_age(reader, 1500), 100);
    cr_expect_eq(podtable_read_age(reader, 1300), 0); /* a clock read before */
    cr_expect_eq(podtable_generation(table), 1);
}

Test(podtable, scrapes_are_framed)
{
    struct podtable_pod one = pod(1, "a", "10.0.0.1");
    struct podtable_scrapes at = podtable_scrapes(reader);

    cr_expect(at.begun == 0 && at.ended == 0 && at.last == PODTABLE_SCRAPE_OK);
    podtable_scrape_begin(table);
    at = podtable_scrapes(reader);
    cr_expect(at.begun == 1 && at.ended == 0);
    publish(&one, 1);
    podtable_scrape_end(table, PODTABLE_SCRAPE_OK);
    cr_expect_eq(podtable_scrapes(reader).ended, 1);
    cr_expect(podtable_reader_changed(reader));
    podtable_scrape_begin(table);
    podtable_scrape_end(table, PODTABLE_SCRAPE_TOO_MANY);
    at = podtable_scrapes(reader);
    cr_expect(at.begun == 2 && at.ended == 2 && at.last == PODTABLE_SCRAPE_TOO_MANY);
}

Test(podtable, states_have_names)
{
    cr_expect_str_eq(podtable_state_name(PODTABLE_READY), "ready");
    cr_expect_str_eq(podtable_state_name(PODTABLE_TERMINATING), "terminating");
    cr_expect_str_eq(podtable_state_name(12345), "unknown");
}

Test(podtable, a_snapshot_outlives_the_writer)
{
    struct podtable_pod one = pod(1, "a", "10.0.0.1");

    publish(&one, 1);
    podtable_free(table);
    table = NULL;
    cr_expect(snapshot()->n == 1 && snapshot()->pods[0].id == 1);
}

/* ---- snapshots that are held ---- */

static void publish_one(uint64_t id)
{
    struct podtable_pod one = pod(id, "a", "10.0.0.1");

    publish(&one, 1);
    snapshot();
}

Test(podtable, a_held_snapshot_stays_whatever_is_read)
{
    const struct podtable_snapshot *first, *same, *second;

    publish_one(1);
    first = podtable_snapshot_hold(reader);
    same = podtable_snapshot_hold(reader);
    cr_assert(first && same == first);
    publish_one(2);
    second = podtable_snapshot_hold(reader);
    for (uint64_t id = 3; id < 30; id++)
        publish_one(id);
    cr_expect(first->n == 1 && first->pods[0].id == 1 && first->generation == 1);
    cr_expect(second->n == 1 && second->pods[0].id == 2);
    cr_expect(podtable_find_name(first, "a", 1) == &first->pods[0]);
    cr_expect_eq(snapshot()->pods[0].id, 29);
    podtable_snapshot_drop(reader, first);
    cr_expect_eq(same->pods[0].id, 1);
    podtable_snapshot_drop(reader, same);
    podtable_snapshot_drop(reader, second);
    podtable_snapshot_drop(reader, NULL);
}

Test(podtable, one_that_is_dropped_in_its_turn_is_used_again)
{
    const struct podtable_snapshot *held;

    publish_one(1);
    held = podtable_snapshot_hold(reader);
    podtable_snapshot_drop(reader, held);
    publish_one(2);
    publish_one(3);
    cr_expect(snapshot() == held && held->pods[0].id == 3);
}

Test(podtable, as_many_generations_are_held_as_may_be)
{
    const struct podtable_snapshot *held[PODTABLE_HELD_MAX];

    for (size_t i = 0; i < PODTABLE_HELD_MAX; i++) {
        publish_one(i + 1);
        held[i] = podtable_snapshot_hold(reader);
        cr_assert(held[i] && held[i]->pods[0].id == i + 1);
    }
    cr_expect_eq(podtable_snapshot_hold(reader), held[PODTABLE_HELD_MAX - 1]);
    podtable_snapshot_drop(reader, held[PODTABLE_HELD_MAX - 1]);
    publish_one(100);
    cr_expect_null(podtable_snapshot_hold(reader));
    podtable_snapshot_drop(reader, held[3]);
    held[3] = podtable_snapshot_hold(reader);
    cr_assert(held[3] && held[3]->pods[0].id == 100);
    for (size_t i = 0; i < PODTABLE_HELD_MAX; i++)
        podtable_snapshot_drop(reader, held[i]);
}
