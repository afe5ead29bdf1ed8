/* SPDX-License-Identifier: MIT */
/* The pod table's memory: who may write, what is left behind, what a full /dev/shm, a killed writer and
 * nonsense do. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "src/share/podtable_layout.h"

#include "child.h"
#include "pods.h"

#define PODS 400

static struct podtable *table;
static struct podtable_reader *reader;
static struct podtable_pod pods[PODS];

static void open_table(void)
{
    struct err err = {""};
    char name[32];

    table = podtable_create(PODS, &err);
    cr_assert(table, "%s", err.text);
    reader = podtable_attach(podtable_worker_fd(table), &err);
    cr_assert(reader, "%s", err.text);
    for (size_t i = 0; i < PODS; i++) {
        snprintf(name, sizeof(name), "gw-%zu", i);
        pods[i] = pod(i + 1, name, "10.0.0.1");
    }
}

static void close_table(void)
{
    podtable_detach(reader);
    podtable_free(table);
}

TestSuite(podtable_shm, .init = open_table, .fini = close_table, .timeout = 10);

Test(podtable_shm, has_no_name_and_all_its_space)
{
    int fds[] = {table->object.fd, table->object.fd_ro};
    struct stat st;

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(fstat(fds[i], &st), 0);
        cr_expect_eq(st.st_nlink, 0);
        cr_expect_eq(st.st_mode & 07777, 0600);
        cr_expect_geq(st.st_blocks * 512, st.st_size);
        cr_expect(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
    }
    cr_expect_eq(fcntl(fds[1], F_GETFL) & O_ACCMODE, O_RDONLY);
}

Test(podtable_shm, the_workers_descriptor_cannot_write)
{
    int fd = podtable_worker_fd(table);
    struct stat st;

    errno = 0;
    cr_expect(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
    cr_expect(mprotect(reader->object.map, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
    cr_expect(pwrite(fd, "x", 1, 0) == -1 && errno == EBADF);
    cr_expect(ftruncate(fd, 0) == -1 && errno == EINVAL);
    cr_expect_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_expect_eq((size_t)st.st_size, podtable_bytes(PODS));
}

static int write_into_table(void *arg)
{
    *(volatile char *)arg = 1;
    return 0;
}

Test(podtable_shm, a_write_of_a_worker_faults)
{
    cr_expect_eq(in_child(write_into_table, reader->object.map), -SIGSEGV);
    cr_expect_eq(in_child(write_into_table, (char *)reader->object.map + podtable_copy_at(PODS, 1)), -SIGSEGV);
    cr_expect_eq(in_child(write_into_table, table->object.map), 0); /* the master's own mapping */
}

static int look_without_the_copies(void *arg)
{
    const struct podtable_snapshot *s;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *map = reader->object.map;

    (void)arg;
    if (mprotect(map + page, reader->object.bytes - page, PROT_NONE) < 0)
        return 1;
    podtable_touch(table, 99);
    return !podtable_reader_changed(reader) && podtable_reader_snapshot(reader, &s) == PODTABLE_READ_DONE &&
                   s->n == PODS && podtable_find_name(s, "gw-7", 4)->id == 8
               ? 0
               : 2;
}

Test(podtable_shm, an_unchanged_table_is_not_read)
{
    const struct podtable_snapshot *s;

    cr_assert_eq(podtable_publish(table, pods, PODS, 1, NULL), 0);
    cr_assert_eq(podtable_reader_snapshot(reader, &s), PODTABLE_READ_DONE);
    cr_expect_eq(in_child(look_without_the_copies, NULL), 0);
}

/* ---- no room ---- */

static int create_beyond_the_file_size_limit(void *arg)
{
    struct rlimit small = {8192, 8192};
    struct err err = {""};

    (void)arg;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) < 0)
        return CHILD_SKIP;
    return !podtable_create(PODS, &err) && strstr(err.text, "File too large") ? 0 : 1;
}

Test(podtable_shm, the_file_size_limit_is_a_reason)
{
    cr_expect_eq(in_child(create_beyond_the_file_size_limit, NULL), 0);
}

static int create_in_a_full_dev_shm(void *arg)
{
    struct podtable *small;
    struct err err = {""};

    (void)arg;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", "/dev/shm", "tmpfs", 0, "size=64k") < 0)
        return CHILD_SKIP;
    for (int i = 0; i < 3; i++)
        if (podtable_create(PODS, &err) || !strstr(err.text, "/dev/shm too small"))
            return 1;
    /* Each failure gave back what it had: 60 KiB are still to be had, and can be written to the end. */
    small = podtable_create(100, &err);
    if (!small)
        return 2;
    return podtable_publish(small, pods, 100, 1, &err) == 0 && podtable_publish(small, pods, 100, 2, &err) == 0 ? 0 : 3;
}

Test(podtable_shm, a_full_dev_shm_is_a_reason_and_no_sigbus)
{
    int rc = in_child(create_in_a_full_dev_shm, NULL);

    if (rc == CHILD_SKIP)
        cr_skip_test("needs the right to mount");
    cr_expect_eq(rc, 0);
}

Test(podtable_shm, sizes_have_bounds)
{
    struct err err = {""};

    cr_expect_null(podtable_create(0, &err));
    cr_expect(strstr(err.text, "should be 1 to 65536"), "%s", err.text);
    cr_expect_null(podtable_create(PODTABLE_PODS_LIMIT + 1, &err));
    podtable_free(NULL);
    podtable_detach(NULL);
}

