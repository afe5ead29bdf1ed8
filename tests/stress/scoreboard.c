/* SPDX-License-Identifier: MIT */
/*
 * The scoreboard under stress: writers that count and note in their blocks, die and are followed by others,
 * against readers of all blocks. No sum ever goes back, none is lost, and what is read of a pod is that
 * pod's: all that a writer notes of one follows from its id, and all ids fight for one place.
 *
 * A plain program for the same reasons as seqlock.c. `make tsan` sees the threads of the first case, which
 * share one mapping; what other processes do is beyond it.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/random.h>

#include "../../src/share/scoreboard_layout.h"

#define WRITERS 2 /* blocks 1 .. WRITERS; 0 is the master's */
#define READERS 2
#define LIFE 1000 /* rounds of a writer's life */
#define THREADS_NS (700 * NS_PER_MS)
#define KILLS_NS (700 * NS_PER_MS)
#define PATIENCE_NS (10 * NS_PER_S)

struct tally {
    uint64_t looks, seen, backwards, foreign; /* seen: results that were there; foreign: of another pod, or of two */
    uint64_t counted, observed;               /* the sums when it looked last */
};

static struct scoreboard *board;
static int cases, failures;

static void report(bool good, const char *what, const struct tally *t)
{
    printf("# %ju looks, %ju results, %ju sums went back, %ju results of others; %ju counted, %ju observed\n",
           (uintmax_t)t->looks, (uintmax_t)t->seen, (uintmax_t)t->backwards, (uintmax_t)t->foreign,
           (uintmax_t)t->counted, (uintmax_t)t->observed);
    printf("%sok %d - %s\n", good ? "" : "not ", ++cases, what);
    fflush(stdout);
    failures += !good;
}

/* ---- what is noted of a pod ---- */

/* Ids are never reused. All of these have the same place; 0 is none. */
static uint64_t id_of(uint64_t number)
{
    return (number + 1) * SCOREBOARD_PLACES_MIN;
}

static uint16_t code_of(uint64_t number)
{
    return (uint16_t)(number % 1000 + 1);
}

static void note(struct scoreboard *own, uint64_t number)
{
    uint64_t id = id_of(number);

    scoreboard_note_result(own, id, SCOREBOARD_STATUS, code_of(number), (int64_t)number + 1);
    scoreboard_note_lag(own, id, code_of(number) * 2, (int64_t)code_of(number) * NS_PER_MS);
    scoreboard_note_guard(own, id, SCOREBOARD_PROTECTED, (int64_t)number + 1);
    scoreboard_note_proven(own, id);
}

/* Each word is of one piece, and either of that pod or empty; several words need not be of the same moment. */
static bool is_foreign(const struct scoreboard_pod *pod, uint64_t number)
{
    if (pod->result != SCOREBOARD_NO_RESULT && (pod->result != SCOREBOARD_STATUS || pod->code != code_of(number)))
        return true;
    if (pod->at_ns != 0 && pod->at_ns != (int64_t)number + 1)
        return true;
    if (pod->lag_at_ns != 0 &&
        (pod->lag_ms != code_of(number) * 2u || pod->lag_at_ns != (int64_t)code_of(number) * NS_PER_MS))
        return true;
    return pod->guard_at_ns != 0 && pod->guard_at_ns != (int64_t)number + 1;
}

/* ---- writers ---- */

static atomic_bool over;
static atomic_ullong *newest; /* the number that each writer has noted last; shared with child processes */

/* A board as a worker has it, in this mapping: ThreadSanitizer tells memory by its address. */
static struct scoreboard own_of(uint32_t block)
{
    struct scoreboard own = *board;

    own.own = scoreboard_block(board, block);
    return own;
}

static void round_of(struct scoreboard *own, uint32_t block, uint64_t number)
{
    scoreboard_beat(own);
    scoreboard_add(own, METRIC_PROBES_PRESENT, 3);
    scoreboard_observe(own, HISTOGRAM_PROBE_SECONDS, (int64_t)(number % 5000) * NS_PER_US);
    note(own, number);
    atomic_store_explicit(&newest[block - 1], number, memory_order_relaxed);
}

/* One life after another in one block; both writers note the same pods. */
static void *thread_of_writer(void *arg)
{
    uint32_t block = (uint32_t)(uintptr_t)arg;
    struct scoreboard own = own_of(block);
    uint64_t number = 0;

    for (uint64_t life = 1; !atomic_load(&over); life++) {
        scoreboard_take(&own, (pid_t)block, life);
        scoreboard_set_state(&own, SCOREBOARD_READY);
        for (unsigned i = 0; i < LIFE; i++)
            round_of(&own, block, number++);
        scoreboard_bury(board, block);
    }
    return (void *)(uintptr_t)number;
}

/* ---- readers ---- */

static void look_at_sums(const struct scoreboard *seen_by, struct tally *t)
{
    struct scoreboard_distribution times;
    uint64_t counted = scoreboard_sum(seen_by, METRIC_PROBES_PRESENT);

    scoreboard_distribution(seen_by, HISTOGRAM_PROBE_SECONDS, &times);
    t->backwards += counted < t->counted || times.count < t->observed;
    t->counted = counted;
    t->observed = times.count;
}

