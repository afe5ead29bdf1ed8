/* SPDX-License-Identifier: MIT */
/*
 * Watched files, with a real inotify. That something is no news is shown by a file called `end`, which is
 * changed behind it: what comes then must be that file alone.
 */
#include <config.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/fd.h>
#include <syncer/base/filewatch.h>

static char folder[64];
static struct loop *loop;
static struct filewatch *watch;
static unsigned looks;  /* that brought news */
static char news[4096]; /* of the last: "+name" changed, "-name" gone, in the order told */

static void on_news(void *arg, const struct filewatch_news *got)
{
    (void)arg;
    looks++;
    news[0] = '\0';
    for (size_t i = 0; i < got->n_changed; i++)
        snprintf(news + strlen(news), sizeof(news) - strlen(news), "+%s", strrchr(got->changed[i], '/') + 1);
    for (size_t i = 0; i < got->n_gone; i++)
        snprintf(news + strlen(news), sizeof(news) - strlen(news), "-%s", strrchr(got->gone[i], '/') + 1);
}

static void run(const char *fmt, ...)
{
    char command[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    cr_assert_eq(system(command), 0, "%s", command); /* NOLINT(cert-env33-c) */
}

/* Without a process: a busy machine takes its time for each. */
static void put(const char *path, int text)
{
    FILE *file = fopen(path, "we");

    cr_assert(file);
    fprintf(file, "%d\n", text);
    fclose(file);
}

static void set(size_t n, ...)
{
    char paths[8][256];
    const char *list[8];
    va_list args;

    va_start(args, n);
    for (size_t i = 0; i < n; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, va_arg(args, const char *));
        list[i] = paths[i];
    }
    va_end(args);
    filewatch_set(watch, list, n);
}

static void wait_for_news(const char *expected)
{
    unsigned before = looks;

    while (looks == before)
        cr_assert_eq(loop_turn(loop, -1, NULL), 0);
    cr_expect_str_eq(news, expected);
}

static void expect_no_news_but_the_end(void)
{
    static unsigned number;

    run("echo %u > %s/end", ++number, folder);
    wait_for_news("+end");
}

static void setup(void)
{
    snprintf(folder, sizeof(folder), "/tmp/syncer-filewatch.XXXXXX");
    cr_assert(mkdtemp(folder) && chdir(folder) == 0);
    run("echo a > a; echo b > b; echo 0 > end");
    loop = loop_new(NULL);
    watch = filewatch_new(loop, on_news, NULL, NULL);
    cr_assert(loop && watch);
}

static void teardown(void)
{
    filewatch_free(watch);
    loop_free(loop);
    run("cd /; chmod -R u+rwx %s; rm -r %s", folder, folder);
}

TestSuite(filewatch, .timeout = 30, .init = setup, .fini = teardown);

Test(filewatch, a_file_written_in_place_or_renamed_over)
{
    set(2, "a", "end");
    cr_expect_str_eq(filewatch_trouble(watch), "");
    run("echo other > a");
    wait_for_news("+a");
    run("echo third > new; mv new a");
    wait_for_news("+a");
    run("rm a; echo fourth > a");
    wait_for_news("+a");
    expect_no_news_but_the_end();
}

Test(filewatch, what_holds_the_same_has_not_changed)
{
    set(2, "a", "end");
    run("touch a; cp a new; mv new a; rm a; echo a > a; chmod 600 a");
    expect_no_news_but_the_end();
}

Test(filewatch, other_files_of_the_folder_are_not_looked_at)
{
    set(2, "a", "end");
    run("echo x > b; rm b; mkdir c; echo 1 > aa");
    expect_no_news_but_the_end();
}

Test(filewatch, many_changes_are_told_once)
{
    set(3, "a", "b", "end");
    for (int i = 0; i < 50; i++) {
        put("a", i);
        put("b", i);
        cr_assert_eq(loop_turn(loop, 0, NULL), 0);
    }
    wait_for_news("+a+b");
    cr_expect_leq(looks, 2); /* 1 unless the machine took over a second for them */
    expect_no_news_but_the_end();
}

/* Changes that do not end are told after a second all the same. */
Test(filewatch, it_does_not_wait_for_ever_to_settle)
{
    int64_t begun = clock_now_ns();

    set(1, "a");
    for (int i = 0; looks == 0; i++) {
        run("echo %d > a", i);
        cr_assert_eq(loop_turn(loop, 20 * NS_PER_MS, NULL), 0);
    }
    cr_expect_geq(clock_now_ns() - begun, 150 * NS_PER_MS);
    cr_expect_lt(clock_now_ns() - begun, 10 * NS_PER_S);
}

/* As a kubelet does it (pkg/volume/util/atomic_writer.go): the files are links through ..data, which is
 * swapped. */
#define SWAP(n) \
    "cd mount; mkdir ..d" n "; cp -r ../next/* ..d" n "; ln -s ..d" n " ..data_tmp; mv -T ..data_tmp ..data; cd .."

Test(filewatch, a_mount_that_swaps_its_data)
{
    run("mkdir mount next; echo 1 > next/config.yaml; echo 1 > next/other; " SWAP(
        "1") "; ln -s ..data/config.yaml mount/config.yaml; ln -s ..data/other mount/other");
    set(2, "mount/config.yaml", "end");
    run("echo 2 > next/config.yaml; " SWAP("2") "; rm -r mount/..d1");
    wait_for_news("+config.yaml");
    run("echo 2 > next/other; " SWAP("3") "; rm -r mount/..d2"); /* all files are new ones, but it is another's key */
    expect_no_news_but_the_end();
    run("echo 4 > next/config.yaml; " SWAP("4") "; rm -r mount/..d3");
    wait_for_news("+config.yaml");
}

