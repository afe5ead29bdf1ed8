/* SPDX-License-Identifier: MIT */
/* Lists and a watch that overtake each other. */
#include <config.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "../../../src/pods/kube_records.h"

TestSuite(kube_records, .timeout = 10);

struct thing {
    struct kube_record record;
    int value;
    char *held; /* on the heap */
};

static int dropped;

static void drop(struct kube_record *record)
{
    struct thing *thing = container_of(record, struct thing, record);

    dropped += thing->held != NULL;
    free(thing->held);
}

static struct kube_records records;

static void setup(void)
{
    cr_assert_eq(kube_records_init(&records, sizeof(struct thing), 64, drop), 0);
}

static void teardown(void)
{
    kube_records_release(&records);
}

static struct thing thing_of(const char *uid, uint64_t version)
{
    struct thing thing = {.record = {.version = version}, .value = (int)version};

    snprintf(thing.record.uid, sizeof(thing.record.uid), "%s", uid);
    return thing;
}

static enum kube_put listed(const char *uid, uint64_t version)
{
    struct thing thing = thing_of(uid, version);

    return kube_records_put_listed(&records, &thing.record);
}

static enum kube_put watched(const char *uid, uint64_t version)
{
    struct thing thing = thing_of(uid, version);

    return kube_records_put_watched(&records, &thing.record);
}

static bool deleted(const char *uid, uint64_t version)
{
    return kube_records_remove(&records, uid, version);
}

/* "a1 c7 ": what is known, sorted. */
static const char *known(void)
{
    static char text[1024];
    char names[64][16];
    size_t n = 0;

    for (size_t i = 0; i < records.n; i++) {
        struct kube_record *record = kube_records_at(&records, i);

        if (record)
            snprintf(names[n++], sizeof(names[0]), "%.8s%d ", record->uid,
                     container_of(record, struct thing, record)->value);
    }
    qsort(names, n, sizeof(names[0]), (int (*)(const void *, const void *))strcmp);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        strcat(text, names[i]);
    return text;
}

#define KNOWN(expected) cr_expect_str_eq(known(), expected, "%s", known())

/* a1 b2 by a list of version 10 */
static void begin(void)
{
    kube_records_list_begin(&records);
    listed("a", 1);
    listed("b", 2);
    cr_expect(kube_records_list_end(&records, 10), "all of it is new");
    KNOWN("a1 b2 ");
}

Test(kube_records, events_alone, .init = setup, .fini = teardown)
{
    begin();
    cr_expect_eq(watched("c", 11), KUBE_PUT_CHANGED);
    cr_expect_eq(watched("a", 12), KUBE_PUT_CHANGED);
    cr_expect_eq(watched("a", 12), KUBE_PUT_SAME);
    cr_expect(deleted("b", 13));
    cr_expect_not(deleted("b", 13));
    KNOWN("a12 c11 ");
}

Test(kube_records, a_list_that_brings_nothing_new, .init = setup, .fini = teardown)
{
    begin();
    watched("c", 11);
    kube_records_list_begin(&records);
    cr_expect(listed("c", 11) == KUBE_PUT_SAME && listed("a", 1) == KUBE_PUT_SAME && listed("b", 2) == KUBE_PUT_SAME);
    cr_expect_not(kube_records_list_end(&records, 12));
    KNOWN("a1 b2 c11 ");
}

Test(kube_records, what_a_list_has_not_is_gone, .init = setup, .fini = teardown)
{
    begin();
    kube_records_list_begin(&records);
    listed("b", 2);
    KNOWN("a1 b2 ");
    cr_expect(kube_records_list_end(&records, 12));
    KNOWN("b2 ");
}

Test(kube_records, a_list_that_fails_removes_nothing, .init = setup, .fini = teardown)
{
    begin();
    kube_records_list_begin(&records);
    listed("b", 11);
    deleted("a", 12);
    kube_records_list_abort(&records);
    KNOWN("b11 ");
    cr_expect_eq(records.n, 1);
}

/* The watch is ahead of the list: its page was made before, or it is of version 12. */
Test(kube_records, an_older_list_undoes_nothing, .init = setup, .fini = teardown)
{
    begin();
    kube_records_list_begin(&records);
    watched("a", 13); /* changed after the list */
    watched("c", 14); /* made after it */
    deleted("b", 15);
    listed("a", 1);
    cr_expect_eq(listed("b", 2), KUBE_PUT_SAME, "deleted after it");
    KNOWN("a13 c14 ");
    cr_expect_not(kube_records_list_end(&records, 12));
    KNOWN("a13 c14 ");
    cr_expect_eq(records.n, 2);
}

/* The list is ahead: what the watch brings late is old. */
Test(kube_records, an_older_event_undoes_nothing, .init = setup, .fini = teardown)
{
    begin();
    kube_records_list_begin(&records);
    watched("c", 11);
    listed("a", 15);
    listed("c", 16);
    watched("a", 13);
    cr_expect(kube_records_list_end(&records, 20), "news: a15, c16, no b");
    KNOWN("a15 c16 ");
    cr_expect_eq(watched("a", 14), KUBE_PUT_SAME);
    cr_expect_eq(watched("a", 21), KUBE_PUT_CHANGED);
    KNOWN("a21 c16 ");
}

