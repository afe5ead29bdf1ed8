/* SPDX-License-Identifier: MIT */
/* What a worker inherits: there and back, over a real exec, and every kind of corruption refused. */
#include <config.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <syncer/share/control.h>
#include <syncer/share/heritage.h>
#include <syncer/share/podtable.h>
#include <syncer/share/scoreboard.h>

#include "pods.h"

TestSuite(heritage, .timeout = 10);

static char config[] = "host: gw.example\n";

/* A heritage with five descriptors, that are copies of /dev/null. */
static void make(struct heritage *h)
{
    *h = (struct heritage){.slot = 3, .block = 2, .generation = 77, .accept_at_once = true, .n_listeners = 2};
    h->table_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    h->scoreboard_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    h->control_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < h->n_listeners; i++)
        h->listeners[i].fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    strcpy(h->listeners[0].address, "[::]:8080");
    memset(h->listeners[1].address, 'x', HERITAGE_ADDRESS_BYTES - 1);
    h->config = config;
    h->config_len = strlen(config);
}

static void close_all(const struct heritage *h)
{
    close(h->table_fd);
    close(h->scoreboard_fd);
    close(h->control_fd);
    for (size_t i = 0; i < h->n_listeners; i++)
        close(h->listeners[i].fd);
}

static int write_it(const struct heritage *h)
{
    struct err err = {""};
    int fd = heritage_write(h, &err);

    cr_assert_geq(fd, 0, "%s", err.text);
    return fd;
}

Test(heritage, there_and_back)
{
    struct heritage h, back;
    struct err err = {""};
    int fd;

    make(&h);
    fd = write_it(&h);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_expect_eq(pwrite(fd, "x", 1, 0), -1);
    cr_expect_eq(ftruncate(fd, 0), -1);
    cr_assert_eq(heritage_read(&back, fd, &err), 0, "%s", err.text);
    cr_expect(back.slot == 3 && back.block == 2 && back.generation == 77 && back.accept_at_once);
    cr_expect(back.table_fd == h.table_fd && back.scoreboard_fd == h.scoreboard_fd);
    cr_expect(back.control_fd == h.control_fd && back.n_listeners == 2);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(back.listeners[i].fd, h.listeners[i].fd);
        cr_expect_str_eq(back.listeners[i].address, h.listeners[i].address);
    }
    cr_expect(back.config_len == h.config_len && strcmp(back.config, config) == 0);
    heritage_release(&back);
    heritage_release(&back);
    close_all(&h);
    close(fd);
}

Test(heritage, without_listeners_and_text)
{
    struct heritage h, back;
    int fd;

    make(&h);
    close(h.listeners[0].fd);
    close(h.listeners[1].fd);
    h.n_listeners = 0;
    h.config = NULL;
    h.config_len = 0;
    fd = write_it(&h);
    cr_assert_eq(heritage_read(&back, fd, NULL), 0);
    cr_expect_str_eq(back.config, "");
    heritage_release(&back);
    close_all(&h);
    close(fd);
}

Test(heritage, only_what_is_listed_is_written)
{
    static char bytes[4096];
    struct heritage h;
    ssize_t len;
    int fd;

    make(&h);
    memset(h.listeners[0].address, 'S', HERITAGE_ADDRESS_BYTES); /* as if a token had stood there */
    strcpy(h.listeners[0].address, "[::]:8080");
    fd = write_it(&h);
    len = pread(fd, bytes, sizeof(bytes), 0);
    cr_assert_gt(len, 0);
    cr_expect_null(memchr(bytes, 'S', (size_t)len));
    close_all(&h);
    close(fd);
}

static void expect_unwritable(struct heritage *h, const char *reason)
{
    struct err err = {""};

    cr_expect_eq(heritage_write(h, &err), -1);
    cr_expect(strstr(err.text, reason), "%s", err.text);
    close_all(h);
}

Test(heritage, refuses_to_write_what_would_not_be_read)
{
    struct heritage h;

    make(&h);
    close(h.control_fd);
    expect_unwritable(&h, "control socket: descriptor");
    make(&h);
    close(h.listeners[1].fd);
    h.listeners[1].fd = h.table_fd;
    expect_unwritable(&h, "both descriptor");
    make(&h);
    h.listeners[0].address[0] = '\0';
    expect_unwritable(&h, "listener 0: its address should have");
    make(&h);
    h.listeners[1].address[HERITAGE_ADDRESS_BYTES - 1] = 'x';
    expect_unwritable(&h, "listener 1: its address should have");
    make(&h);
    h.config_len += 1; /* the NUL */
    expect_unwritable(&h, "NUL in the configuration");
    make(&h);
    h.config_len = HERITAGE_CONFIG_MAX + 1;
    expect_unwritable(&h, "of configuration, at most");
    make(&h);
    h.n_listeners = HERITAGE_LISTENERS_MAX + 1;
    cr_expect_eq(heritage_write(&h, NULL), -1);
    h.n_listeners = 2;
    close_all(&h);
}

/* ---- corruption ---- */

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define AT_LISTENERS 56 /* bytes of the head */
#define LISTENER_BYTES (8 + HERITAGE_ADDRESS_BYTES)