Test(filewatch, links_anywhere_on_the_way)
{
    run("mkdir -p x/in y/in; echo 1 > x/in/f; echo 2 > y/in/f; ln -s x link; ln -s %s/link/../link/./in way", folder);
    set(2, "way/f", "end");
    run("ln -sfn y link");
    wait_for_news("+f");
    run("echo 3 > y/in/f");
    wait_for_news("+f");
    run("mkdir z; echo 4 > z/f; ln -sfn z way");
    wait_for_news("+f");
    run("ln -sfn way way"); /* round and round */
    wait_for_news("-f");
    run("ln -sfn z way"); /* as before */
    expect_no_news_but_the_end();
}

Test(filewatch, a_folder_that_goes_and_comes_back)
{
    run("mkdir -p p/q; echo 1 > p/q/f");
    set(2, "p/q/f", "end");
    run("rm -r p");
    wait_for_news("-f");
    run("mkdir -p p/q; echo 1 > p/q/f"); /* it holds what it held */
    expect_no_news_but_the_end();
    run("mv p away; mkdir -p p/q; echo 2 > p/q/f");
    wait_for_news("+f");
    run("rm -r p");
    wait_for_news("-f");
    run("echo x > away/q/f; rm -r away");
    expect_no_news_but_the_end();
    run("mkdir p");
    expect_no_news_but_the_end();
    run("mkdir p/q");
    expect_no_news_but_the_end();
    run("echo 3 > p/q/f");
    wait_for_news("+f");
}

Test(filewatch, a_file_that_is_not_there_yet)
{
    set(2, "deep/down/f", "end");
    expect_no_news_but_the_end();
    run("mkdir -p deep/down; echo 1 > deep/down/f");
    wait_for_news("+f");
}

Test(filewatch, what_could_not_be_read_and_now_can)
{
    run("echo 1 > real; ln -s %s f; mkdir d", "d");
    set(2, "f", "end"); /* a folder: there, but no content */
    expect_no_news_but_the_end();
    run("ln -sfn real f");
    wait_for_news("+f");
}

Test(filewatch, what_the_owner_knows_is_no_news)
{
    set(2, "a", "end");
    run("echo 2 > a");
    filewatch_note(watch);
    expect_no_news_but_the_end();
    run("rm a");
    filewatch_note(watch); /* it knows that there is none */
    expect_no_news_but_the_end();
    run("echo 2 > a");
    wait_for_news("+a");
}

Test(filewatch, another_set_keeps_what_it_knows)
{
    set(2, "a", "end");
    run("echo 2 > a; echo 2 > b");
    set(4, "a", "b", "b", "end"); /* a has changed before; b is new with what it holds now */
    wait_for_news("+a");
    set(2, "b", "end");
    run("echo 3 > a");
    expect_no_news_but_the_end();
    set(0);
    run("echo 3 > b");
    cr_assert_eq(loop_turn(loop, 300 * NS_PER_MS, NULL), 0);
    cr_expect_str_eq(news, "+end");
    set(2, "b", "end");
    expect_no_news_but_the_end();
}

Test(filewatch, relative_paths)
{
    const char *paths[] = {"a", "./end"};

    filewatch_set(watch, paths, 2);
    run("echo 2 > a");
    wait_for_news("+a");
    expect_no_news_but_the_end();
}

static unsigned long read_limit(void)
{
    struct buf text;
    unsigned long limit;

    buf_init(&text, 64);
    cr_assert_eq(fd_read_file("/proc/sys/fs/inotify/max_queued_events", &text, NULL), 0);
    limit = strtoul(buf_str(&text), NULL, 10);
    buf_release(&text);
    return limit;
}

Test(filewatch, a_queue_that_overflows)
{
    unsigned long limit = read_limit();

    set(2, "a", "end");
    for (unsigned long i = 0; i <= limit / 2; i++) { /* two events each */
        int fd = open("other", O_WRONLY | O_CREAT, 0600);

        cr_assert(fd >= 0 && close(fd) == 0 && unlink("other") == 0);
    }
    run("echo 2 > a"); /* nobody is told */
    wait_for_news("+a");
    expect_no_news_but_the_end();
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd >= 0) {
        (void)!write(fd, text, strlen(text));
        close(fd);
    }
}

/* In a child, and a user namespace of its own, which has limits of its own. */
static int at_the_limit(const char *limit, const char *said)
{
    if (unshare(CLONE_NEWUSER) != 0)
        return 77;
    write_file(limit, "0");
    set(2, "a", "end");
    if (!strstr(filewatch_trouble(watch), said)) {
        fprintf(stderr, "trouble: \"%s\"\n", filewatch_trouble(watch));
        return 1;
    }
    filewatch_set(watch, NULL, 0);
    return filewatch_trouble(watch)[0] ? 2 : 0;
}

static void expect_at_the_limit(const char *limit, const char *said)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(at_the_limit(limit, said));
    cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        cr_skip_test("no user namespace can be made here");
    cr_assert_eq(WEXITSTATUS(status), 0, "%d", WEXITSTATUS(status));
}

Test(filewatch, the_limit_of_watches)
{
    expect_at_the_limit("/proc/sys/user/max_inotify_watches", "limit of inotify watches");
}

Test(filewatch, the_limit_of_instances)
{
    expect_at_the_limit("/proc/sys/user/max_inotify_instances", "no inotify instance is left");
}
