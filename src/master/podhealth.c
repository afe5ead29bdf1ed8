/* SPDX-License-Identifier: MIT */
/*
 * One line when a pod starts to fail or to lag, and one when it recovers, however many workers find out. Each
 * second the master looks at the last results that the workers have noted; what it finds twice in a row is
 * told. A pod that goes up and down is told of ever more rarely, and many pods at once are told of by their
 * number. The results are the workers' word: they make the wording of a line and nothing else.
 */
#include <config.h>

#include <string.h>

#include <syncer/base/macros.h>

#include "master_private.h"

#define ROUND_NS NS_PER_S
#define SLICE 128 /* pods in one turn of the loop */
#define SLICE_GAP_NS (10 * NS_PER_MS)
#define LOOKS 2
#define HOLD_MIN_NS (5 * NS_PER_S)
#define HOLD_MAX_NS (300 * NS_PER_S)
#define LINES_PER_SECOND 10

static enum health_kind kind_of(uint32_t health)
{
    return (enum health_kind)(health & 0xff);
}

/* ---- what is found ---- */

uint32_t podhealth_judge(const struct scoreboard_pod *last, uint32_t before)
{
    switch (last->result) {
    case SCOREBOARD_PRESENT:
        return HEALTH_WELL;
    case SCOREBOARD_ABSENT: /* of a token that has not come yet, or of none at all */
        return last->late || before == HEALTH_LAGS ? HEALTH_LAGS : HEALTH_WELL;
    case SCOREBOARD_STATUS:
        return HEALTH_OF(SCOREBOARD_STATUS, last->code);
    case SCOREBOARD_CONNECT: /* and then down, which is no news */
    case SCOREBOARD_TLS:
    case SCOREBOARD_DOWN:
        return HEALTH_OF(SCOREBOARD_DOWN, 0);
    case SCOREBOARD_TIMED_OUT:
    case SCOREBOARD_BROKEN:
        return HEALTH_OF(last->result, 0);
    default: /* it takes connections again; or nothing is known */
        return last->at_ns > 0 && kind_of(before) == HEALTH_FAILS ? HEALTH_WELL : before;
    }
}

/* ---- what is said ---- */

void podhealth_heard(struct master *master, const char *name, const char *text)
{
    struct pod_words *words = NULL;

    for (size_t i = 0; i < HEALTH_WORDS && !words; i++)
        if (strcmp(master->words[i].name, name) == 0)
            words = &master->words[i];
    if (!words) {
        words = &master->words[master->words_at];
        master->words_at = (master->words_at + 1) % HEALTH_WORDS;
    }
    memcpy(words->name, name, strlen(name) + 1);
    memcpy(words->text, text, strlen(text) + 1);
}

static const char *words_of(const struct master *master, const char *name)
{
    for (size_t i = 0; i < HEALTH_WORDS; i++)
        if (strcmp(master->words[i].name, name) == 0)
            return master->words[i].text;
    return "";
}

static void forget_words(struct master *master, const char *name)
{
    for (size_t i = 0; i < HEALTH_WORDS; i++)
        if (strcmp(master->words[i].name, name) == 0)
            master->words[i].name[0] = '\0';
}

static void log_trouble(const struct master *master, const struct source_pod *pod, enum health_kind kind,
                        const struct scoreboard_pod *last)
{
    char addr[ADDR_TEXT_BYTES];

    addr_format(&pod->addr, addr);
    if (kind == HEALTH_FAILS)
        log_warn("pod fails", LOG_STR("pod", pod->name), LOG_STR("address", addr), LOG_INT("port", pod->port),
                 LOG_STR("result", scoreboard_result_name(last->result)), LOG_SOME("code", last->code),
                 LOG_OPT("reason", last->result == SCOREBOARD_DOWN ? words_of(master, pod->name) : ""),
                 LOG_OPT("hint", scoreboard_hint(last->result, last->code)));
    else
        log_warn("pod lags: a token that others had did not come in time", LOG_STR("pod", pod->name),
                 LOG_STR("address", addr), LOG_INT("port", pod->port),
                 LOG_STR("hint", scoreboard_hint(SCOREBOARD_ABSENT, 0)));
}

/* `before`: what was told until now. */
static void log_change(struct master *master, const struct listed_pod *listed, const struct pod_health *before,
                       const struct scoreboard_pod *last)
{
    enum health_kind kind = kind_of(listed->health.told);
    int64_t now = loop_now_ns(master->loop);
    bool pass = log_limit_pass(&master->health_limits[kind], now, LINES_PER_SECOND);

    if (pass && kind != HEALTH_WELL)
        log_trouble(master, &listed->pod, kind, last);
    else if (pass)
        log_info(kind_of(before->told) == HEALTH_FAILS ? "pod answers again" : "pod has caught up",
                 LOG_STR("pod", listed->pod.name), LOG_INT("after_ms", (now - before->told_ns) / NS_PER_MS));
    if (kind == HEALTH_WELL)
        forget_words(master, listed->pod.name);
}

static void tell_held(struct master *master, int64_t now)
{
    static const char *const what[HEALTH_KINDS] = {"more pods are well again", "more pods lag", "more pods fail"};

    for (size_t kind = 0; kind < HEALTH_KINDS; kind++) {
        struct log_limit *limit = &master->health_limits[kind];
        uint32_t held = log_limit_over_ns(limit) <= now ? log_limit_take(limit) : 0;

        if (held > 0)
            LOG_AT(kind == HEALTH_WELL ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, what[kind], LOG_INT("pods", held));
    }
}

/* ---- the look ---- */

/* The time between two lines doubles while the pod does not keep quiet for twice as long. */
static int64_t next_hold(const struct pod_health *health, int64_t now)
{
    int64_t twice = 2 * health->hold_ns;

    if (health->told_ns == 0 || now - health->told_ns > twice)
        return HOLD_MIN_NS;
    return twice < HOLD_MAX_NS ? twice : HOLD_MAX_NS;
}

bool podhealth_step(struct pod_health *health, uint32_t found, int64_t now_ns)
{
    health->looks = found == health->seen ? health->looks + 1 : 1;
    health->seen = found;
    if (found == health->told || health->looks < LOOKS || now_ns - health->told_ns < health->hold_ns)
        return false;
    health->hold_ns = next_hold(health, now_ns);
    health->told_ns = now_ns;
    health->told = found;
    return true;
}

static void look(struct master *master, struct listed_pod *listed)
{
    struct pod_health before = listed->health;
    struct scoreboard_pod last;

    scoreboard_pod(master->board, listed->id, &last);
    if (podhealth_step(&listed->health, podhealth_judge(&last, before.told), loop_now_ns(master->loop)))
        log_change(master, listed, &before, &last);
}

static void on_due(struct loop_timer *timer)
{
    struct master *master = container_of(timer, struct master, health);
    int64_t now = loop_now_ns(master->loop), next = now + SLICE_GAP_NS;
    size_t end = master->health_at + SLICE;

    if (master->health_at == 0)
        master->health_round_ns = now;
    for (; master->health_at < end && master->health_at < master->n_pods; master->health_at++)
        if (master->pods[master->health_at].pod.counts)
            look(master, &master->pods[master->health_at]);
    if (master->health_at >= master->n_pods) {
        master->health_at = 0;
        tell_held(master, now);
        next = master->health_round_ns + ROUND_NS;
    }
    loop_timer_set(timer, next);
}

void podhealth_start(struct master *master)
{
    loop_timer_init(&master->health, master->loop, LOOP_EARLY, on_due);
    loop_timer_set(&master->health, loop_now_ns(master->loop) + ROUND_NS);
}