static int image_fd(const void *bytes, size_t len, int seals)
{
    int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    cr_assert(fd >= 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len);
    if (seals)
        cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int read_image(const void *bytes, size_t len, int seals, struct err *err)
{
    struct heritage back;
    int fd = image_fd(bytes, len, seals);
    int rc = heritage_read(&back, fd, err);

    if (rc == 0)
        heritage_release(&back);
    else
        cr_expect_null(back.config);
    close(fd);
    return rc;
}

static size_t good_image(const struct heritage *h, char *bytes, size_t room)
{
    int fd = write_it(h);
    ssize_t len = pread(fd, bytes, room, 0);

    cr_assert_gt(len, AT_LISTENERS);
    close(fd);
    return (size_t)len;
}

Test(heritage, every_wrong_field_is_refused_with_its_reason)
{
    static const struct {
        size_t at, len;
        int64_t value;
        const char *reason;
    } rows[] = {
        {0, 8, 1, "another program"},
        {8, 4, 3, "another program"},
        {12, 4, 2, "unknown flags"},
        {32, 4, -1, "pod table: descriptor -1 is not open"},
        {36, 4, 65000, "scoreboard: descriptor 65000 is not open"},
        {40, 4, INT32_MIN, "control socket"},
        {44, 4, HERITAGE_LISTENERS_MAX + 1, "listeners, at most"},
        {44, 4, -1, "listeners, at most"},
        {44, 4, 1, "should be"},
        {44, 4, 3, "should be"},
        {48, 8, 0, "should be"},
        {48, 8, HERITAGE_CONFIG_MAX, "should be"},
        {48, 8, HERITAGE_CONFIG_MAX + 1, "at most"},
        {48, 8, -1, "at most"},
        {AT_LISTENERS, 4, -1, "[::]:8080: descriptor -1"},
        {AT_LISTENERS + 4, 4, 2, "listener 0: its kind"},
        {AT_LISTENERS + 8, 1, 0, "listener 0: its address"},
        {AT_LISTENERS + LISTENER_BYTES + 8 + HERITAGE_ADDRESS_BYTES - 1, 1, 'x', "listener 1: its address"},
        {AT_LISTENERS + 2 * LISTENER_BYTES + 3, 1, 0, "NUL in the configuration"},
    };
    char good[4096], bad[4096];
    struct heritage h;
    struct err err;
    size_t len;

    make(&h);
    len = good_image(&h, good, sizeof(good));
    cr_assert_eq(read_image(good, len, SEALS, NULL), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(bad, good, len);
        memcpy(bad + rows[i].at, &rows[i].value, rows[i].len);
        err_clear(&err);
        cr_expect_eq(read_image(bad, len, SEALS, &err), -1, "row %zu", i);
        cr_expect(strstr(err.text, rows[i].reason), "row %zu: %s", i, err.text);
    }
    memcpy(bad, good, len);
    memcpy(bad + 36, bad + 32, 4);
    cr_expect_eq(read_image(bad, len, SEALS, &err), -1);
    cr_expect(strstr(err.text, "pod table and scoreboard: both descriptor"), "%s", err.text);
    close_all(&h);
}

Test(heritage, cut_and_lengthened_ones_are_refused)
{
    char good[4096] = {0};
    struct heritage h;
    size_t len;

    make(&h);
    len = good_image(&h, good, sizeof(good) - 1);
    for (size_t n = 0; n < len; n++)
        cr_assert_eq(read_image(good, n, SEALS, NULL), -1, "%zu bytes", n);
    cr_expect_eq(read_image(good, len + 1, SEALS, NULL), -1);
    close_all(&h);
}

Test(heritage, what_could_still_change_is_refused)
{
    static const int seals[] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE};
    char good[4096];
    struct heritage h, back;
    FILE *file = tmpfile();
    struct err err = {""};
    size_t len;

    make(&h);
    len = good_image(&h, good, sizeof(good));
    cr_expect_eq(read_image(good, len, 0, NULL), -1);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(read_image(good, len, SEALS & ~seals[i], NULL), -1);
    cr_assert(file && pwrite(fileno(file), good, len, 0) > 0);
    cr_expect_eq(heritage_read(&back, fileno(file), &err), -1);
    cr_expect_eq(heritage_read(&back, -1, &err), -1);
    cr_expect_eq(heritage_read(&back, h.table_fd, &err), -1);
    fclose(file);
    close_all(&h);
}

Test(heritage, the_heritage_itself_is_no_listener)
{
    char image[4096];
    struct heritage h, back;
    struct err err = {""};
    size_t len;
    int fd;

    make(&h);
    len = good_image(&h, image, sizeof(image));
    fd = dup(h.table_fd); /* the number that the memfd will have */
    close(fd);
    memcpy(image + AT_LISTENERS, &fd, sizeof(fd));
    cr_assert_eq(image_fd(image, len, SEALS), fd);
    cr_expect_eq(heritage_read(&back, fd, &err), -1);
    cr_expect(strstr(err.text, "is the heritage itself"), "%s", err.text);
    close(fd);
    close_all(&h);
}

