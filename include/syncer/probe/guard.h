/* SPDX-License-Identifier: MIT */
/*
 * Control probes: each pod is asked for a token that nobody has. 401 is right; 200 means that the probe
 * location is open, and that every token would look present there: the pod is unprotected. Asked when a pod
 * appears, after a reload, and each minute; what came stands on the scoreboard (scoreboard_note_guard()) for
 * all workers and whoever shows it. Worker only.
 *
 * One worker does it for all, and nobody needs to speak for that: it is the READY one of the newest
 * configuration with the lowest block, and each looks at the scoreboard several times a second whether that
 * is itself. If it dies, its block is empty, and the next one takes over.
 */
#ifndef SYNCER_PROBE_GUARD_H
#define SYNCER_PROBE_GUARD_H

#include <syncer/probe/pool.h>

struct guard;

struct guard_settings {
    struct loop *loop;
    struct pool *pool; /* borrowed, as the next one */
    struct scoreboard *board;
    uint32_t block; /* of this worker */
};

/* Once each time that it changes, by the worker that asked; called from the loop. */
struct guard_events {
    void (*on_unprotected)(void *arg, const struct pool_pod *pod);
    void (*on_protected)(void *arg, const struct pool_pod *pod); /* again */
};

/* NULL with the reason. `events` is borrowed. */
struct guard *guard_new(const struct guard_settings *settings, const struct guard_events *events, void *arg,
                        struct err *err);
/* Before the pool. NULL is fine. */
void guard_free(struct guard *guard);

/* The worker is READY: begins to look whether it is the one. */
void guard_begin(struct guard *guard);

#endif
