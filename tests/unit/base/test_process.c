/* SPDX-License-Identifier: MIT */
/* What the kernel says about a process. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/process.h>

TestSuite(process, .timeout = 10);

Test(process, cpu_time_grows_with_work)
{
    int64_t before = process_cpu_ns();
    volatile unsigned n = 0;

    cr_expect_gt(before, 0);
    while (process_cpu_ns() < before + 5 * NS_PER_MS)
        n++;
    cr_expect_gt(n, 0);
}

Test(process, resident_memory_grows_with_what_is_touched)
{
    const size_t size = (size_t)32 << 20;
    uint64_t before = process_resident_bytes();
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert(map != MAP_FAILED);
    memset(map, 1, size);
    cr_expect_gt(before, 100000);
    cr_expect_gt(process_resident_bytes(), before + size / 2);
    munmap(map, size);
}

/* Calls until it is complete. */
static uint64_t count(unsigned *calls)
{
    struct process_fd_count c = {0};
    uint64_t n = 0;

    for (*calls = 1; !process_count_fds(&c, &n); ++*calls)
        cr_assert_lt(*calls, 100);
    return n;
}

Test(process, descriptors_are_counted_in_pieces)
{
    unsigned calls;
    uint64_t before = count(&calls);
    int fds[600];

    cr_expect_eq(calls, 1);
    cr_expect_geq(process_max_fds(), 1024);
    for (size_t i = 0; i < 600; i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        cr_assert_geq(fds[i], 0);
    }
    cr_expect_eq(count(&calls), before + 600);
    cr_expect(calls > 1 && calls < 10, "%u calls", calls);
    for (size_t i = 0; i < 600; i++)
        close(fds[i]);
    cr_expect_eq(count(&calls), before);
}

Test(process, a_count_that_is_given_up_leaves_nothing)
{
    struct process_fd_count c = {0};
    unsigned calls;
    uint64_t before = count(&calls), n;
    int fds[500];

    for (size_t i = 0; i < 500; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    cr_assert_not(process_count_fds(&c, &n));
    process_count_end(&c);
    process_count_end(&c);
    for (size_t i = 0; i < 500; i++)
        close(fds[i]);
    cr_expect_eq(count(&calls), before);
}

Test(process, one_that_hides_still_sees_itself)
{
    unsigned calls;

    process_hide();
    cr_expect_gt(count(&calls), 2);
    cr_expect_gt(process_resident_bytes(), 0);
}
