/* SPDX-License-Identifier: MIT */
/* The order of things in a turn, timers against a sorted model, and deletion in mid-turn. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/fd.h>
#include <syncer/base/loop.h>
#include <syncer/base/macros.h>
#include <syncer/base/random.h>

TestSuite(loop, .timeout = 30);

static char order[64]; /* what ran, a letter each */

static void note(char c)
{
    size_t n = strlen(order);

    cr_assert_lt(n + 1, sizeof(order));
    order[n] = c;
}

static void on_early(struct loop_timer *timer)
{
    (void)timer;
    note('e');
}

static void on_late(struct loop_timer *timer)
{
    (void)timer;
    note('l');
}

static void on_task(struct loop_task *task)
{
    (void)task;
    note('t');
}

static void on_io(struct loop_io *io, uint32_t events)
{
    char c;

    (void)events;
    cr_assert_eq(read(io->fd, &c, 1), 1);
    note('i');
}

static void on_turn_end(void *arg)
{
    (void)arg;
    note('h');
}

Test(loop, events_then_early_then_late_then_tasks)
{
    struct loop *loop = loop_new(NULL);
    struct loop_timer early, late;
    struct loop_task task = {.run = on_task};
    struct loop_io io = {.fd = -1};
    int ends[2];

    cr_assert(loop && pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
    loop_timer_init(&late, loop, LOOP_LATE, on_late);
    loop_timer_init(&early, loop, LOOP_EARLY, on_early);
    loop_timer_set(&late, 1); /* long due, and longer than the early one */
    loop_timer_set(&early, 2);
    loop_task_post(loop, &task);
    loop_task_post(loop, &task);
    loop_set_turn_hook(loop, on_turn_end, NULL);
    cr_assert_eq(loop_io_add(loop, &io, ends[0], EPOLLIN, on_io), 0);
    cr_assert_eq(loop_turn(loop, -1, NULL), 0);
    cr_assert_str_eq(order, "ielth");
    loop_io_delete(&io);
    loop_free(loop);
    close(ends[0]);
    close(ends[1]);
}

/* Two descriptors are ready; the one that comes first deletes the other. */
static struct loop_io pair[2];

static void on_deleting(struct loop_io *io, uint32_t events)
{
    (void)events;
    note('d');
    loop_io_delete(io == &pair[0] ? &pair[1] : &pair[0]);
    loop_io_delete(io);
}

Test(loop, a_deleted_io_gets_no_event_of_the_turn)
{
    struct loop *loop = loop_new(NULL);
    int ends[2][2];

    for (int i = 0; i < 2; i++) {
        cr_assert(pipe(ends[i]) == 0 && write(ends[i][1], "x", 1) == 1);
        cr_assert_eq(loop_io_add(loop, &pair[i], ends[i][0], EPOLLIN, on_deleting), 0);
    }
    cr_assert_eq(loop_turn(loop, 0, NULL), 0);
    cr_assert_str_eq(order, "d");
    cr_assert(!pair[0].loop && !pair[1].loop);
    loop_free(loop);
}

static struct loop *shared;
static struct loop_timer again;
static int runs;

static void on_again(struct loop_timer *timer)
{
    runs++;
    loop_timer_set(timer, 1); /* in the past: the next turn's */
}

Test(loop, a_timer_set_in_the_timer_phase_waits_for_the_next_turn)
{
    shared = loop_new(NULL);
    loop_timer_init(&again, shared, LOOP_EARLY, on_again);
    loop_timer_set(&again, 1);
    for (int turn = 1; turn <= 3; turn++) {
        cr_assert_eq(loop_turn(shared, -1, NULL), 0);
        cr_assert_eq(runs, turn);
    }
    loop_timer_cancel(&again);
    loop_timer_cancel(&again);
    cr_assert_eq(loop_turn(shared, 0, NULL), 0);
    cr_assert_eq(runs, 3);
    loop_free(shared);
}

#define MANY 500
static struct loop_timer many[MANY];
static int64_t last_due;
static int fired;

static void on_many(struct loop_timer *timer)
{
    cr_assert(timer->due_ns >= last_due, "in the order of their times");
    cr_assert(!timer->set);
    last_due = timer->due_ns;
    fired++;
}

Test(loop, random_sets_moves_and_cancels)
{
    struct loop *loop = loop_new(NULL);
    int expected = 0;

    for (int i = 0; i < MANY; i++)
        loop_timer_init(&many[i], loop, LOOP_EARLY, on_many);
    for (int step = 0; step < 20000; step++) {
        struct loop_timer *timer = &many[random_below(MANY)];

        if (random_below(3) == 0)
            loop_timer_cancel(timer);
        else
            loop_timer_set(timer, 1 + random_below(1000));
    }
    for (int i = 0; i < MANY; i++)
        expected += many[i].set;
    cr_assert_eq(loop_turn(loop, 0, NULL), 0);
    cr_assert_eq(fired, expected);
    loop_free(loop);
}

static void on_stop(struct loop_timer *timer)
{
    loop_stop(timer->loop);
}

Test(loop, waits_no_shorter_than_asked)
{
    struct loop *loop = loop_new(NULL);
    struct loop_timer timer;
    int64_t due = clock_now_ns() + 3 * NS_PER_MS;

    loop_timer_init(&timer, loop, LOOP_EARLY, on_stop);
    loop_timer_set(&timer, due);
    cr_assert_eq(loop_run(loop, NULL), 0);
    cr_assert_geq(clock_now_ns(), due);
    loop_free(loop);
}

/* ---- how long turns are ---- */

#define HELD_NS (3 * NS_PER_MS)
#define WAITED_NS (20 * NS_PER_MS)

static void hold(void)
{
    int64_t end = clock_now_ns() + HELD_NS;

    while (clock_now_ns() < end)
        ;
}

static void on_due_hold(struct loop_timer *timer)
{
    (void)timer;
    hold();
}

static void on_task_hold(struct loop_task *task)
{
    (void)task;
    hold();
}

/* A turn that holds the loop, one that waits, and one that has nothing to wait for: times from above and below only. */
Test(loop, a_turn_is_measured_without_its_wait)
{
    struct loop *loop = loop_new(NULL);
    struct loop_task task = {.run = on_task_hold};
    struct loop_timer timer;
    int64_t began, held;

    loop_timer_init(&timer, loop, LOOP_EARLY, on_due_hold);
    loop_timer_set(&timer, 0);
    began = clock_now_ns();
    cr_assert_eq(loop_turn(loop, 0, NULL), 0);
    cr_expect_eq(loop_held_ns(loop), 0);
    loop_timer_set(&timer, clock_now_ns() + WAITED_NS);
    cr_assert_eq(loop_turn(loop, -1, NULL), 0);
    held = loop_held_ns(loop);
    cr_expect(held >= HELD_NS && held <= clock_now_ns() - began - WAITED_NS, "%jd", (intmax_t)held);
    loop_task_post(loop, &task);
    cr_assert_eq(loop_turn(loop, -1, NULL), 0);
    cr_expect(loop_held_ns(loop) >= HELD_NS && loop_held_ns(loop) <= clock_now_ns() - began - WAITED_NS);
    cr_assert_eq(loop_turn(loop, 0, NULL), 0);
    cr_expect_geq(loop_held_ns(loop), HELD_NS);
    loop_free(loop);
}
