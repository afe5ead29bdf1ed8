/* SPDX-License-Identifier: MIT */
/* When a request is done with, none of its bytes is left in this process's memory. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

TestSuite(wipe, .timeout = 10);

#define TOKEN_BYTES 24
#define MASK 0x2a

#ifdef SYNCER_SANITIZED
#define SKIP() cr_skip_test("a sanitizer keeps freed memory, and terabytes of its own")
#else
#define SKIP()
#endif

/* The token is here only masked, so that the search does not find what it searches for. */
static char masked[TOKEN_BYTES];

static void make_token(void)
{
    for (size_t i = 0; i < TOKEN_BYTES; i++)
        masked[i] = (char)(('a' + i * 7 % 26) ^ MASK);
}

/* Sends a request with the token, padded with a field of `pad` bytes, and leaves no copy behind. */
static void send_token(struct client *c, int pad)
{
    char token[TOKEN_BYTES];
    struct buf text;

    for (size_t i = 0; i < TOKEN_BYTES; i++)
        token[i] = (char)(masked[i] ^ MASK);
    buf_init(&text, SIZE_MAX);
    buf_addf(&text, "GET /text HTTP/1.1\r\nHost: a\r\nX-Auth-Token: ");
    buf_add(&text, token, sizeof(token));
    buf_addf(&text, "\r\nX: %0*d\r\n\r\n", pad, 0);
    client_send_bytes(c, text.data, text.len);
    buf_wipe(&text);
    explicit_bzero(token, sizeof(token));
}

static unsigned count_in(const char *at, size_t len)
{
    unsigned found = 0;

    for (size_t i = 0; i + TOKEN_BYTES <= len; i++) {
        size_t n = 0;

        while (n < TOKEN_BYTES && (at[i + n] ^ MASK) == masked[n])
            n++;
        found += n == TOKEN_BYTES;
    }
    return found;
}

/* In all memory that can be written, through a small window of its own. */
static unsigned count_tokens(void)
{
    static char window[65536];
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned long from, to;
    unsigned found = 0;

    cr_assert(mem >= 0 && maps);
    while (fgets(line, sizeof(line), maps)) {
        char *rest;

        from = strtoul(line, &rest, 16);
        to = strtoul(rest + 1, &rest, 16); /* "FROM-TO rw-p ..." */
        if (strncmp(rest, " rw", 3) != 0)
            continue;
        /* Windows overlap by a token's length, less one. */
        for (; from + TOKEN_BYTES <= to; from += sizeof(window) - TOKEN_BYTES + 1) {
            size_t len = to - from < sizeof(window) ? to - from : sizeof(window);
            ssize_t n = pread(mem, window, len, (off_t)from);

            found += n > 0 ? count_in(window, (size_t)n) : 0;
            explicit_bzero(window, sizeof(window));
        }
    }
    fclose(maps);
    close(mem);
    return found;
}

Test(wipe, no_token_stays_in_memory)
{
    struct rig rig;
    struct client *c;

    SKIP();
    make_token();
    rig_open(&rig, NULL);
    c = client_open(&rig);
    send_token(c, 1);
    while (rig.accepted == 0)
        rig_turn(&rig);
    client_wait_answers(c, 1, false);
    send_token(c, 10000); /* for which the buffer has to grow */
    client_wait_answers(c, 2, false);
    cr_expect_eq(count_tokens(), 0);
    client_close(c);
    rig_close(&rig);
}

/* The search itself, against a request that is still in progress. */
Test(wipe, a_token_in_use_is_found)
{
    struct rig rig;
    struct client *c;

    SKIP();
    make_token();
    rig_open(&rig, NULL);
    c = client_open(&rig);
    send_token(c, 1);
    client_send(c, "GET /text HTTP/1.1\r\nHost");
    client_wait_answers(c, 1, false);
    cr_expect_geq(count_tokens(), 1);
    client_close(c);
    rig_close(&rig);
}
