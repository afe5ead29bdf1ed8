/* SPDX-License-Identifier: MIT */
/* Addresses by their grammar; sockets, and the files of unix sockets, in a folder of the test's own. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>
#include <syncer/net/listen.h>

TestSuite(listen, .timeout = 10);

Test(listen, addresses)
{
    static const struct {
        const char *text;
        int family; /* -1 = refused */
    } rows[] = {
        {"0.0.0.0:8080", AF_INET},
        {"127.0.0.1:0", AF_INET},
        {"127.0.0.1:65535", AF_INET},
        {"[::]:8080", AF_INET6},
        {"[2001:db8::1]:1", AF_INET6},
        {"[::ffff:127.0.0.1]:80", AF_INET},
        {"unix:/run/s.sock", AF_UNIX},
        {"", -1},
        {":8080", -1},
        {"*:8080", -1},
        {"localhost:8080", -1},
        {"127.0.0.1", -1},
        {"127.0.0.1:", -1},
        {"127.0.0.1:65536", -1},
        {"127.0.0.1:+1", -1},
        {"127.0.0.1:80x", -1},
        {"[127.0.0.1]:80", -1},
        {"::1:80", -1},
        {"[::1:80", -1},
        {"::1]:80", -1},
        {"[]:80", -1},
        {"[:80", -1},
        {"unix:", -1},
        {"unix:s.sock", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct listen_address address;
        struct err err = {""};
        int rc = listen_parse(rows[i].text, &address, &err);

        cr_expect_eq(rc, rows[i].family < 0 ? -1 : 0, "%s: %s", rows[i].text, err.text);
        if (rows[i].family >= 0)
            cr_expect_eq(address.sockaddr.ss_family, rows[i].family, "%s", rows[i].text);
        else
            cr_expect(strstr(err.text, "should be"), "%s: %s", rows[i].text, err.text);
    }
}

Test(listen, longest_unix_path)
{
    char text[8 + sizeof(((struct sockaddr_un *)NULL)->sun_path)] = "unix:/";
    struct listen_address address;

    memset(text + 6, 'a', sizeof(((struct sockaddr_un *)NULL)->sun_path) - 2);
    cr_expect_eq(listen_parse(text, &address, NULL), 0);
    text[strlen(text)] = 'a';
    cr_expect_eq(listen_parse(text, &address, NULL), -1);
}

Test(listen, a_tcp_socket_and_its_flags)
{
    struct sockaddr_in to;
    socklen_t len = sizeof(to);
    struct err err = {""};
    char text[64];
    bool in_use;
    int fd = listen_open("127.0.0.1:0", &in_use, &err), second;

    cr_assert(fd >= 0 && !in_use, "%s", err.text);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&to, &len), 0);
    snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(to.sin_port));
    second = listen_open(text, &in_use, &err);
    cr_expect(second == -1 && in_use);
    cr_expect(strstr(err.text, text), "%s", err.text);
    listen_close(text, &fd);
    cr_expect_eq(fd, -1);
    listen_close(text, &fd);
}

Test(listen, an_address_of_somebody_else_is_not_in_use)
{
    struct err err = {""};
    bool in_use = true;

    cr_expect_eq(listen_open("192.0.2.1:1", &in_use, &err), -1); /* RFC 5737 */
    cr_expect_not(in_use);
    cr_expect(strstr(err.text, "192.0.2.1:1"));
}

/* --- unix sockets --- */

static char folder[] = "/tmp/test_listen.XXXXXX";
static char path[64], text[80];

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s.sock", folder);
    snprintf(text, sizeof(text), "unix:%s", path);
}

static void remove_folder(void)
{
    unlink(path);
    rmdir(folder);
}

TestSuite(listen_unix, .timeout = 10, .init = make_folder, .fini = remove_folder);

Test(listen_unix, its_file_comes_and_goes)
{
    struct stat st;
    bool in_use;
    mode_t mask = umask(077);
    int fd = listen_open(text, &in_use, NULL);

    cr_expect_eq(umask(mask), 077);
    cr_assert(fd >= 0 && stat(path, &st) == 0);
    cr_expect_eq(st.st_mode & 07777, 0660);
    listen_close(text, &fd);
    cr_expect_neq(stat(path, &st), 0);
}

Test(listen_unix, a_live_socket_is_in_use)
{
    struct stat st;
    bool in_use;
    int fd = listen_open(text, &in_use, NULL), second;

    second = listen_open(text, &in_use, NULL);
    cr_expect(second == -1 && in_use);
    cr_expect_eq(stat(path, &st), 0, "the failed one has removed the file");
    listen_close(text, &fd);
}

Test(listen_unix, an_abandoned_file_is_replaced)
{
    bool in_use;
    int fd = listen_open(text, &in_use, NULL), second;
    char kept[512];

    snprintf(kept, sizeof(kept), "%s.kept", path);
    cr_assert_eq(link(path, kept), 0); /* else the next file may get its number */
    fd_close(&fd);                     /* as if killed */
    second = listen_open(text, &in_use, NULL);
    cr_expect_geq(second, 0);
    listen_close(text, &second);
    cr_expect_neq(access(path, F_OK), 0);
    unlink(kept);
}

Test(listen_unix, another_file_is_an_error)
{
    struct err err = {""};
    bool in_use = true;
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    close(fd);
    cr_expect_eq(listen_open(text, &in_use, &err), -1);
    cr_expect_not(in_use);
    cr_expect(strstr(err.text, path), "%s", err.text);
    cr_expect_eq(access(path, F_OK), 0);
}

Test(listen_unix, the_file_of_another_process_is_left)
{
    bool in_use;
    int fd = listen_open(text, &in_use, NULL), other;

    cr_assert_eq(unlink(path), 0);
    other = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_geq(other, 0);
    close(other);
    listen_close(text, &fd);
    cr_expect_eq(access(path, F_OK), 0);
}
