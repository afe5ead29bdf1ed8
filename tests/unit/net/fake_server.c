/* SPDX-License-Identifier: MIT */
#include <config.h>

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_server.h"

/* ---- sockets ---- */

static int listen_at(int family, const void *addr, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, addr, len), 0);
    cr_assert_eq(listen(fd, 64), 0);
    return fd;
}

static int open_listener(struct fake_server *server, const char *host)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(v6);
    int fd;

    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        fd = listen_at(AF_INET, &v4, sizeof(v4));
    else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        fd = listen_at(AF_INET6, &v6, sizeof(v6));
    else
        fd = listen_at(AF_UNIX, &un,
                       (socklen_t)sizeof(un.sun_family) + (socklen_t)strlen(strcpy(un.sun_path, host)) + 1);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&v6, &len), 0);
    server->port = ntohs(v6.sin6_port); /* at the same place as sin_port */
    return fd;
}

/* ---- the child ---- */

static _Noreturn void serve(int listen_fd, int go_fd, struct fake_seen *seen, fake_script *script)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        struct fake_conn conn = {
            .fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC), .go_fd = go_fd, .seen = seen};

        if (conn.fd < 0)
            _exit(1);
        conn.number = ++seen->connections;
        script(&conn);
        close(conn.fd);
    }
}

bool fake_read_head(struct fake_conn *conn)
{
    char *head = conn->seen->head;
    size_t len = 0;

    head[0] = '\0';
    while (len + 1 < FAKE_HEAD_BYTES) {
        if (read(conn->fd, head + len, 1) <= 0)
            return false;
        head[++len] = '\0';
        if (len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    conn->seen->requests++;
    return true;
}

void fake_write_bytes(struct fake_conn *conn, const void *data, size_t len)
{
    const char *from = data;

    while (len > 0) {
        ssize_t n = write(conn->fd, from, len);

        if (n <= 0)
            return;
        from += n;
        len -= (size_t)n;
    }
}

void fake_write(struct fake_conn *conn, const char *text)
{
    fake_write_bytes(conn, text, strlen(text));
}

void fake_await_go(struct fake_conn *conn)
{
    char byte;

    if (read(conn->go_fd, &byte, 1) != 1)
        _exit(0);
}

void fake_await_end(struct fake_conn *conn)
{
    char byte;

    while (read(conn->fd, &byte, 1) > 0)
        ;
}

/* ---- the test ---- */

void fake_server_start(struct fake_server *server, const char *host, fake_script *script)
{
    int listen_fd = open_listener(server, host), go[2];

    server->seen =
        mmap(NULL, sizeof(*server->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(server->seen, MAP_FAILED);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go), 0);
    server->pid = fork();
    cr_assert_geq(server->pid, 0);
    if (server->pid == 0) {
        close(go[0]);
        serve(listen_fd, go[1], server->seen, script);
    }
    close(listen_fd);
    close(go[1]);
    server->go_fd = go[0];
}

void fake_server_stop(struct fake_server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    close(server->go_fd);
    munmap(server->seen, sizeof(*server->seen));
}

void fake_server_go(struct fake_server *server)
{
    cr_assert_eq(write(server->go_fd, "g", 1), 1);
}
