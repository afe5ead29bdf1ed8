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

#include <openssl/ssl.h>

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

struct serving {
    int listen_fd, go_fd;
    struct fake_seen *seen;
    fake_script *script;
    SSL_CTX *ctx;
};

static SSL_CTX *make_ctx(const struct fake_tls *tls)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, tls->cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, tls->key, SSL_FILETYPE_PEM) != 1)
        _exit(1);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"fake", 4);
    SSL_CTX_set_max_proto_version(ctx, tls->version);
    if (tls->client_ca) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        if (SSL_CTX_load_verify_locations(ctx, tls->client_ca, NULL) != 1)
            _exit(1);
    }
    return ctx;
}

static bool handshake(struct fake_conn *conn, SSL_CTX *ctx)
{
    struct fake_seen *seen = conn->seen;
    X509 *client;

    conn->ssl = SSL_new(ctx);
    SSL_set_fd(conn->ssl, conn->fd);
    if (SSL_accept(conn->ssl) != 1) {
        seen->bad_handshakes++;
        return false;
    }
    seen->resumed += SSL_session_reused(conn->ssl) ? 1 : 0;
    client = SSL_get0_peer_certificate(conn->ssl);
    seen->client[0] = '\0';
    if (client)
        X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, seen->client, sizeof(seen->client));
    return true;
}

static void serve_one(const struct serving *serving)
{
    struct fake_conn conn = {.go_fd = serving->go_fd, .seen = serving->seen};

    conn.fd = accept4(serving->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (conn.fd < 0)
        _exit(1);
    conn.number = ++serving->seen->connections;
    if (!serving->ctx || handshake(&conn, serving->ctx))
        serving->script(&conn);
    if (conn.ssl)
        SSL_set_shutdown(conn.ssl, SSL_SENT_SHUTDOWN); /* else OpenSSL drops the session */
    SSL_free(conn.ssl);
    close(conn.fd);
}

static ssize_t read_some(struct fake_conn *conn, char *to, size_t room)
{
    return conn->ssl ? SSL_read(conn->ssl, to, (int)room) : read(conn->fd, to, room);
}

bool fake_read_head(struct fake_conn *conn)
{
    char head[FAKE_HEAD_BYTES];
    size_t len = 0;

    while (len + 1 < FAKE_HEAD_BYTES) {
        if (read_some(conn, head + len, 1) <= 0)
            return false;
        if (++len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    head[len] = '\0';
    memcpy(conn->seen->head, head, len + 1);
    conn->seen->requests++;
    return true;
}

/* TLS: one record, if it fits one. */
void fake_write_bytes(struct fake_conn *conn, const void *data, size_t len)
{
    const char *from = data;

    while (len > 0) {
        ssize_t n = conn->ssl ? SSL_write(conn->ssl, from, (int)len) : write(conn->fd, from, len);

        if (n <= 0)
            return;
        from += n;
        len -= (size_t)n;
    }
}

void fake_close_notify(struct fake_conn *conn)
{
    SSL_shutdown(conn->ssl);
}

void fake_ticket(struct fake_conn *conn)
{
    SSL_new_session_ticket(conn->ssl);
}

void fake_update_keys(struct fake_conn *conn, int n)
{
    BIO *kept = BIO_new(BIO_s_mem()), *socket = SSL_get_wbio(conn->ssl);
    char *records;
    long len;

    BIO_up_ref(socket);
    SSL_set0_wbio(conn->ssl, kept);
    for (int i = 0; i < n; i++)
        if (SSL_key_update(conn->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(conn->ssl) != 1)
            _exit(1);
    len = BIO_get_mem_data(kept, &records);
    if (write(conn->fd, records, (size_t)len) != len)
        _exit(1);
    SSL_set0_wbio(conn->ssl, socket);
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

    while (read_some(conn, &byte, 1) > 0)
        ;
}

/* ---- the test ---- */

void fake_server_start(struct fake_server *server, const char *host, const struct fake_tls *tls, fake_script *script)
{
    int listen_fd = open_listener(server, host), go[2];

    server->seen = mmap(NULL, sizeof(*server->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(server->seen, MAP_FAILED);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go), 0);
    server->pid = fork();
    cr_assert_geq(server->pid, 0);
    if (server->pid == 0) {
        struct serving serving = {listen_fd, go[1], server->seen, script, NULL};

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        close(go[0]);
        serving.ctx = tls ? make_ctx(tls) : NULL;
        for (;;)
            serve_one(&serving);
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
