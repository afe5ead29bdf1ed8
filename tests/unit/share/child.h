/* SPDX-License-Identifier: MIT */
/* A part of a test that runs in a child, because it ends in a signal or changes the process. */
#ifndef SYNCER_TESTS_UNIT_SHARE_CHILD_H
#define SYNCER_TESTS_UNIT_SHARE_CHILD_H

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SKIP 77 /* an exit code: this machine does not let us try it */

/* Runs body(arg) in a child; its return value is the exit code. Returns that, or minus the signal that ended
 * it. */
static inline int in_child(int (*body)(void *), void *arg)
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return -1000;
    if (pid == 0) {
        struct rlimit none = {0, 0};

        /* The signal itself is what the test looks for: no core, no report of a sanitizer. */
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        _exit(body(arg));
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1001;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