static void look_at_pod(const struct scoreboard *seen_by, uint64_t number, struct tally *t)
{
    struct scoreboard_pod pod;

    scoreboard_pod(seen_by, id_of(number), &pod);
    t->seen += pod.at_ns != 0;
    t->foreign += is_foreign(&pod, number);
    scoreboard_pod_lag_max_ms(seen_by, id_of(number), NS_PER_S);
}

/* The pod whose place is about to be taken, and the one that takes it. */
static void look_at_newest(const struct scoreboard *seen_by, uint32_t block, struct tally *t)
{
    uint64_t number = atomic_load_explicit(&newest[block - 1], memory_order_relaxed);

    look_at_pod(seen_by, number, t);
    look_at_pod(seen_by, number + 1, t);
}

static void look_at_owner(const struct scoreboard *seen_by, uint32_t block, struct tally *t)
{
    struct scoreboard_owner owner;

    scoreboard_owner(seen_by, block, &owner);
    t->foreign += owner.pid != 0 && owner.pid != (pid_t)block;
}

static void *thread_of_reader(void *arg)
{
    struct tally *t = arg;

    while (!atomic_load(&over)) {
        for (uint32_t block = 1; block <= WRITERS; block++) {
            look_at_newest(board, block, t);
            look_at_owner(board, block, t);
        }
        look_at_sums(board, t);
        t->looks++;
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    if (pthread_create(thread, NULL, run, arg) != 0)
        abort();
}

static void case_threads(void)
{
    int64_t end = clock_now_ns() + THREADS_NS;
    struct tally tallies[READERS] = {{0}}, sum = {0};
    pthread_t writers[WRITERS], readers[READERS];
    uint64_t rounds = 0;

    for (uint32_t i = 0; i < WRITERS; i++)
        start(&writers[i], thread_of_writer, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < READERS; i++)
        start(&readers[i], thread_of_reader, &tallies[i]);
    while (clock_now_ns() < end)
        sched_yield();
    atomic_store(&over, true);
    for (int i = 0; i < WRITERS; i++) {
        void *number;

        pthread_join(writers[i], &number);
        rounds += (uintptr_t)number;
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
        sum.looks += tallies[i].looks;
        sum.seen += tallies[i].seen;
        sum.backwards += tallies[i].backwards;
        sum.foreign += tallies[i].foreign;
    }
    look_at_sums(board, &sum);
    report(sum.backwards == 0 && sum.foreign == 0 && sum.counted == 3 * rounds && sum.observed == rounds,
           "threads: nothing goes back, is lost, or is taken for another's", &sum);
}

/* ---- processes ---- */

/* A worker of its own mapping, from `number` on, until it is killed. */
static pid_t start_writer(uint32_t block, uint64_t number)
{
    struct scoreboard *own;
    pid_t pid = fork();

    if (pid < 0)
        abort();
    if (pid != 0)
        return pid;
    own = scoreboard_attach(scoreboard_worker_fd(board), block, NULL);
    if (!own)
        abort();
    scoreboard_take(own, (pid_t)block, 1);
    for (;;)
        round_of(own, block, number++);
}

static void end_writer(pid_t pid, uint32_t block)
{
    int status;

    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            abort();
    scoreboard_bury(board, block);
}

/* Reads for up to 1 ms, and until the writer has counted. */
static void look_for_a_while(struct tally *t)
{
    uint64_t counted = t->counted;
    int64_t now = clock_now_ns(), until = now + random_below(NS_PER_MS), patience = now + PATIENCE_NS;

    while ((now < until || t->counted == counted) && now < patience) {
        look_at_sums(board, t);
        look_at_newest(board, 1, t);
        look_at_owner(board, 1, t);
        t->looks++;
        now = clock_now_ns();
    }
}

static void case_kills(void)
{
    int64_t end = clock_now_ns() + KILLS_NS;
    struct scoreboard_owner owner;
    struct tally t = {0};
    uint64_t number = UINT64_C(1) << 32, counted; /* none of the first case's pods */
    bool good = true;

    look_at_sums(board, &t);
    for (; clock_now_ns() < end; number += UINT64_C(1) << 24) {
        pid_t pid = start_writer(1, number); /* goes on in the block of the one that was killed */

        counted = t.counted;
        look_for_a_while(&t);
        end_writer(pid, 1);
        look_at_sums(board, &t);
        scoreboard_owner(board, 1, &owner);
        good = good && t.counted > counted && owner.pid == 0 && owner.state == SCOREBOARD_EMPTY;
    }
    report(good && t.backwards == 0 && t.foreign == 0, "processes: a writer killed anywhere takes nothing with it", &t);
}

int main(void)
{
    struct err err = {""};

    board = scoreboard_create(1 + WRITERS, SCOREBOARD_PLACES_MIN, &err);
    newest = mmap(NULL, WRITERS * sizeof(*newest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!board || newest == MAP_FAILED) {
        printf("Bail out! %s\n", err.text);
        return 99;
    }
    printf("1..2\n");
    fflush(stdout);
    case_threads();
    case_kills();
    scoreboard_free(board);
    munmap(newest, WRITERS * sizeof(*newest));
    return failures ? 1 : 0;
}