/* It has left the selector and entered it again: deleted and added, with one uid. */
Test(kube_records, what_comes_back_during_a_list, .init = setup, .fini = teardown)
{
    begin();
    kube_records_list_begin(&records);
    cr_expect(deleted("a", 11) && deleted("b", 12));
    KNOWN("");
    cr_expect_eq(watched("b", 14), KUBE_PUT_CHANGED);
    listed("a", 13); /* its event is still on its way */
    listed("b", 2);
    KNOWN("a13 b14 ");
    kube_records_list_end(&records, 13);
    KNOWN("a13 b14 ");
    cr_expect_eq(watched("a", 13), KUBE_PUT_SAME);
    KNOWN("a13 b14 ");
}

/* The list was ahead: what left has come back by then. */
Test(kube_records, an_end_that_is_older, .init = setup, .fini = teardown)
{
    begin();
    kube_records_list_begin(&records);
    listed("a", 13);
    cr_expect_not(deleted("a", 11));
    kube_records_list_end(&records, 13);
    cr_expect_not(deleted("a", 12));
    KNOWN("a13 ");
    cr_expect(deleted("a", 14));
    KNOWN("");
}

/* Told of, but deleted before the list, whose news has the watch begin anew behind that. */
Test(kube_records, what_was_gone_before_the_list, .init = setup, .fini = teardown)
{
    begin();
    kube_records_list_begin(&records);
    watched("c", 11);
    listed("a", 1);
    listed("b", 2);
    cr_expect(kube_records_list_end(&records, 20));
    KNOWN("a1 b2 ");
}

/* After a restored backup all versions are lower: a list is right all the same. */
Test(kube_records, versions_that_go_back, .init = setup, .fini = teardown)
{
    begin();
    watched("a", 100);
    kube_records_list_begin(&records);
    listed("a", 5);
    listed("b", 2);
    cr_expect(kube_records_list_end(&records, 9));
    KNOWN("a5 b2 ");
    watched("a", 10);
    KNOWN("a10 b2 ");
}

/* Nothing is older than anything: the watch wins, and the next list mends it. */
Test(kube_records, versions_that_are_no_numbers, .init = setup, .fini = teardown)
{
    struct thing thing = thing_of("a", 0);

    begin();
    kube_records_list_begin(&records);
    thing.value = 7;
    cr_expect_eq(kube_records_put_watched(&records, &thing.record), KUBE_PUT_CHANGED);
    thing.value = 8;
    cr_expect_eq(kube_records_put_listed(&records, &thing.record), KUBE_PUT_SAME);
    KNOWN("a7 b2 ");
    kube_records_list_end(&records, 0);
    KNOWN("a7 ");
    kube_records_list_begin(&records);
    cr_expect_eq(kube_records_put_listed(&records, &thing.record), KUBE_PUT_CHANGED);
    kube_records_list_end(&records, 0);
    KNOWN("a8 ");
}

Test(kube_records, no_room_and_what_is_held, .init = setup, .fini = teardown)
{
    char uid[16];

    kube_records_list_begin(&records);
    for (int i = 0; i < 64; i++) {
        struct thing thing;

        snprintf(uid, sizeof(uid), "u%d", i);
        thing = thing_of(uid, 1);
        thing.held = strdup("x");
        cr_expect_eq(kube_records_put_listed(&records, &thing.record), KUBE_PUT_CHANGED);
    }
    cr_expect_eq(listed("more", 1), KUBE_PUT_FULL);
    cr_expect_eq(listed("u3", 2), KUBE_PUT_CHANGED, "one that is known needs no room");
    cr_expect_eq(dropped, 1);
    kube_records_list_end(&records, 1);
    for (int i = 0; i < 64; i += 2) {
        snprintf(uid, sizeof(uid), "u%d", i);
        cr_expect(deleted(uid, 2));
    }
    for (int i = 0; i < 64; i++) {
        snprintf(uid, sizeof(uid), "u%d", i);
        cr_expect_eq(watched(uid, 3), KUBE_PUT_CHANGED, "%s", uid);
    }
    cr_expect_eq(records.n, 64);
    kube_records_clear(&records);
    cr_expect(records.n == 0 && dropped == 64);
}

/* Against a model without order or chains: any mix of puts and removes. */
Test(kube_records, a_long_row_of_changes, .init = setup, .fini = teardown)
{
    int model[40] = {0};
    uint32_t state = 1;

    for (uint64_t version = 1; version < 20000; version++) {
        char uid[16];
        size_t i, n = 0;

        state = state * 1103515245 + 12345;
        i = (state >> 16) % ARRAY_LEN(model);
        snprintf(uid, sizeof(uid), "u%zu", i);
        if (state & 0x40000000)
            cr_assert_eq(deleted(uid, version), model[i] != 0);
        else
            cr_assert_eq(watched(uid, version), KUBE_PUT_CHANGED);
        model[i] = state & 0x40000000 ? 0 : (int)version;
        for (size_t j = 0; j < ARRAY_LEN(model); j++)
            n += model[j] != 0;
        cr_assert_eq(records.n, n);
        for (size_t j = 0; j < records.n; j++) {
            const struct thing *thing = container_of(kube_records_at(&records, j), struct thing, record);

            cr_assert_eq(thing->value, model[atoi(thing->record.uid + 1)]);
        }
    }
}

Test(kube_records, numbers)
{
    cr_expect_eq(kube_version_number("397"), 397);
    cr_expect_eq(kube_version_number("9999999999999999999"), UINT64_C(9999999999999999999));
    cr_expect_eq(kube_version_number("10000000000000000000"), 0, "beyond what is compared");
    cr_expect(kube_version_number("") == 0 && kube_version_number("0") == 0 && kube_version_number("12a") == 0 &&
              kube_version_number("-1") == 0 && kube_version_number(" 1") == 0);
}
