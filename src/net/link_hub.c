/* SPDX-License-Identifier: MIT */
/* Whose turn it is to connect, and which multi handle a link is in. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/must.h>

#include "link_private.h"

#define SLOW_NS (25 * NS_PER_MS) /* a handshake takes some ms within a cluster */
#define GROUP_LINKS 24           /* a multi handle: a call of libcurl takes longer the more it has */

/* ---- queues ---- */

static void append(struct link_queue *queue, struct link *link)
{
    link->next = NULL;
    link->prev = queue->last;
    if (link->prev)
        link->prev->next = link;
    else
        queue->first = link;
    queue->last = link;
}

static void take_out(struct link_queue *queue, struct link *link)
{
    if (link->prev)
        link->prev->next = link->next;
    else
        queue->first = link->next;
    if (link->next)
        link->next->prev = link->prev;
    else
        queue->last = link->prev;
    link->next = link->prev = NULL;
}

void link_hub_enqueue(struct link *link)
{
    append(&link->hub->queued, link);
    link->state = LINK_QUEUED;
    loop_task_post(link->hub->loop, &link->hub->pump);
}

void link_hub_dequeue(struct link *link)
{
    take_out(&link->hub->queued, link);
    link->state = LINK_CLOSED;
}

/* ---- groups ---- */

/* The number of a group with room, made if need be; -1 if memory is out. */
static ssize_t find_group(struct link_hub *hub, struct err *err)
{
    struct link_group *groups;

    for (size_t i = 0; i < hub->n_groups; i++)
        if (hub->groups[i].n < GROUP_LINKS)
            return (ssize_t)i;
    groups = realloc(hub->groups, (hub->n_groups + 1) * sizeof(*groups));
    if (!groups)
        return err_set(err, "out of memory");
    hub->groups = groups;
    groups[hub->n_groups].n = 0;
    groups[hub->n_groups].cl = curl_loop_new(hub->loop, 4L * GROUP_LINKS, false, err);
    return groups[hub->n_groups].cl ? (ssize_t)hub->n_groups++ : -1;
}

int link_hub_join(struct link *link, struct err *err)
{
    struct link_hub *hub = link->hub;
    ssize_t group = find_group(hub, err);

    if (group < 0 || curl_loop_add(hub->groups[group].cl, link->easy, &link->transfer, err) < 0)
        return -1;
    link->group = (size_t)group;
    hub->groups[group].n++;
    return 0;
}

void link_hub_leave(struct link *link)
{
    struct link_group *group = &link->hub->groups[link->group];

    loop_io_delete(&link->io);
    curl_loop_remove(group->cl, link->easy); /* closes a CONNECT_ONLY connection */
    group->n--;
}

/* ---- turns ----
 *
 * Places are few because a handshake takes its time of the processor, here and on the pod. Who only waits takes none: a pod
 * that drops packets would keep all others from their turn. So a place is given up after a while, though the connection is
 * not there yet. */

static void give_up_place(struct link *link)
{
    struct link_hub *hub = link->hub;

    take_out(&hub->starting, link);
    link->has_place = false;
    hub->n_starting--;
    loop_task_post(hub->loop, &hub->pump);
}

static void watch_first(struct link_hub *hub)
{
    if (hub->starting.first)
        loop_timer_set(&hub->slow, hub->starting.first->began_ns + SLOW_NS);
}

static void on_slow(struct loop_timer *timer)
{
    struct link_hub *hub = container_of(timer, struct link_hub, slow);
    int64_t now = loop_now_ns(hub->loop);

    while (hub->starting.first && hub->starting.first->began_ns + SLOW_NS <= now)
        give_up_place(hub->starting.first);
    watch_first(hub);
}

void link_hub_connected(struct link *link)
{
    if (link->has_place)
        give_up_place(link);
}

/* One a turn: a socket is made and connected. */
static void on_pump(struct loop_task *task)
{
    struct link_hub *hub = container_of(task, struct link_hub, pump);
    struct link *link = hub->queued.first;

    if (!link || hub->n_starting >= hub->settings.max_opening)
        return;
    link_hub_dequeue(link);
    if (link_begin(link)) {
        link->began_ns = loop_now_ns(hub->loop);
        link->has_place = true;
        append(&hub->starting, link);
        if (hub->n_starting++ == 0)
            watch_first(hub);
    }
    if (hub->queued.first) /* perhaps the same one, if it failed and its owner has opened it at once */
        loop_task_post(hub->loop, &hub->pump);
}

/* ---- the hub ---- */

struct link_hub *link_hub_new(struct loop *loop, const struct link_hub_settings *settings, struct err *err)
{
    struct link_hub *hub = calloc(1, sizeof(*hub));

    if (hub)
        hub->server_name = strdup(settings->server_name);
    if (!hub || !hub->server_name) {
        free(hub);
        err_set(err, "connections: out of memory");
        return NULL;
    }
    hub->loop = loop;
    hub->settings = *settings;
    hub->settings.server_name = hub->server_name;
    hub->pump.run = on_pump;
    loop_timer_init(&hub->slow, loop, LOOP_EARLY, on_slow);
    return hub;
}

void link_hub_free(struct link_hub *hub)
{
    if (!hub)
        return;
    must(hub->n_links == 0);
    loop_task_cancel(hub->loop, &hub->pump);
    loop_timer_cancel(&hub->slow);
    for (size_t i = 0; i < hub->n_groups; i++)
        curl_loop_free(hub->groups[i].cl);
    free(hub->groups);
    free(hub->server_name);
    free(hub);
}
