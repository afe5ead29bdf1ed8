/* SPDX-License-Identifier: MIT */
/* What the master tells its children: orders are repeated until they find room, a wake-up is not. */
#include <config.h>
#include <criterion/criterion.h>

#include "fake_master.h"

TestSuite(slots, .timeout = 10, .init = fake_start, .fini = fake_stop);

/* As a child that is stopped for long finds it: nothing more goes in. */
static void fill_queue(void)
{
    while (control_send(fake.master.slots[0].control_fd, CONTROL_TABLE, NULL) == 0)
        ;
}

Test(slots, an_order_that_finds_no_room_is_sent_again)
{
    struct slot *slot = &fake.master.slots[0];

    fill_queue();
    slots_retire(&fake.master, 0);
    slots_remind(slot);
    cr_expect(slot->state == SLOT_RETIRING && fake_messages(CONTROL_RETIRE, NULL) == 0);
    slots_remind(slot);
    slots_remind(slot);
    cr_expect_eq(fake_messages(CONTROL_RETIRE, NULL), 1, "once it has gone it is not repeated");
}

Test(slots, of_two_orders_that_find_no_room_the_last_counts)
{
    fill_queue();
    slots_send(&fake.master, 0, CONTROL_DRAIN);
    slots_send(&fake.master, 0, CONTROL_STOP);
    fake_messages(CONTROL_TABLE, NULL);
    slots_remind(&fake.master.slots[0]);
    cr_expect_eq(fake_messages(CONTROL_STOP, NULL), 1);
}

Test(slots, an_order_that_went_makes_earlier_ones_needless)
{
    fill_queue();
    slots_retire(&fake.master, 0);
    fake_messages(CONTROL_TABLE, NULL);
    slots_send(&fake.master, 0, CONTROL_STOP);
    slots_remind(&fake.master.slots[0]);
    cr_expect_eq(fake_messages(CONTROL_STOP, NULL), 1);
    slots_remind(&fake.master.slots[0]);
    cr_expect_eq(fake_messages(CONTROL_RETIRE, NULL), 0);
}

Test(slots, a_wake_up_is_not_owed)
{
    fill_queue();
    slots_send(&fake.master, 0, CONTROL_TABLE);
    cr_expect_gt(fake_messages(CONTROL_TABLE, NULL), 0);
    slots_remind(&fake.master.slots[0]);
    cr_expect_eq(fake_messages(CONTROL_TABLE, NULL), 0, "there was one in the queue to wake it");
}
