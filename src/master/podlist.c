/* SPDX-License-Identifier: MIT */
/*
 * A list that a source has read becomes the table. A pod keeps its id as long as name, uid, address and port
 * stay: a check that holds an id therefore never means another pod. The table is published only if something
 * has changed, since each publication makes every worker copy it.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "master_private.h"

#define LINES_MAX 20 /* of one list's changes in the log */

_Static_assert(sizeof(((struct source_pod *)0)->name) == sizeof(((struct podtable_pod *)0)->name),
               "names fit both ways");

/* ---- who is who ---- */

/* The name first: that is the order of the table and of the log. */
static int compare(const struct source_pod *a, const struct source_pod *b)
{
    int order = strcmp(a->name, b->name);

    if (order == 0)
        order = strcmp(a->uid, b->uid);
    if (order == 0)
        order = (int)a->addr.family - (int)b->addr.family;
    if (order == 0)
        order = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
    return order ? order : (int)a->port - (int)b->port;
}

static int compare_listed(const void *a, const void *b)
{
    const struct listed_pod *x = a, *y = b;
    int order = compare(&x->pod, &y->pod);

    /* Of one pod that is there twice the first stays: the one that counts, lest a peer is left out. */
    return order ? order : (int)y->pod.counts - (int)x->pod.counts;
}

static int compare_key(const void *key, const void *element)
{
    return compare(key, &((const struct listed_pod *)element)->pod);
}

/* Gives the pod the id and the health that it had; one that is new has no id yet. */
static void identify(const struct master *master, struct listed_pod *listed)
{
    const struct source_pod *pod = &listed->pod;
    const struct listed_pod *before =
        master->n_pods ? bsearch(pod, master->pods, master->n_pods, sizeof(*master->pods), compare_key) : NULL;

    listed->id = before ? before->id : 0;
    listed->health = before ? before->health : (struct pod_health){0};
}

/* Gives ids to the new ones. Two whose ids are equal modulo the scoreboard's places would each wipe out what
 * is known of the other, the control probe's answer too: such an id is passed over. 0, or -1 if memory is
 * out. */
static int give_ids(struct master *master, struct listed_pod *list, size_t n)
{
    uint32_t places = scoreboard_places(master->board);
    bool *taken = calloc(places, sizeof(*taken));

    if (!taken)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (list[i].id)
            taken[list[i].id % places] = true;
    for (size_t i = 0; i < n; i++) {
        if (list[i].id)
            continue;
        do
            list[i].id = ++master->last_id;
        while (n <= places && taken[list[i].id % places]);
        taken[list[i].id % places] = true;
    }
    free(taken);
    return 0;
}

/* Sorted, each once, with ids. NULL if memory is out. */
static struct listed_pod *make_list(struct master *master, const struct source_pod *pods, size_t n, size_t *n_listed)
{
    struct listed_pod *list = calloc(n + 1, sizeof(*list));
    size_t kept = 0, known = 0;

    if (!list)
        return NULL;
    for (size_t i = 0; i < n; i++)
        list[i].pod = pods[i];
    qsort(list, n, sizeof(*list), compare_listed);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && compare(&list[kept - 1].pod, &list[i].pod) == 0)
            continue;
        list[kept] = list[i];
        identify(master, &list[kept]);
        known += list[kept++].id != 0;
    }
    if (known < kept && give_ids(master, list, kept) < 0) {
        free(list);
        return NULL;
    }
    *n_listed = kept;
    return list;
}