/* ---- what is no table ---- */

static void expect_refused(const struct podtable_header *header, size_t size, const char *reason)
{
    struct err err = {""};
    int fd = memfd_create("t", MFD_CLOEXEC);

    cr_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    cr_assert(pwrite(fd, header, sizeof(*header), 0) > 0 && ftruncate(fd, (off_t)size) == 0);
    cr_expect_null(podtable_attach(fd, &err));
    cr_expect(strstr(err.text, reason), "%s", err.text);
    close(fd);
}

Test(podtable_shm, attach_refuses_what_is_no_table)
{
    struct podtable_header good = {
        .magic = PODTABLE_MAGIC, .layout = PODTABLE_LAYOUT, .max_pods = 4, .bytes = podtable_bytes(4)};
    struct podtable_header bad = good;
    struct err err = {""};
    int ends[2];

    expect_refused(&good, 10, "at least");
    expect_refused(&good, podtable_bytes(4) - 1, "should be");
    expect_refused(&good, podtable_bytes(4) + 1, "should be");
    bad.magic++;
    expect_refused(&bad, podtable_bytes(4), "no pod table");
    bad = good;
    bad.layout++;
    expect_refused(&bad, podtable_bytes(4), "layout");
    bad = good;
    bad.max_pods = 0;
    expect_refused(&bad, podtable_bytes(4), "should be 1 to");
    bad.max_pods = UINT32_MAX;
    expect_refused(&bad, podtable_bytes(4), "should be 1 to");
    bad.max_pods = 5;
    expect_refused(&bad, podtable_bytes(4), "should be");
    cr_assert_eq(pipe(ends), 0);
    cr_expect_null(podtable_attach(ends[0], &err));
    cr_expect(strstr(err.text, "no memory object"), "%s", err.text);
    close(ends[0]);
    close(ends[1]);
    cr_expect_null(podtable_attach(ends[0], &err));
}

/* ---- what a reader finds when the writer overtakes ---- */

Test(podtable_shm, numbers_are_clamped_whatever_stands_there)
{
    char *copy = (char *)table->object.map + podtable_copy_at(PODS, latch_begin_write(&table->header->latch));
    const struct podtable_snapshot *s;

    memset(copy, 0xff, podtable_copy_bytes(PODS));
    latch_publish(&table->header->latch);
    cr_assert_eq(podtable_reader_snapshot(reader, &s), PODTABLE_READ_DONE);
    cr_assert_eq(s->n, PODS);
    for (size_t i = 0; i < s->n; i++) {
        cr_expect(s->by_name[i] < PODS && s->by_addr[i] < PODS);
        cr_expect(strlen(s->pods[i].name) == PODTABLE_NAME_MAX && s->pods[i].addr.family == 0);
        cr_expect(s->pods[i].state == PODTABLE_UNKNOWN && !s->pods[i].counts);
    }
    cr_expect_null(podtable_find_name(s, "a", 1));
}

Test(podtable_shm, a_filling_that_nobody_published_is_not_seen)
{
    const struct podtable_snapshot *s;

    cr_assert_eq(podtable_publish(table, pods, 10, 1, NULL), 0);
    podtable_fill(table, pods + 100, 100);
    cr_assert_eq(podtable_reader_snapshot(reader, &s), PODTABLE_READ_DONE);
    cr_expect(s->generation == 1 && s->n == 10 && s->pods[0].id == 1);
    cr_assert_eq(podtable_publish(table, pods + 200, 5, 2, NULL), 0); /* begins the filling anew */
    cr_assert_eq(podtable_reader_snapshot(reader, &s), PODTABLE_READ_DONE);
    cr_expect(s->generation == 2 && s->n == 5 && s->pods[0].id == 201);
}

/* Publishes for ever; all pods carry the list's number as their id and port. */
static void publish_for_ever(int started)
{
    for (uint64_t k = podtable_generation(table) + 1;; k++) {
        for (size_t i = 0; i < PODS; i++)
            pods[i].id = pods[i].port = (uint16_t)(k % 60000 + 1);
        podtable_publish(table, pods, PODS, (int64_t)k, NULL);
        if (write(started, "x", 1) < 0)
            _exit(1);
    }
}

static bool of_one_piece(const struct podtable_snapshot *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->pods[i].id != s->generation % 60000 + 1 || s->pods[i].port != s->pods[i].id)
            return false;
    return s->n == PODS;
}

Test(podtable_shm, a_writer_killed_anywhere_leaves_a_whole_table)
{
    const struct podtable_snapshot *s;
    int ends[2];
    char byte;

    for (int i = 0; i < 25; i++) {
        pid_t pid;

        cr_assert_eq(pipe(ends), 0);
        pid = fork();
        if (pid == 0)
            publish_for_ever(ends[1]);
        close(ends[1]);
        for (int k = 0; k <= i % 3; k++)
            cr_assert_eq(read(ends[0], &byte, 1), 1);
        kill(pid, SIGKILL);
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        close(ends[0]);
        cr_assert_eq(podtable_reader_snapshot(reader, &s), PODTABLE_READ_DONE);
        cr_assert(of_one_piece(s));
    }
}
