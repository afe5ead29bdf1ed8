/* SPDX-License-Identifier: MIT */
/* Who may have the list read again: one read a second in all, none for 30 s for a name that the last did not
 * bring. */
#include <config.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fake_master.h"

TestSuite(refresh, .timeout = 10, .init = fake_start, .fini = fake_stop);

static void ask(const char *name)
{
    refresh_ask(&fake.master.slots[0], name);
}

static void begin(void)
{
    scrape_events.on_begin(&fake.setup);
}

static void list(const char *name)
{
    struct source_pod pod = fake_pod(name, "", "10.0.0.1");

    scrape_events.on_list(&fake.setup, &pod, 1);
}

static void fail(void)
{
    struct source_failure failure = {.reason = {"it is away"}};

    scrape_events.on_failed(&fake.setup, &failure);
}

/* Its place, or NULL. */
static struct refresh_name *remembered(const char *name)
{
    for (size_t i = 0; i < REFRESH_NAMES; i++)
        if (strcmp(fake.master.names[i].name, name) == 0)
            return &fake.master.names[i];
    return NULL;
}

/* Makes a name known as not there. */
static void make_unknown(const char *name)
{
    ask(name);
    begin();
    list("a");
    fake_messages(CONTROL_UNKNOWN, NULL);
}

Test(refresh, the_first_goes_at_once_the_next_a_second_later_and_all_others_with_it)
{
    int64_t first;

    ask("x");
    fake_wait(&fake.refreshes, 1);
    first = fake.master.last_refresh_ns;
    begin();
    list("a");
    for (int i = 0; i < 40; i++)
        ask(i % 2 ? "y" : "z");
    fake_wait(&fake.refreshes, 2);
    cr_expect_geq(fake.master.last_refresh_ns - first, NS_PER_S);
    cr_expect(!fake.master.refresh.set, "forty questions are one read");
}

Test(refresh, a_name_that_the_read_did_not_bring_is_answered_without_one)
{
    make_unknown("x");
    ask("x");
    cr_expect(!fake.master.refresh.set && fake_messages(CONTROL_UNKNOWN, "x") == 1);
    ask("y");
    cr_expect(fake.master.refresh.set, "another name may be there");
}

Test(refresh, after_30_s_it_is_looked_for_again)
{
    struct refresh_name *x = &fake.master.names[0];
    int64_t left;

    make_unknown("x");
    cr_assert_eq(remembered("x"), x, "the first place");
    left = x->unknown_until_ns - loop_now_ns(fake.master.loop);
    cr_expect(left > 29 * NS_PER_S && left <= 30 * NS_PER_S);
    x->unknown_until_ns = loop_now_ns(fake.master.loop);
    ask("x");
    cr_expect(fake.master.refresh.set && fake_messages(CONTROL_UNKNOWN, "x") == 0);
}

Test(refresh, a_name_or_an_address_that_was_brought_is_forgotten)
{
    ask("x");
    ask("10.0.0.1");
    begin();
    list("x");
    cr_expect(!remembered("x") && !remembered("10.0.0.1") && fake_messages(CONTROL_UNKNOWN, NULL) == 0);
}

Test(refresh, a_failed_read_proves_nothing)
{
    ask("x");
    begin();
    fail();
    ask("x");
    cr_expect(fake.master.refresh.set && fake_messages(CONTROL_UNKNOWN, "x") == 0);
}

/* A gateway with a wrong origin asks a hundred times a second: some of it always falls into a read. */
Test(refresh, questions_during_the_read_do_not_keep_a_name_from_becoming_unknown)
{
    ask("x");
    begin();
    ask("x");
    cr_expect(!fake.master.refresh.set);
    list("a");
    cr_expect_eq(fake_messages(CONTROL_UNKNOWN, "x"), 1, "who asked meanwhile waits for no other read");
    ask("x");
    cr_expect(!fake.master.refresh.set && fake_messages(CONTROL_UNKNOWN, "x") == 1);
}

Test(refresh, a_question_during_a_read_that_fails_gets_another)
{
    ask("x");
    begin();
    ask("x");
    fail();
    cr_expect(fake.master.refresh.set);
    begin();
    list("a");
    cr_expect_eq(fake_messages(CONTROL_UNKNOWN, "x"), 1);
}

/* The name is there, but that check has been told to wait for a read that begins after it. */
Test(refresh, a_question_during_the_read_that_brings_the_name_gets_another)
{
    ask("x");
    begin();
    ask("x");
    list("x");
    cr_expect(fake.master.refresh.set);
    begin();
    list("x");
    cr_expect(!remembered("x") && !fake.master.refresh.set);
}

Test(refresh, a_question_during_a_read_for_others_waits_for_the_next)
{
    begin();
    ask("x");
    cr_expect(fake.master.refresh.set);
    list("a");
    cr_expect(remembered("x") && fake_messages(CONTROL_UNKNOWN, "x") == 0, "that read may have passed it already");
    begin();
    cr_expect(!fake.master.refresh.set, "whatever began it, this read serves the question");
    list("a");
    cr_expect_eq(fake_messages(CONTROL_UNKNOWN, "x"), 1);
}

/* UNKNOWN lets a check say Synced: what it is said of must be in the table by then. */
Test(refresh, the_table_is_told_of_before_the_name)
{
    struct control_message message;
    enum control_kind order[2] = {0};

    ask("x");
    begin();
    list("a");
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(control_receive(fake.child_fd, &message), CONTROL_GOT);
        order[i] = message.kind;
    }
    cr_expect(order[0] == CONTROL_TABLE && order[1] == CONTROL_UNKNOWN);
}

Test(refresh, made_up_names_fill_a_fixed_room_and_no_more)
{
    char name[CONTROL_NAME_MAX + 1];
    size_t n = 0;

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "made-up-%d", i);
        ask(name);
        if (i % 7 == 0) {
            begin();
            list("a");
            fake_messages(CONTROL_UNKNOWN, NULL);
        }
    }
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ask(name);
    ask("");
    for (size_t i = 0; i < REFRESH_NAMES; i++)
        n += fake.master.names[i].name[0] != '\0';
    cr_expect_eq(n, (size_t)REFRESH_NAMES);
    cr_expect(remembered(name), "the newest question is never the one forgotten");
}
