/* SPDX-License-Identifier: MIT */
/* The end of a process whose own data is broken: says where, then aborts. Uses no heap, no stdio stream and no log. */
#include <config.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <syncer/base/must.h>

_Noreturn void must_failed(const char *cond, const char *file, int line)
{
    char text[512];
    int len =
        snprintf(text, sizeof(text), "syncer[%ld]: broken invariant: %s at %s:%d\n", (long)getpid(), cond, file, line);
    struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (len >= (int)sizeof(text)) {
        len = (int)sizeof(text);
        text[len - 1] = '\n';
    }
    /* A stalled log reader must not keep a broken process alive, so the line is lost rather than waited for. */
    if (len > 0 && poll(&err, 1, 0) == 1 && write(STDERR_FILENO, text, (size_t)len) < 0)
        abort();
    abort();
}
