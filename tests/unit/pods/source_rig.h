/* SPDX-License-Identifier: MIT */
/* A source in a loop of its own, before an API server that replays recordings and misbehaves when told
 * (tests/fakes/kube_api.py, a child that ends with its stdin). */
#ifndef SYNCER_TESTS_UNIT_PODS_SOURCE_RIG_H
#define SYNCER_TESTS_UNIT_PODS_SOURCE_RIG_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/pods/source.h>

/* ---- the fake ---- */

static struct {
    pid_t pid;
    FILE *to, *from;
    char port[16], folder[256];
} fake;

static void fake_start(void)
{
    const char *top = getenv("SYNCER_SRCDIR");
    char script[512];
    int to[2], from[2];

    snprintf(script, sizeof(script), "%s/tests/fakes/kube_api.py", top ? top : ".");
    cr_assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    fake.pid = fork();
    cr_assert_geq(fake.pid, 0);
    if (fake.pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        execlp("python3", "python3", script, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    fake.to = fdopen(to[1], "w");
    fake.from = fdopen(from[0], "r");
    cr_assert(fake.to && fake.from);
    cr_assert_eq(fscanf(fake.from, "ready %15s %255s", fake.port, fake.folder), 2, "%s did not start", script);
    cr_assert_eq(fgetc(fake.from), '\n');
}

static void fake_stop(void)
{
    fclose(fake.to);
    fclose(fake.from);
    waitpid(fake.pid, NULL, 0);
}

/* One command; returns the number that it answers with, 0 for "ok". */
static int tell(const char *command)
{
    char answer[64] = "";

    fprintf(fake.to, "%s\n", command);
    fflush(fake.to);
    cr_assert(fgets(answer, sizeof(answer), fake.from), "%s: no answer", command);
    cr_assert_neq(answer[0], 'w', "%s: not understood", command);
    return atoi(answer);
}

/* ---- the source ---- */

struct seen {
    int begun, lists, failures, updates;
    size_t n, counting, fewest; /* fewest: that ever counted */
    char names[4096];           /* of those that count, sorted, each with a blank behind */
    struct source_failure last;
    struct source_watch watch; /* states as reported last, counts added up */
    int notices;
    char notice[SOURCE_NAME_MAX + ERR_TEXT_BYTES]; /* the last one; "" = it works again */
};

static struct conf conf;
static struct loop *loop;
static struct seen seen;

static void on_begin(void *arg)
{
    (void)arg;
    cr_expect_eq(seen.begun, seen.lists + seen.failures, "a read begins before the last one has ended");
    seen.begun++;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void note_list(const struct source_pod *pods, size_t n)
{
    const char **names = calloc(n + 1, sizeof(*names));

    cr_assert(names);
    seen.n = n;
    seen.counting = 0;
    for (size_t i = 0; i < n; i++)
        if (pods[i].counts)
            names[seen.counting++] = pods[i].name;
    if (seen.lists + seen.updates == 1 || seen.counting < seen.fewest)
        seen.fewest = seen.counting;
    qsort(names, seen.counting, sizeof(*names), compare_names);
    seen.names[0] = '\0';
    for (size_t i = 0; i < seen.counting; i++)
        snprintf(strchr(seen.names, '\0'), sizeof(seen.names) - strlen(seen.names), "%s ", names[i]);
    free(names);
}

static void on_list(void *arg, const struct source_pod *pods, size_t n)
{
    (void)arg;
    seen.lists++;
    note_list(pods, n);
}

static void on_update(void *arg, const struct source_pod *pods, size_t n)
{
    (void)arg;
    cr_expect_gt(seen.lists, 0, "an update before the first list");
    seen.updates++;
    note_list(pods, n);
}

static void on_watch(void *arg, const struct source_watch *watch)
{
    uint64_t events = seen.watch.events, restarts = seen.watch.restarts;

    (void)arg;
    seen.watch = *watch;
    seen.watch.events += events;
    seen.watch.restarts += restarts;
}

static void on_notice(void *arg, const char *what, const char *reason)
{
    (void)arg;
    seen.notices++;
    snprintf(seen.notice, sizeof(seen.notice), "%s%s%s", reason ? what : "", reason ? ": " : "", reason ? reason : "");
}

static void on_failed(void *arg, const struct source_failure *failure)
{
    (void)arg;
    seen.failures++;
    seen.last = *failure;
    cr_expect_not(strstr(failure->reason.text, "token-of"), "a token is shown: %s", failure->reason.text);
}

static const struct source_events events = {on_begin, on_list, on_failed, on_update, on_watch, on_notice};

static inline struct source *start(struct err *err)
{
    struct source_settings settings = {&conf, "syncer/test", loop, &events, NULL};

    return source_new(&settings, err);
}

static inline struct source *start_well(void)
{
    struct err err = {""};
    struct source *source = start(&err);

    cr_assert(source, "%s", err.text);
    return source;
}

/* Turns until one more read has ended; true if it brought a list. */
static inline bool read_ends(void)
{
    int lists = seen.lists, failures = seen.failures;

    while (seen.lists == lists && seen.failures == failures)
        loop_turn(loop, -1, NULL);
    return seen.lists > lists;
}

/* The same of a read that need not be waited for. */
static inline bool read_again(struct source *source)
{
    source_refresh(source);
    return read_ends();
}

static void read_conf(const char *source)
{
    char text[1024];
    struct err err = {""};
    struct conf_notes notes = {0};

    snprintf(text, sizeof(text), "%s\nhost: gw\npath: /p\nscrape_interval: 1s\nserviceaccount_dir: %s\n", source,
             fake.folder);
    cr_assert(conf_init(&conf, &err) == 0 && conf_read_text(&conf, "c.yaml", text, strlen(text), &err) == 0, "%s",
              err.text);
    cr_assert_eq(conf_check(&conf, true, &notes, &err), 0, "%s", err.text);
}

static void start_rig(const char *source)
{
    struct err err = {""};

    fake_start();
    unsetenv("KUBECONFIG");
    setenv("HOME", "/nonexistent", 1);
    setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1", 1);
    setenv("KUBERNETES_SERVICE_PORT", fake.port, 1);
    read_conf(source);
    loop = loop_new(&err);
    cr_assert(loop, "%s", err.text);
}

static void teardown(void)
{
    loop_free(loop);
    conf_free(&conf);
    fake_stop();
}

#endif
