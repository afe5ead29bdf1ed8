/* SPDX-License-Identifier: MIT */
/*
 * Reads and their frames. A check that waits for a refresh goes on when more frames have ended than had begun
 * when it asked: so ended never passes begun, and none stays open when its source goes.
 */
#include <config.h>
#include <criterion/criterion.h>
#include <stdlib.h>

#include "fake_master.h"

static struct setup next;

static void start(void)
{
    fake_start();
    fake_setup_init(&next);
}

static void stop(void)
{
    free(next.list);
    fake_stop();
}

TestSuite(scrape, .timeout = 10, .init = start, .fini = stop);

static void expect_frames(uint64_t begun, uint64_t ended)
{
    struct podtable_scrapes scrapes = fake_scrapes();

    cr_expect(scrapes.begun == begun && scrapes.ended == ended, "begun %llu ended %llu, should be %llu and %llu",
              (unsigned long long)scrapes.begun, (unsigned long long)scrapes.ended, (unsigned long long)begun,
              (unsigned long long)ended);
}

static void begin(struct setup *setup)
{
    scrape_events.on_begin(setup);
}

static void list(struct setup *setup, const char *name)
{
    struct source_pod pod = fake_pod(name, "", "10.0.0.1");

    scrape_events.on_list(setup, &pod, 1);
}

static void fail(struct setup *setup, bool too_many)
{
    struct source_failure failure = {.reason = {"it is away"}, .too_many = too_many};

    scrape_events.on_failed(setup, &failure);
}

/* As a reload does it. */
static void commit(void)
{
    scrape_switch(&fake.setup, &next);
    fake.master.current = &next;
}

Test(scrape, a_read_is_framed_and_told_to_the_children)
{
    begin(&fake.setup);
    expect_frames(1, 0);
    list(&fake.setup, "a");
    expect_frames(1, 1);
    cr_expect(fake_find("a") && fake_messages(CONTROL_TABLE, NULL) == 1);
}

Test(scrape, a_failed_read_ends_and_the_old_list_stays)
{
    begin(&fake.setup);
    list(&fake.setup, "a");
    begin(&fake.setup);
    fail(&fake.setup, false);
    expect_frames(2, 2);
    cr_expect(fake_find("a") && fake_scrapes().last == PODTABLE_SCRAPE_OK);
    begin(&fake.setup);
    fail(&fake.setup, true);
    cr_expect(fake_find("a") && fake_scrapes().last == PODTABLE_SCRAPE_TOO_MANY);
}

Test(scrape, a_setup_that_is_not_in_force_changes_nothing_until_it_is)
{
    begin(&fake.setup);
    list(&fake.setup, "old");
    begin(&next);
    list(&next, "new");
    expect_frames(1, 1);
    cr_expect(fake_find("old") && !fake_find("new") && next.has_list);
    commit();
    expect_frames(1, 1);
    cr_expect(fake_find("new") && !fake_find("old"), "from the first moment on, not from the next read on");
}

Test(scrape, a_read_under_way_when_its_setup_goes_is_ended)
{
    begin(&fake.setup);
    commit();
    expect_frames(1, 1);
}

/* Else its end would be the end of whatever is begun next, and a check would go on before its refresh has
 * come. */
Test(scrape, a_read_that_began_before_its_setup_was_in_force_ends_no_frame)
{
    begin(&next);
    commit();
    list(&next, "a");
    expect_frames(0, 0);
    cr_expect(fake_find("a"), "but its list is good");
    begin(&next);
    expect_frames(1, 0);
    fail(&next, false);
    expect_frames(1, 1);
}

Test(scrape, both_at_once)
{
    begin(&fake.setup);
    begin(&next);
    commit();
    expect_frames(1, 1);
    fail(&next, false);
    expect_frames(1, 1);
}

Test(scrape, the_reason_of_a_new_source_is_kept_for_the_reload)
{
    begin(&next);
    fail(&next, false);
    cr_expect_str_eq(next.failure.text, "it is away");
    cr_expect(!next.has_list);
    expect_frames(0, 0);
    begin(&next);
    list(&next, "a");
    cr_expect(next.has_list && next.failure.text[0] == '\0');
}

/* ---- between the reads ---- */

static void update(struct setup *setup, const char *name)
{
    struct source_pod pod = fake_pod(name, "", "10.0.0.1");

    scrape_events.on_update(setup, &pod, 1);
}

Test(scrape, an_update_changes_the_table_and_not_its_age)
{
    int64_t read_ns;

    begin(&fake.setup);
    list(&fake.setup, "a");
    fake_messages(CONTROL_TABLE, NULL);
    read_ns = fake.master.read_ns;
    loop_turn(fake.master.loop, NS_PER_MS, NULL);
    update(&fake.setup, "b");
    cr_expect(fake_find("b") && !fake_find("a"));
    cr_expect_eq(fake.master.read_ns, read_ns);
    cr_expect_eq(fake_messages(CONTROL_TABLE, NULL), 1);
    expect_frames(1, 1);
    update(&fake.setup, "b");
    cr_expect_eq(fake_messages(CONTROL_TABLE, NULL), 0, "nobody is woken for nothing");
}

Test(scrape, an_update_ends_no_read)
{
    begin(&fake.setup);
    list(&fake.setup, "a");
    begin(&fake.setup);
    update(&fake.setup, "b");
    expect_frames(2, 1);
    fail(&fake.setup, false);
    cr_expect(fake_find("b"));
}

Test(scrape, an_update_of_a_setup_that_is_not_in_force)
{
    begin(&fake.setup);
    list(&fake.setup, "old");
    update(&next, "early");
    cr_expect_not(next.has_list);
    begin(&next);
    list(&next, "new");
    update(&next, "newer");
    cr_expect(fake_find("old") && !fake_find("newer"));
    commit();
    cr_expect(fake_find("newer") && !fake_find("new") && !fake_find("old"));
}

Test(scrape, the_watches_of_the_setup_in_force_are_shown)
{
    struct source_watch on = {.on = 3, .events = 5, .restarts = 1}, forbidden = {.on = 1, .forbidden = 2, .events = 2};

    scrape_events.on_watch(&fake.setup, &on);
    scrape_events.on_watch(&next, &forbidden);
    cr_expect_eq(scoreboard_sum(fake.master.board, METRIC_WATCHES_ON), 3);
    cr_expect_eq(scoreboard_sum(fake.master.board, METRIC_WATCH_EVENTS), 7);
    cr_expect_eq(scoreboard_sum(fake.master.board, METRIC_WATCH_RESTARTS), 1);
    commit();
    cr_expect_eq(scoreboard_sum(fake.master.board, METRIC_WATCHES_ON), 1);
    cr_expect_eq(scoreboard_sum(fake.master.board, METRIC_WATCHES_FORBIDDEN), 2);
}
