/* SPDX-License-Identifier: MIT */
/*
 * The event loop: the order of things in a turn, and the door to epoll. The heap of timers is in timer_heap.c; what the
 * events mean is left to those who registered for them.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/fd.h>
#include <syncer/base/loop.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "timer_heap.h"

/* Events taken from the kernel at once. */
#define BATCH 256

/* How often a turn looks for further events before its timers run. Bounded, so that a descriptor that is always ready
 * can't keep the timers from running. */
#define MAX_FETCHES 8

#define ORDERS (LOOP_LATE + 1)

struct loop {
    int epoll_fd;
    bool in_turn, stopping;
    bool coarse; /* the kernel, or a filter before it, has no epoll_pwait2 */
    int64_t now_ns;
    int64_t woke_ns, held_ns;          /* when this turn's wait ended; what the turn before took from there on */
    struct loop_timer *timers[ORDERS]; /* tops of the heaps */
    struct loop_task posted;           /* ring; the anchor is no task itself */
    void (*hook)(void *arg);
    void *hook_arg;
    int n_events, at_event; /* of the batch, while it is handed out */
    struct epoll_event events[BATCH];
};

/* --- tasks: rings with an anchor, so that a task leaves whichever it is in --- */

static void ring_init(struct loop_task *anchor)
{
    anchor->next = anchor->prev = anchor;
}

static void ring_remove(struct loop_task *task)
{
    task->prev->next = task->next;
    task->next->prev = task->prev;
    task->next = task->prev = NULL;
}

static bool ring_is_empty(const struct loop_task *anchor)
{
    return anchor->next == anchor;
}

void loop_task_post(struct loop *loop, struct loop_task *task)
{
    if (task->posted)
        return;
    task->posted = true;
    task->next = &loop->posted;
    task->prev = loop->posted.prev;
    task->prev->next = task;
    loop->posted.prev = task;
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
    (void)loop; /* a ring is left without knowing it */
    if (!task->posted)
        return;
    task->posted = false;
    ring_remove(task);
}

/* Runs what has been posted so far; what these tasks post is left for the next turn. */
static void run_tasks(struct loop *loop)
{
    struct loop_task now;

    if (ring_is_empty(&loop->posted))
        return;
    now.next = loop->posted.next;
    now.prev = loop->posted.prev;
    now.next->prev = now.prev->next = &now;
    ring_init(&loop->posted);
    while (!ring_is_empty(&now)) {
        struct loop_task *task = now.next;

        loop_task_cancel(loop, task);
        task->run(task);
    }
}

/* --- timers --- */

void loop_timer_init(struct loop_timer *timer, struct loop *loop, enum loop_order order,
                     void (*on_due)(struct loop_timer *timer))
{
    *timer = (struct loop_timer){.loop = loop, .order = order, .on_due = on_due};
}

void loop_timer_set(struct loop_timer *timer, int64_t due_ns)
{
    loop_timer_cancel(timer);
    timer->due_ns = due_ns;
    timer->set = true;
    timer_heap_insert(&timer->loop->timers[timer->order], timer);
}

void loop_timer_cancel(struct loop_timer *timer)
{
    if (!timer->set)
        return;
    timer->set = false;
    timer_heap_remove(&timer->loop->timers[timer->order], timer);
}

static bool is_timer_due(const struct loop *loop)
{
    for (size_t i = 0; i < ORDERS; i++)
        if (loop->timers[i] && loop->timers[i]->due_ns <= loop->now_ns)
            return true;
    return false;
}

/* The due timers of both orders leave their heaps before the first is run: a timer set in a callback goes to a heap
 * and so never runs in this phase, and one cancelled or moved in a callback leaves the list. */
static void run_timers(struct loop *loop)
{
    struct loop_timer due[ORDERS] = {{0}};

    for (size_t i = 0; i < ORDERS; i++)
        timer_heap_take_due(&loop->timers[i], loop->now_ns, &due[i]);
    for (size_t i = 0; i < ORDERS; i++) {
        while (due[i].child) {
            struct loop_timer *timer = due[i].child;

            loop_timer_cancel(timer);
            timer->on_due(timer);
        }
    }
}

/* --- descriptors --- */

int loop_io_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events,
                void (*on_event)(struct loop_io *io, uint32_t events))
{
    struct epoll_event event = {.events = events, .data.ptr = io};

    must(!io->loop);
    *io = (struct loop_io){.fd = -1};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return -1;
    *io = (struct loop_io){.fd = fd, .events = events, .loop = loop, .on_event = on_event};
    return 0;
}

int loop_io_modify(struct loop_io *io, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = io};

    must(io->loop);
    if (io->events == events)
        return 0;
    if (epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) != 0)
        return -1;
    io->events = events;
    return 0;
}

void loop_io_delete(struct loop_io *io)
{
    struct loop *loop = io->loop;
    int saved = errno;

    if (!loop)
        return;
    /* A failure means that the descriptor was closed too early: then epoll has forgotten it already. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    for (int i = loop->at_event; i < loop->n_events; i++)
        if (loop->events[i].data.ptr == io)
            loop->events[i].data.ptr = NULL;
    io->fd = -1;
    io->events = 0;
    io->loop = NULL;
    errno = saved;
}

static void hand_out(struct loop *loop)
{
    for (loop->at_event = 0; loop->at_event < loop->n_events;) {
        struct epoll_event *event = &loop->events[loop->at_event++];
        struct loop_io *io = event->data.ptr;
        uint32_t wanted;

        if (!io)
            continue; /* deleted since the batch was fetched */
        /* What was wanted when the batch was fetched may not be any more. */
        wanted = event->events & (io->events | EPOLLERR | EPOLLHUP);
        if (wanted)
            io->on_event(io, wanted);
    }
    loop->at_event = loop->n_events = 0;
}

