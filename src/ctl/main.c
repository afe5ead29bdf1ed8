/* SPDX-License-Identifier: MIT */
/* syncerctl: from the command line to one command. */
#include <config.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>
#include <syncer/base/process.h>

#include "commands.h"

static int (*const commands[CTL_COMMANDS])(const struct ctl_options *options) = {
    [CTL_CHECK] = ctl_check, [CTL_PODS] = ctl_pods,     [CTL_STATUS] = ctl_status,
    [CTL_WAIT] = ctl_wait,   [CTL_DOCTOR] = ctl_doctor,
};

int main(int argc, char **argv)
{
    struct ctl_options options;
    struct err err = {""};

    if (fd_guard_standard() < 0)
        return EX_OSERR;
    process_hide(); /* it may hold a token */
    signal(SIGPIPE, SIG_IGN);
    switch (ctl_options_parse(&options, argc, argv, &err)) {
    case CTL_RUN:
        return commands[options.command](&options);
    case CTL_HELP:
        ctl_help(stdout);
        break;
    case CTL_HELP_COMMAND:
        ctl_help_command(stdout, options.command);
        break;
    case CTL_VERSION:
        printf("syncerctl %s\n", PACKAGE_VERSION);
        break;
    case CTL_USAGE:
        fprintf(stderr, "syncerctl: %s\n", err.text);
        fprintf(stderr, "syncerctl%s%s --help tells more\n", options.command < CTL_COMMANDS ? " " : "",
                options.command < CTL_COMMANDS ? ctl_command_name(options.command) : "");
        return EX_USAGE;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? EX_OK : CTL_OTHER;
}
