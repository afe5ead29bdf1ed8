/* SPDX-License-Identifier: MIT */
/* Messages between master and worker: what goes, what is refused, what is passed over, and how the end shows. */
#include <config.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <syncer/share/control.h>

static int fds[2];

static void open_pair(void)
{
    struct err err = {""};

    cr_assert_eq(control_pair(fds, &err), 0, "%s", err.text);
}

static void close_pair(void)
{
    close(fds[0]);
    close(fds[1]);
}

TestSuite(control, .init = open_pair, .fini = close_pair, .timeout = 10);

Test(control, both_ends_are_non_blocking_and_end_at_exec)
{
    for (int i = 0; i < 2; i++) {
        cr_expect(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        cr_expect(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
    }
}

Test(control, every_kind_arrives_whole_and_in_order)
{
    struct control_message got;

    for (int kind = 1; kind < CONTROL_KINDS; kind++) {
        const char *name = kind == CONTROL_REFRESH || kind == CONTROL_UNKNOWN ? "gw-1" : NULL;

        if (kind == CONTROL_DOWN)
            continue; /* below */
        cr_assert_eq(control_send(fds[kind & 1], (enum control_kind)kind, name), 0);
        cr_assert_eq(control_receive(fds[~kind & 1], &got), CONTROL_GOT);
        cr_expect_eq((int)got.kind, kind);
        cr_expect_str_eq(got.name, name ? name : "");
        cr_expect_str_eq(got.text, "");
    }
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_NONE);
}

Test(control, a_pod_that_is_down_comes_with_the_reason)
{
    char name[CONTROL_NAME_MAX + 1], text[CONTROL_TEXT_MAX + 20];
    struct control_message got;

    memset(name, 'n', sizeof(name));
    memset(text, 't', sizeof(text));
    name[CONTROL_NAME_MAX] = text[sizeof(text) - 1] = '\0';
    cr_assert_eq(control_send_down(fds[1], name, text), 0);
    cr_assert_eq(control_receive(fds[0], &got), CONTROL_GOT);
    cr_expect(got.kind == CONTROL_DOWN && strcmp(got.name, name) == 0);
    cr_expect(strlen(got.text) == CONTROL_TEXT_MAX && strspn(got.text, "t") == CONTROL_TEXT_MAX);
    cr_assert_eq(control_send_down(fds[1], "gw-1", ""), 0);
    cr_assert_eq(control_receive(fds[0], &got), CONTROL_GOT);
    cr_expect(strcmp(got.name, "gw-1") == 0 && strcmp(got.text, "") == 0);
}

Test(control, the_longest_name_goes_and_a_longer_one_is_never_cut)
{
    char name[CONTROL_NAME_MAX + 2];
    struct control_message got;

    memset(name, 'n', sizeof(name));
    name[CONTROL_NAME_MAX + 1] = '\0';
    cr_expect_eq(control_send(fds[1], CONTROL_REFRESH, name), -1);
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_NONE);
    name[CONTROL_NAME_MAX] = '\0';
    cr_expect_eq(control_send(fds[1], CONTROL_REFRESH, name), 0);
    cr_assert_eq(control_receive(fds[0], &got), CONTROL_GOT);
    cr_expect_str_eq(got.name, name);
}

Test(control, what_is_malformed_is_passed_over)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\0", 1},           /* no kind */
        {"\x7f", 1},         /* an unknown one */
        {"\xff", 1},         /* negative as a char */
        {"\1name", 5},       /* READY speaks of no pod */
        {"\2", 1},           /* REFRESH without a name */
        {"\3gw-1", 5},       /* DOWN without the end of its name */
        {"\3\0why", 5},      /* without a name */
        {"\3gw-1\0w\0y", 9}, /* with a NUL in its text */
        {"\2a\0b", 4},       /* NUL inside */
        {"", 0},             /* empty: recv() says 0 as at the end of file */
    };
    char large[1 + CONTROL_NAME_MAX + 1];
    struct control_message got;

    memset(large, 'n', sizeof(large));
    large[0] = CONTROL_REFRESH;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_assert_eq(send(fds[1], rows[i].bytes, rows[i].len, 0), (ssize_t)rows[i].len);
    cr_assert_eq(send(fds[1], large, sizeof(large), 0), (ssize_t)sizeof(large));
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_NONE);
    cr_assert_eq(send(fds[1], large, sizeof(large), 0), (ssize_t)sizeof(large));
    control_send(fds[1], CONTROL_READY, NULL);
    cr_assert_eq(control_receive(fds[0], &got), CONTROL_GOT);
    cr_expect_eq(got.kind, CONTROL_READY);
}

/* A worker gone wild must not keep the master in one call. Room for 64 and more: datagrams of one byte. */
Test(control, a_flood_of_nonsense_ends_the_call)
{
    struct control_message got;
    int sent = 0, calls = 0;

    while (sent < 200 && send(fds[1], "\x7f", 1, MSG_DONTWAIT) == 1)
        sent++;
    cr_assert_gt(sent, 64);
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_NONE);
    while (recv(fds[0], &got, 1, MSG_DONTWAIT) == 1)
        calls++;
    cr_expect_eq(calls, sent - 64);
}

Test(control, descriptors_sent_along_do_not_arrive)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control = {{0}};
    char kind = CONTROL_READY;
    struct iovec part = {&kind, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct control_message got;
    int before = dup(0), after;

    close(before);
    control.head =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.head), &fds[1], sizeof(int));
    cr_assert_eq(sendmsg(fds[1], &message, 0), 1);
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_GOT);
    after = dup(0);
    cr_expect_eq(after, before);
    close(after);
}

Test(control, a_full_queue_drops_and_does_not_wait)
{
    struct control_message got;
    int sent = 0, received = 0;

    while (sent < 1000000 && control_send(fds[0], CONTROL_TABLE, NULL) == 0)
        sent++;
    cr_assert(sent > 0 && sent < 1000000);
    while (control_receive(fds[1], &got) == CONTROL_GOT)
        received++;
    cr_expect_eq(received, sent);
    cr_expect_eq(control_send(fds[0], CONTROL_TABLE, NULL), 0);
}

Test(control, the_end_comes_after_what_was_sent_before_it)
{
    struct control_message got;

    control_send(fds[1], CONTROL_READY, NULL);
    close(fds[1]);
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_GOT);
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_GONE);
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_GONE);
    cr_expect_eq(control_send(fds[0], CONTROL_STOP, NULL), -1); /* and no SIGPIPE */
    fds[1] = -1;
}

Test(control, an_end_that_only_stopped_sending_is_gone_too)
{
    struct control_message got;

    shutdown(fds[1], SHUT_WR);
    cr_expect_eq(control_receive(fds[0], &got), CONTROL_GONE);
}