/* Any byte of any value: refused, or read as something that holds what the header promises. */
Test(heritage, any_byte_may_be_wrong)
{
    char good[4096];
    struct heritage h;
    size_t len;

    make(&h);
    len = good_image(&h, good, sizeof(good));
    for (size_t at = 0; at < len; at++) {
        static const unsigned char flips[] = {0x01, 0x80, 0xff};

        for (size_t k = 0; k < sizeof(flips); k++) {
            good[at] = (char)(good[at] ^ flips[k]);
            if (at < 12 || (at >= 44 && at < 56))
                cr_expect_eq(read_image(good, len, SEALS, NULL), -1, "byte %zu", at);
            else
                read_image(good, len, SEALS, NULL);
            good[at] = (char)(good[at] ^ flips[k]);
        }
    }
    close_all(&h);
}

/* ---- over a real exec ---- */

/* The heir: this program started anew with "--heir FD UNLISTED". Its exit code is the first thing that is
 * wrong. */
static int check_heir(int fd, int unlisted)
{
    const struct podtable_snapshot *s;
    struct podtable_reader *reader;
    struct scoreboard *board;
    struct heritage h;
    struct err err = {""};

    if (heritage_read(&h, fd, &err) < 0)
        return 1;
    if (!(fcntl(h.table_fd, F_GETFD) & FD_CLOEXEC) || !(fcntl(h.scoreboard_fd, F_GETFD) & FD_CLOEXEC) ||
        !(fcntl(h.control_fd, F_GETFD) & FD_CLOEXEC) || !(fcntl(h.listeners[0].fd, F_GETFD) & FD_CLOEXEC))
        return 2;
    if (fcntl(unlisted, F_GETFD) >= 0)
        return 3;
    reader = podtable_attach(h.table_fd, &err);
    if (!reader || podtable_reader_snapshot(reader, &s) != PODTABLE_READ_DONE || s->n != 1 || s->pods[0].id != 5)
        return 4;
    board = scoreboard_attach(h.scoreboard_fd, h.block, &err);
    if (!board)
        return 5;
    scoreboard_add(board, METRIC_HTTP_2XX, 12);
    if (control_send(h.control_fd, CONTROL_READY, NULL) < 0)
        return 6;
    if (listen(h.listeners[0].fd, 1) < 0 || strcmp(h.listeners[0].address, "@heir") != 0)
        return 7;
    podtable_detach(reader);
    scoreboard_free(board);
    return strcmp(h.config, config) == 0 ? 0 : 8;
}

__attribute__((constructor)) static void maybe_heir(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--heir") == 0)
        _exit(check_heir(atoi(argv[2]), atoi(argv[3])));
}

static pid_t spawn_heir(const struct heritage *h, int memfd, int unlisted)
{
    char fd_text[16], unlisted_text[16];
    pid_t pid;

    snprintf(fd_text, sizeof(fd_text), "%d", memfd);
    snprintf(unlisted_text, sizeof(unlisted_text), "%d", unlisted);
    pid = fork();
    if (pid == 0) {
        if (heritage_let_pass(h, memfd) == 0)
            execl("/proc/self/exe", "heir", "--heir", fd_text, unlisted_text, (char *)NULL);
        _exit(99);
    }
    return pid;
}

Test(heritage, reaches_another_program)
{
    struct podtable_pod one = pod(5, "gw-5", "10.0.0.5");
    struct podtable *table = podtable_create(4, NULL);
    struct scoreboard *board = scoreboard_create(2, 4, NULL);
    struct heritage h = {.block = 1, .n_listeners = 1, .config = config, .config_len = strlen(config)};
    struct control_message message;
    int control[2], unlisted = open("/dev/null", O_RDWR) /* not CLOEXEC */, memfd, status = -1;
    pid_t pid;

    cr_assert(table && board && control_pair(control, NULL) == 0);
    cr_assert_eq(podtable_publish(table, &one, 1, 1, NULL), 0);
    h.table_fd = podtable_worker_fd(table);
    h.scoreboard_fd = scoreboard_worker_fd(board);
    h.control_fd = control[1];
    h.listeners[0].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(h.listeners[0].address, "@heir");
    cr_assert_eq(bind(h.listeners[0].fd, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)), 0);
    memfd = write_it(&h);
    pid = spawn_heir(&h, memfd, unlisted);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
    cr_expect_eq(scoreboard_sum(board, METRIC_HTTP_2XX), 12);
    cr_expect_eq(control_receive(control[0], &message), CONTROL_GOT);
    cr_expect_eq(message.kind, CONTROL_READY);
    /* Only the child's descriptors pass: those of this process stay CLOEXEC. */
    cr_expect(fcntl(h.table_fd, F_GETFD) & FD_CLOEXEC);
    cr_expect(fcntl(memfd, F_GETFD) & FD_CLOEXEC);
    close(memfd);
    close(unlisted);
    close(h.listeners[0].fd);
    close(control[0]);
    close(control[1]);
    podtable_free(table);
    scoreboard_free(board);
}
