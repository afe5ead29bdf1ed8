/* SPDX-License-Identifier: MIT */
/*
 * The pod table under stress: readers against a writer that never rests, that is stopped, and that is killed
 * anywhere. Every list carries its number in each field of each pod, so a mixture of two lists shows. Readers
 * must never see one and never wait; how long the longest call took is printed, not judged: on a busy machine
 * it is the scheduler's.
 *
 * A plain program and no unit test: the framework of those and ThreadSanitizer do not go together. `make
 * tsan` builds this with -fsanitize=thread and runs it, under gcc and clang. It sees the threads of the first
 * case; what other processes do is beyond it. It proves that all that is shared is atomic; that the order is
 * enough, no run proves (tests/model).
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/random.h>

#include "../../src/share/podtable_layout.h"

#define PODS 256
#define READERS 4
#define THREADS_NS (700 * NS_PER_MS)
#define PATIENCE_NS (10 * NS_PER_S)
#define STOPS_NS (700 * NS_PER_MS)
#define KILLS_NS (500 * NS_PER_MS)

struct tally {
    uint64_t calls, fresh, overtaken, mixtures;
    int64_t longest_ns; /* of one call */
};

static struct podtable *table;
static int cases, failures;

static void report(bool good, const char *what, const struct tally *t)
{
    printf("# %ju calls, %ju new lists, %ju overtaken, %ju mixtures, longest call %.1f us\n", (uintmax_t)t->calls,
           (uintmax_t)t->fresh, (uintmax_t)t->overtaken, (uintmax_t)t->mixtures, (double)t->longest_ns / 1000);
    printf("%sok %d - %s\n", good ? "" : "not ", ++cases, what);
    fflush(stdout);
    failures += !good;
}

/* ---- lists that tell whether they are of one piece ---- */

/* The length changes too: 1 to PODS pods. */
static size_t length_of(uint64_t number)
{
    return (size_t)(number * 37 % PODS) + 1;
}

static struct podtable_pod pod_of(uint64_t number)
{
    struct podtable_pod pod = {.id = number, .port = (uint16_t)number, .state = number % PODTABLE_STATES};

    pod.counts = number & 1;
    pod.addr.family = number & 2 ? 4 : 6;
    memcpy(pod.addr.bytes, &number, sizeof(number));
    snprintf(pod.name, sizeof(pod.name), "gw-%0*ju", (int)(number % 200) + 1, (uintmax_t)number);
    return pod;
}

static void publish_next(void)
{
    static struct podtable_pod pods[PODS];
    uint64_t number = podtable_generation(table) + 1;

    for (size_t i = 0; i < length_of(number); i++)
        pods[i] = pod_of(number);
    if (podtable_publish(table, pods, length_of(number), (int64_t)number, NULL) < 0)
        abort();
}

static bool is_mixture(const struct podtable_snapshot *s)
{
    struct podtable_pod want = pod_of(s->generation);

    if (s->n != (s->generation ? length_of(s->generation) : 0))
        return true;
    for (size_t i = 0; i < s->n; i++) {
        const struct podtable_pod *pod = &s->pods[i];

        if (pod->id != want.id || pod->port != want.port || pod->state != want.state || pod->counts != want.counts ||
            memcmp(&pod->addr, &want.addr, sizeof(want.addr)) != 0 || strcmp(pod->name, want.name) != 0 ||
            s->by_name[i] >= s->n || s->by_addr[i] >= s->n)
            return true;
    }
    return false;
}

/* One call, timed and judged. */
static enum podtable_read read_once(struct podtable_reader *reader, struct tally *t)
{
    const struct podtable_snapshot *s;
    bool changed = podtable_reader_changed(reader);
    int64_t begun = clock_now_ns(), took;
    enum podtable_read result = podtable_reader_snapshot(reader, &s);

    took = clock_now_ns() - begun;
    t->calls++;
    t->longest_ns = took > t->longest_ns ? took : t->longest_ns;
    t->overtaken += result == PODTABLE_READ_OVERTAKEN;
    if (changed && result == PODTABLE_READ_DONE) {
        t->fresh++;
        t->mixtures += is_mixture(s);
    }
    return result;
}

static struct podtable_reader *attach(void)
{
    struct podtable_reader *reader = podtable_attach(podtable_worker_fd(table), NULL);

    if (!reader)
        abort();
    return reader;
}

static void add(struct tally *sum, const struct tally *t)
{
    sum->calls += t->calls;
    sum->fresh += t->fresh;
    sum->overtaken += t->overtaken;
    sum->mixtures += t->mixtures;
    sum->longest_ns = t->longest_ns > sum->longest_ns ? t->longest_ns : sum->longest_ns;
}

/* ---- threads ---- */

static atomic_bool over;
static atomic_int served; /* readers that have seen a list */

/* ThreadSanitizer tells memory by its address, and a mapping of the reader's own has others: it would see two objects that
 * nobody shares. So threads read where the writer writes. */
static struct podtable_reader *attach_here(struct shm_object *own)
{
    struct podtable_reader *reader = attach();

