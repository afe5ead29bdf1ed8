/* SPDX-License-Identifier: MIT */
/*
 * Reads of the list that checks ask for, because they have been told an origin that is not in the table. At
 * most one a second in all; and for a name that the last one did not bring, none for 30 s: otherwise anybody
 * could keep the API server busy by making names up. Names are remembered in a small fixed array: when it is
 * full, the oldest goes.
 */
#include <config.h>

#include <string.h>

#include <syncer/base/macros.h>

#include "master_private.h"

#define REFRESH_EVERY_NS NS_PER_S
#define UNKNOWN_FOR_NS (30 * NS_PER_S)

static struct refresh_name *find(struct master *master, const char *name)
{
    for (size_t i = 0; i < REFRESH_NAMES; i++)
        if (strcmp(master->names[i].name, name) == 0)
            return &master->names[i];
    return NULL;
}

/* A free place, or that of the name whose time ends first. */
static struct refresh_name *find_place(struct master *master, int64_t now)
{
    struct refresh_name *best = &master->names[0];

    for (size_t i = 0; i < REFRESH_NAMES; i++) {
        struct refresh_name *place = &master->names[i];

        if (!place->name[0] || (place->unknown_until_ns && place->unknown_until_ns <= now))
            return place;
        if (place->unknown_until_ns && (!best->unknown_until_ns || place->unknown_until_ns < best->unknown_until_ns))
            best = place;
    }
    return best;
}

static void on_due(struct loop_timer *timer)
{
    struct master *master = container_of(timer, struct master, refresh);

    master->last_refresh_ns = loop_now_ns(master->loop);
    source_refresh(master->current->source);
}

void refresh_init(struct master *master)
{
    loop_timer_init(&master->refresh, master->loop, LOOP_EARLY, on_due);
}

static void set_timer(struct master *master)
{
    int64_t now = loop_now_ns(master->loop), due = master->last_refresh_ns + REFRESH_EVERY_NS;

    if (!master->refresh.set)
        loop_timer_set(&master->refresh, due > now ? due : now);
}

void refresh_ask(struct slot *slot, const char *name)
{
    struct master *master = slot->master;
    int64_t now = loop_now_ns(master->loop);
    struct refresh_name *known = name[0] ? find(master, name) : NULL;

    if (!name[0])
        return;
    if (known && known->unknown_until_ns > now) {
        control_send(slot->control_fd, CONTROL_UNKNOWN, name);
        return;
    }
    scoreboard_add(master->board, METRIC_REFRESHES_ASKED, 1);
    if (known && known->reading) {
        known->again = true; /* what the read under way says of the name is the answer to this question too */
        return;
    }
    if (!known)
        known = find_place(master, now);
    *known = (struct refresh_name){0};
    memcpy(known->name, name, strlen(name) + 1);
    set_timer(master);
}

/* Whatever was asked for until now is served by this read, whoever wanted it. */
void refresh_read_began(struct master *master)
{
    loop_timer_cancel(&master->refresh);
    for (size_t i = 0; i < REFRESH_NAMES; i++)
        master->names[i].reading = master->names[i].name[0] && !master->names[i].unknown_until_ns;
}

static bool is_in_table(const struct master *master, const char *name)
{
    struct addr addr;
    bool is_addr = addr_parse(&addr, name, strlen(name)) == 0;

    for (size_t i = 0; i < master->n_pods; i++)
        if (is_addr ? addr_equal(&master->pods[i].pod.addr, &addr) : strcmp(master->pods[i].pod.name, name) == 0)
            return true;
    return false;
}

/* Who asked while the read was under way waits for the next one, which there will not be. */
static void tell_unknown(struct master *master, const char *name)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (master->slots[i].pid)
            control_send(master->slots[i].control_fd, CONTROL_UNKNOWN, name);
}

void refresh_read_ended(struct master *master, bool read_well)
{
    for (size_t i = 0; i < REFRESH_NAMES; i++) {
        struct refresh_name *name = &master->names[i];

        if (!name->reading)
            continue;
        name->reading = false;
        if (read_well && !is_in_table(master, name->name)) {
            name->unknown_until_ns = loop_now_ns(master->loop) + UNKNOWN_FOR_NS;
            tell_unknown(master, name->name);
        } else if (name->again) { /* who asked while the read was under way waits for one that began later */
            name->again = false;
            set_timer(master);
        } else {
            *name = (struct refresh_name){0};
        }
    }
}
