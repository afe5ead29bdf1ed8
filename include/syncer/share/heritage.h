/* SPDX-License-Identifier: MIT */
/*
 * All that a worker gets from the master: numbers, descriptors and the configuration as text, in a sealed
 * memfd. The worker is the same binary started anew by exec, so nothing else of the master's memory reaches
 * it, and nothing may be added beside this struct. It never holds a token, a key or an address of memory.
 */
#ifndef SYNCER_SHARE_HERITAGE_H
#define SYNCER_SHARE_HERITAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/err.h>

#define HERITAGE_LISTENERS_MAX 32
#define HERITAGE_ADDRESS_BYTES 256                    /* with the NUL */
#define HERITAGE_CONFIG_MAX ((size_t)4 * 1024 * 1024) /* bytes */

struct heritage_listener {
    int fd;
    bool admin;                           /* of admin_listen */
    char address[HERITAGE_ADDRESS_BYTES]; /* as in the configuration, such as "[::]:8080" or "unix:/run/s";
                                             not empty */
};

struct heritage {
    uint32_t slot;       /* the master's number of the worker */
    uint32_t block;      /* of the scoreboard */
    uint64_t generation; /* of the configuration */
    bool accept_at_once; /* no other worker is READY: do not wait for connections to pods */
    int table_fd;        /* pod table, read only */
    int scoreboard_fd;
    int control_fd; /* socket to the master; its end of file = the master is gone */
    size_t n_listeners;
    struct heritage_listener listeners[HERITAGE_LISTENERS_MAX];
    char *config; /* what --print-config writes, with a NUL behind; owned after heritage_read(), else borrowed
                   */
    size_t config_len;
};

/* Master, before the fork: makes the memfd (O_CLOEXEC, sealed against every change). Its number, which the
 * caller owns, or -1 with the reason. */
int heritage_write(const struct heritage *heritage, struct err *err);

/* Master's child, between fork and exec, async-signal-safe: lets `memfd` and the listed descriptors pass the
 * exec, and besides the standard ones no other, whatever its flags. 0, or -1 with errno. */
int heritage_let_pass(const struct heritage *heritage, int memfd);

/* Worker: reads it strictly: seals, size, ranges, and that all descriptors are open and distinct. They are
 * O_CLOEXEC then and the worker's own; `fd` stays open, the caller closes it. 0, or -1 with the reason and
 * nothing to release. */
int heritage_read(struct heritage *heritage, int fd, struct err *err);

/* Frees the configuration that heritage_read() allocated; closes nothing. */
void heritage_release(struct heritage *heritage);

#endif
