/* SPDX-License-Identifier: MIT */
/*
 * The event loop of a process: epoll, timers (an intrusive pairing heap: setting one never allocates and never fails)
 * and deferred tasks. The only one; libcurl is hung into it by net/curl_loop.
 *
 * One turn: wait; all descriptor events; then all due timers of LOOP_EARLY in the order of their times; then those of
 * LOOP_LATE; then deferred tasks; then the turn-end hook. Events are read from the kernel until none is pending (up to
 * a bound) before timers run, so that an answer that has arrived always comes before the time-out that waits for it.
 *
 * Not thread-safe; one per process. Callbacks may add, change and delete any io, timer and task, their own too.
 */
#ifndef SYNCER_BASE_LOOP_H
#define SYNCER_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include <syncer/base/err.h>

struct loop;

struct loop_io {
    int fd;            /* -1 while not registered */
    uint32_t events;   /* as registered */
    struct loop *loop; /* NULL while not registered */
    void (*on_event)(struct loop_io *io, uint32_t events);
};

enum loop_order {
    LOOP_EARLY, /* probe time-outs and everything ordinary */
    LOOP_LATE,  /* deadlines of whole checks: after all else of the turn */
};

struct loop_timer {
    struct loop *loop;
    void (*on_due)(struct loop_timer *timer);
    int64_t due_ns; /* monotonic; valid while set */
    enum loop_order order;
    bool set;
    /* the heap's own */
    struct loop_timer *child, *next, *prev;
};

struct loop_task {
    void (*run)(struct loop_task *task);
    bool posted;
    /* the queue's own */
    struct loop_task *next, *prev;
};

/* NULL with the reason on failure. */
struct loop *loop_new(struct err *err);

/* Everything must have been deleted before, except descriptors that are closed with the process. NULL is fine. */
void loop_free(struct loop *loop);

/* Runs turns until loop_stop(). 0, or -1 with the reason if epoll itself fails. */
int loop_run(struct loop *loop, struct err *err);

/* One turn that waits at most `max_wait_ns` (-1: as long as nothing is due). For loop_run() and for tests. */
int loop_turn(struct loop *loop, int64_t max_wait_ns, struct err *err);

/* loop_run() returns at the end of this turn. */
void loop_stop(struct loop *loop);

/* The time as read when this turn's events, then its timers, began. Cheap. */
int64_t loop_now_ns(const struct loop *loop);

/* How long the turn before this one took, its wait aside: by the clock, so with what the scheduler took. 0 = there was none. */
int64_t loop_held_ns(const struct loop *loop);

/* Called at the end of each turn, before waiting. One hook a loop; NULL to take it out. */
void loop_set_turn_hook(struct loop *loop, void (*hook)(void *arg), void *arg);

/* Registers `fd` for `events` (EPOLLIN and so on, EPOLLET and EPOLLEXCLUSIVE too). 0 or -1 with errno. */
int loop_io_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events,
                void (*on_event)(struct loop_io *io, uint32_t events));

/* 0 or -1 with errno. No system call if the events are the same. Not for EPOLLEXCLUSIVE. */
int loop_io_modify(struct loop_io *io, uint32_t events);

/* Takes it out; no event of this turn reaches it any more. Call before the descriptor is closed. Idempotent. */
void loop_io_delete(struct loop_io *io);

/* Prepares a timer; to be called once before the first use. */
void loop_timer_init(struct loop_timer *timer, struct loop *loop, enum loop_order order,
                     void (*on_due)(struct loop_timer *timer));

/* Sets or moves it. A time in the past is due in the next turn's timer phase (never within the phase that sets it). */
void loop_timer_set(struct loop_timer *timer, int64_t due_ns);

/* Idempotent. Must be done before the memory of the timer goes. */
void loop_timer_cancel(struct loop_timer *timer);

/* Runs `task->run` once in this turn's task phase, or, when posted from a task, in the next turn's, which then does
 * not wait. Posting a posted task does nothing. */
void loop_task_post(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop *loop, struct loop_task *task);

#endif
