/* SPDX-License-Identifier: MIT */
/* Reads a token from where it may stand, and says what no server would take; there is no copy of it but the caller's. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/wire/http_scan.h>

#include "token.h"

/* What is wrong with it, which is never repeated; NULL = nothing. */
static const char *token_fault(const char *token, size_t len)
{
    if (len == 0)
        return "the token is empty";
    if (len > TOKEN_MAX)
        return "the token is longer than 4096 bytes";
    for (size_t i = 0; i < len; i++)
        if (!http_is_cookie_octet((unsigned char)token[i]))
            return "the token holds a byte that no cookie value may have, such as a blank, a quote or a second line";
    return NULL;
}

/* All that is there, a little more than may be; the limit of `out` says how much that is. */
static int read_all(int fd, bool one_line, struct buf *out, struct err *err)
{
    while (out->len < out->limit && !(one_line && out->len > 0 && out->data[out->len - 1] == '\n')) {
        char *to = buf_reserve(out, out->limit - out->len);
        ssize_t n = to ? read(fd, to, out->limit - out->len) : -1;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno, "the token can't be read");
        if (n == 0)
            break;
        out->len += (size_t)n;
    }
    return 0;
}

static int ask_terminal(struct buf *out, struct err *err)
{
    static const char prompt[] = "token: ";
    struct termios shown, hidden;
    int rc;

    if (tcgetattr(STDIN_FILENO, &shown) < 0)
        return err_set_errno(err, errno, "the terminal");
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    fd_write_all(STDERR_FILENO, prompt, strlen(prompt));
    rc = read_all(STDIN_FILENO, true, out, err);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fd_write_all(STDERR_FILENO, "\n", 1);
    return rc;
}

/* The name is not repeated: it may be a token by mistake. */
static int read_file(const char *file, struct buf *out, struct err *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0)
        return err_set_errno(err, errno, "--token-file");
    rc = read_all(fd, false, out, err);
    fd_close(&fd);
    return rc < 0 ? err_context(err, "--token-file") : 0;
}

static int read_somewhere(const char *file, struct buf *out, struct err *err)
{
    const char *env = getenv("SYNCER_TOKEN");

    if (file && strcmp(file, "-") != 0)
        return read_file(file, out, err);
    if (!file && env) {
        buf_add_str(out, env);
        out->failed = false; /* too long is told of below */
        return strlen(env) > TOKEN_MAX ? err_set(err, "SYNCER_TOKEN: the token is longer than %d bytes", TOKEN_MAX) : 0;
    }
    return isatty(STDIN_FILENO) ? ask_terminal(out, err) : read_all(STDIN_FILENO, false, out, err);
}

int token_read(const char *file, struct buf *out, struct err *err)
{
    const char *fault;

    buf_init(out, TOKEN_MAX + 3); /* with "\r\n" and one byte by which it is too long */
    if (read_somewhere(file, out, err) < 0)
        return -1;
    if (out->len > 0 && out->data[out->len - 1] == '\n')
        out->len--;
    if (out->len > 0 && out->data[out->len - 1] == '\r')
        out->len--;
    fault = token_fault(out->data, out->len);
    return fault ? err_set(err, "%s", fault) : 0;
}
