/* SPDX-License-Identifier: MIT */
/* Two prctl() calls and a limit, in one place because master and worker need the same. */
#include <config.h>

#include <sys/prctl.h>
#include <sys/resource.h>

#include <syncer/base/process.h>

void process_hide(void)
{
    const struct rlimit none = {0, 0};

    /* The limit alone is not enough: the kernel ignores it where cores go to a program (core(5)). execve(2)
     * makes a process dumpable again. */
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
}

void process_set_name(const char *name)
{
    prctl(PR_SET_NAME, name, 0UL, 0UL, 0UL);
}