    *own = reader->object;
    reader->object = table->object;
    reader->header = table->header;
    return reader;
}

static void *thread_of_reader(void *arg)
{
    struct shm_object own;
    struct podtable_reader *reader = attach_here(&own);
    struct tally *t = arg;
    bool counted = false;

    while (!atomic_load(&over)) {
        if (!podtable_reader_changed(reader))
            sched_yield(); /* else few lists are seen where processors are few */
        read_once(reader, t);
        if (t->fresh > 0 && !counted) {
            counted = true;
            atomic_fetch_add(&served, 1);
        }
    }
    reader->object = own;
    podtable_detach(reader);
    return NULL;
}

static void case_threads(void)
{
    int64_t end = clock_now_ns() + THREADS_NS;
    struct tally tallies[READERS] = {{0}}, sum = {0};
    pthread_t threads[READERS];

    for (int i = 0; i < READERS; i++)
        if (pthread_create(&threads[i], NULL, thread_of_reader, &tallies[i]) != 0)
            abort();
    /* A reader that is starved would keep us here: the patience of a crowded machine, then a failure. */
    while (clock_now_ns() < end || (atomic_load(&served) < READERS && clock_now_ns() < end + PATIENCE_NS))
        publish_next();
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        add(&sum, &tallies[i]);
    }
    report(atomic_load(&served) == READERS && sum.mixtures == 0,
           "threads: a writer that never rests starves and deceives no reader", &sum);
}

/* ---- processes ---- */

/* A writer, once it has published its first list. */
static pid_t start_writer(void)
{
    uint64_t before = podtable_generation(table);
    pid_t pid = fork();

    if (pid < 0)
        abort();
    if (pid == 0)
        for (;;)
            publish_next();
    while (podtable_generation(table) == before)
        sched_yield();
    return pid;
}

static void wait_for(pid_t pid, int options)
{
    int status;

    while (waitpid(pid, &status, options) < 0)
        if (errno != EINTR)
            abort();
}

/* Lets the writer go on for up to 1 ms, so that it is met anywhere in its work. */
static void let_it_run(void)
{
    int64_t until = clock_now_ns() + random_below(NS_PER_MS);

    while (clock_now_ns() < until)
        ;
}

/* With the writer standing still, one call brings the newest list, and the next finds nothing new. */
static bool reads_at_once(struct podtable_reader *reader, struct tally *t)
{
    return read_once(reader, t) == PODTABLE_READ_DONE && !podtable_reader_changed(reader) &&
           read_once(reader, t) == PODTABLE_READ_DONE;
}

/* Reads until its end of the pipe ends; the exit code says whether all was well. */
static pid_t start_reader(const int ends[2])
{
    struct podtable_reader *reader;
    struct tally t = {0};
    pid_t pid = fork();
    int left = 1;

    if (pid != 0)
        return pid;
    close(ends[1]);
    reader = attach();
    while (left > 0) {
        char byte;

        for (int i = 0; i < 50; i++)
            read_once(reader, &t);
        left = (int)read(ends[0], &byte, 1);
        left = left < 0 && errno == EAGAIN ? 1 : left;
    }
    _exit(t.fresh > 0 && t.mixtures == 0 ? 0 : 1);
}

static void case_stops(void)
{
    int64_t end = clock_now_ns() + STOPS_NS;
    struct podtable_reader *reader = attach();
    struct tally t = {0};
    bool good = true;
    pid_t pid = start_writer();

    while (clock_now_ns() < end) {
        let_it_run();
        kill(pid, SIGSTOP);
        wait_for(pid, WUNTRACED);
        good = good && reads_at_once(reader, &t);
        kill(pid, SIGCONT);
    }
    kill(pid, SIGKILL);
    wait_for(pid, 0);
    podtable_detach(reader);
    report(good && t.mixtures == 0, "processes: a writer stopped anywhere delays nobody", &t);
}

static void case_kills(void)
{
    int64_t end = clock_now_ns() + KILLS_NS;
    struct podtable_reader *reader = attach();
    struct tally t = {0};
    bool good = true;
    int ends[2], status = -1;
    pid_t other;

    if (pipe2(ends, O_NONBLOCK) < 0)
        abort();
    other = start_reader(ends);
    close(ends[0]);
    while (clock_now_ns() < end) {
        pid_t pid = start_writer(); /* takes up where the killed one left the table */

        let_it_run();
        kill(pid, SIGKILL);
        wait_for(pid, 0);
        good = good && reads_at_once(reader, &t);
    }
    close(ends[1]);
    good = waitpid(other, &status, 0) == other && WIFEXITED(status) && WEXITSTATUS(status) == 0 && good;
    podtable_detach(reader);
    report(good && t.mixtures == 0, "processes: a writer killed anywhere leaves a whole list", &t);
}

int main(void)
{
    struct err err = {""};

    table = podtable_create(PODS, &err);
    if (!table) {
        printf("Bail out! %s\n", err.text);
        return 99;
    }
    printf("1..3\n");
    fflush(stdout);
    case_threads();
    case_stops();
    case_kills();
    podtable_free(table);
    return failures ? 1 : 0;
}