/* epoll_wait() that takes nanoseconds, -1 for ever. Milliseconds are rounded up: a turn that wakes too early for its
 * timer would only spin. */
static int wait_ns(struct loop *loop, int64_t ns)
{
    int64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS > 0);

#ifdef HAVE_EPOLL_PWAIT2
    if (ns > 0 && !loop->coarse) {
        struct timespec ts = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
        int n = epoll_pwait2(loop->epoll_fd, loop->events, BATCH, &ts, NULL);

        /* Linux before 5.11 says ENOSYS; so does, or says EPERM, a container's filter that is older than the call. */
        if (n >= 0 || (errno != ENOSYS && errno != EPERM))
            return n;
        loop->coarse = true;
    }
#endif
    if (ms > INT32_MAX)
        ms = INT32_MAX;
    return epoll_wait(loop->epoll_fd, loop->events, BATCH, ns < 0 ? -1 : (int)ms);
}

/* Fetches a batch into loop->events. 0, or -1 with the reason. */
static int fetch(struct loop *loop, int64_t ns, struct err *err)
{
    int n = wait_ns(loop, ns);

    if (n < 0 && errno != EINTR)
        return err_set_errno(err, errno, "epoll_wait");
    loop->n_events = n > 0 ? n : 0;
    return 0;
}

/* --- turns --- */

/* How long this turn may wait for events, -1 for ever. *now: the time, or -1 where it need not be known. */
static int64_t time_to_wait(const struct loop *loop, int64_t max_wait_ns, int64_t *now)
{
    int64_t wait = max_wait_ns;

    *now = -1;
    if (!ring_is_empty(&loop->posted))
        return 0;
    *now = clock_now_ns();
    for (size_t i = 0; i < ORDERS; i++) {
        const struct loop_timer *first = loop->timers[i];

        if (!first)
            continue;
        if (first->due_ns <= *now)
            return 0;
        if (wait < 0 || first->due_ns - *now < wait)
            wait = first->due_ns - *now;
    }
    return wait;
}

/* Waits for events and hands out all that are pending. Timers then run by the time that was read *before* the last look
 * for events found none: so no timer runs before an event that came earlier than it was due. The second look is saved
 * where no timer would run anyway. */
static int run_events(struct loop *loop, int64_t max_wait_ns, struct err *err)
{
    int64_t ended, wait = time_to_wait(loop, max_wait_ns, &ended);
    bool full;

    if (fetch(loop, wait, err) != 0)
        return -1;
    loop->now_ns = clock_now_ns();
    if (loop->woke_ns > 0)
        loop->held_ns = (ended < 0 ? loop->now_ns : ended) - loop->woke_ns;
    loop->woke_ns = loop->now_ns;
    for (int fetches = 1; fetches < MAX_FETCHES; fetches++) {
        full = loop->n_events == BATCH;
        if (loop->n_events > 0) {
            hand_out(loop);
            loop->now_ns = clock_now_ns();
        }
        if (!full && !is_timer_due(loop))
            return 0;
        if (fetch(loop, 0, err) != 0)
            return -1;
        if (loop->n_events == 0)
            return 0;
    }
    hand_out(loop);
    return 0;
}

int loop_turn(struct loop *loop, int64_t max_wait_ns, struct err *err)
{
    int rc;

    must(!loop->in_turn);
    loop->in_turn = true;
    rc = run_events(loop, max_wait_ns, err);
    if (rc == 0) {
        if (is_timer_due(loop))
            run_timers(loop);
        run_tasks(loop);
        if (loop->hook)
            loop->hook(loop->hook_arg);
    }
    loop->in_turn = false;
    return rc;
}

int loop_run(struct loop *loop, struct err *err)
{
    int rc = 0;

    if (loop->hook)
        loop->hook(loop->hook_arg); /* what was left for it before the first turn must not wait for that turn's end */
    while (rc == 0 && !loop->stopping)
        rc = loop_turn(loop, -1, err);
    loop->stopping = false;
    return rc;
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

int64_t loop_now_ns(const struct loop *loop)
{
    return loop->now_ns;
}

int64_t loop_held_ns(const struct loop *loop)
{
    return loop->held_ns;
}

void loop_set_turn_hook(struct loop *loop, void (*hook)(void *arg), void *arg)
{
    loop->hook = hook;
    loop->hook_arg = arg;
}

struct loop *loop_new(struct err *err)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (!loop) {
        err_set(err, "event loop: out of memory");
        return NULL;
    }
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        err_set_errno(err, errno, "event loop: epoll_create1");
        free(loop);
        return NULL;
    }
    /* The kernel may delay a wake-up by the slack, 50 us by default, to join it with others: here each counts. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    ring_init(&loop->posted);
    loop->now_ns = clock_now_ns();
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    must(!loop->in_turn && ring_is_empty(&loop->posted));
    for (size_t i = 0; i < ORDERS; i++)
        must(!loop->timers[i]);
    fd_close(&loop->epoll_fd);
    free(loop);
}