static bool is_in_force(const struct master *master, const struct listed_pod *list, size_t n)
{
    if (n != master->n_pods || podtable_generation(master->table) == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (list[i].id != master->pods[i].id || list[i].pod.state != master->pods[i].pod.state ||
            list[i].pod.counts != master->pods[i].pod.counts)
            return false;
    return true;
}

/* ---- the table ---- */

static uint8_t state_of(enum source_state state)
{
    static const uint8_t states[] = {
        [SOURCE_PENDING] = PODTABLE_PENDING, [SOURCE_READY] = PODTABLE_READY,
        [SOURCE_UNREADY] = PODTABLE_UNREADY, [SOURCE_TERMINATING] = PODTABLE_TERMINATING,
        [SOURCE_FAILED] = PODTABLE_FAILED,   [SOURCE_UNKNOWN] = PODTABLE_UNKNOWN,
    };

    return states[state];
}

static int publish(struct master *master, const struct listed_pod *list, size_t n, int64_t now, struct err *err)
{
    struct podtable_pod *pods = calloc(n + 1, sizeof(*pods));
    int rc;

    if (!pods)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct source_pod *from = &list[i].pod;

        pods[i] = (struct podtable_pod){.id = list[i].id,
                                        .addr = from->addr,
                                        .port = from->port,
                                        .state = state_of(from->state),
                                        .counts = from->counts};
        memcpy(pods[i].name, from->name, sizeof(pods[i].name));
    }
    rc = podtable_publish(master->table, pods, n, now, err);
    free(pods);
    return rc;
}

/* ---- the log ---- */

static void log_pod(const char *what, const struct source_pod *pod, size_t *lines)
{
    char addr[ADDR_TEXT_BYTES];

    if (++*lines > LINES_MAX)
        return;
    log_info(what, LOG_STR("pod", pod->name), LOG_STR("address", addr_format(&pod->addr, addr)),
             LOG_INT("port", pod->port), LOG_STR("state", podtable_state_name(state_of(pod->state))),
             LOG_STR("counts", pod->counts ? "yes" : "no"));
}

/* Both lists are sorted alike. A pod that was made again leaves and comes. */
static void log_changes(const struct master *master, const struct listed_pod *list, size_t n)
{
    const struct listed_pod *old = master->pods, *old_end = old + master->n_pods, *new = list, *new_end = new + n;
    size_t lines = 0;

    while (old < old_end || new < new_end) {
        int order = old == old_end ? 1 : new == new_end ? -1 : compare(&old->pod, &new->pod);

        if (order < 0)
            log_pod("pod has left", &old->pod, &lines);
        else if (order > 0)
            log_pod("pod has come", &new->pod, &lines);
        else if (old->pod.counts != new->pod.counts)
            log_pod(new->pod.counts ? "pod counts now" : "pod does not count any more", &new->pod, &lines);
        old += order <= 0;
        new += order >= 0;
    }
    if (lines > LINES_MAX)
        log_info("more pods have changed", LOG_INT("pods", lines - LINES_MAX));
}

/* ---- together ---- */

/* `read_ns`: when it was read, or when the last one was. */
static int take(struct master *master, const struct source_pod *pods, size_t n, int64_t read_ns, struct err *err)
{
    size_t n_listed = 0;
    struct listed_pod *list = make_list(master, pods, n, &n_listed);

    if (!list)
        return err_set(err, "out of memory");
    if (is_in_force(master, list, n_listed)) {
        podtable_touch(master->table, read_ns);
    } else if (publish(master, list, n_listed, read_ns, err) < 0) {
        free(list);
        return -1;
    }
    log_changes(master, list, n_listed);
    podlist_release(master);
    master->pods = list;
    master->n_pods = n_listed;
    master->read_ns = read_ns;
    return 0;
}

int podlist_take(struct master *master, const struct source_pod *pods, size_t n, struct err *err)
{
    if (take(master, pods, n, loop_now_ns(master->loop), err) < 0)
        return -1;
    scoreboard_set(master->board, METRIC_PODS_READ, (uint64_t)clock_wall_ms());
    return 0;
}

int podlist_update(struct master *master, const struct source_pod *pods, size_t n, struct err *err)
{
    return take(master, pods, n, master->read_ns, err);
}

void podlist_release(struct master *master)
{
    free(master->pods);
    master->pods = NULL;
    master->n_pods = 0;
}
