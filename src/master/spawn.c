/* SPDX-License-Identifier: MIT */
/*
 * One child: fork, then at once exec of our own binary, so that nothing of this process's memory (API token,
 * keys, address layout) reaches it. Between the two only async-signal-safe calls.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>

#include "master_private.h"

extern char **environ;

/* What a child may know of our environment: where certificates are, and what the developer's tools need. */
static const char *const passed[] = {"SSL_CERT_FILE=", "SSL_CERT_DIR=",  "TZ=",           "LD_LIBRARY_PATH=",
                                     "ASAN_OPTIONS=",  "UBSAN_OPTIONS=", "LSAN_OPTIONS=", "TSAN_OPTIONS="};

static bool is_passed(const char *variable)
{
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        if (strncmp(variable, passed[i], strlen(passed[i])) == 0)
            return true;
    return false;
}

char **spawn_env(void)
{
    char **env = calloc(ARRAY_LEN(passed) + 1, sizeof(char *));
    size_t n = 0;

    for (char **variable = environ; env && variable && *variable && n < ARRAY_LEN(passed); variable++)
        if (is_passed(*variable))
            env[n++] = *variable;
    return env;
}

static void fill_heritage(struct heritage *heritage, const struct slot *slot, const struct setup *setup, int control_fd)
{
    const struct master *master = slot->master;
    uint32_t number = (uint32_t)(slot - master->slots);

    *heritage = (struct heritage){
        .slot = number,
        .block = number + 1,
        .generation = setup->generation,
        .table_fd = podtable_worker_fd(master->table),
        .scoreboard_fd = scoreboard_worker_fd(master->board),
        .control_fd = control_fd,
        .n_listeners = setup->n_listeners,
        .config = setup->text.data,
        .config_len = setup->text.len,
    };
    for (size_t i = 0; i < setup->n_listeners; i++) {
        heritage->listeners[i].fd = setup->listeners[i].fd;
        heritage->listeners[i].admin = setup->listeners[i].admin;
        memcpy(heritage->listeners[i].address, setup->listeners[i].address, HERITAGE_ADDRESS_BYTES);
    }
}

_Noreturn static void become(const struct master *master, const struct heritage *heritage, int memfd,
                             char *const argv[])
{
    signals_reset();
    if (heritage_let_pass(heritage, memfd) == 0)
        fexecve(master->exe_fd, argv, master->child_env);
    _exit(EX_OSERR);
}

static pid_t fork_child(const struct master *master, const struct heritage *heritage, int memfd)
{
    char name[] = "syncer", argument[32], number[16];
    char *const argv[] = {name, argument, number, NULL};
    pid_t pid;

    snprintf(argument, sizeof(argument), "%s", master->settings.child.argument);
    snprintf(number, sizeof(number), "%d", memfd);
    log_flush(); /* the child must not have half of a line of ours */
    pid = fork();
    if (pid == 0)
        become(master, heritage, memfd, argv);
    return pid;
}

int spawn(struct slot *slot, const struct setup *setup, bool accept_at_once, struct err *err)
{
    struct heritage *heritage = malloc(sizeof(*heritage));
    int fds[2] = {-1, -1}, memfd = -1, rc = -1;

    if (!heritage)
        return err_set(err, "out of memory");
    if (control_pair(fds, err) == 0) {
        fill_heritage(heritage, slot, setup, fds[1]);
        heritage->accept_at_once = accept_at_once;
        memfd = heritage_write(heritage, err);
    }
    if (memfd >= 0) {
        slot->pid = fork_child(slot->master, heritage, memfd);
        rc = slot->pid > 0 ? 0 : err_set_errno(err, errno, "fork");
        slot->pid = rc == 0 ? slot->pid : 0;
    }
    slot->control_fd = rc == 0 ? fds[0] : -1;
    if (rc < 0)
        fd_close(&fds[0]);
    fd_close(&fds[1]);
    fd_close(&memfd);
    free(heritage);
    return rc;
}
