/* SPDX-License-Identifier: MIT */
/* The command line, read and explained by the table in options.def. Pure but for the help that it writes. */
#ifndef SYNCER_CTL_OPTIONS_H
#define SYNCER_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <syncer/base/err.h>

enum ctl_command {
#define COMMAND(id, name, arguments, help) CTL_##id,
#define OPTION(id, name, letter, arg, commands, help)
#define EXAMPLE(command, line)
#include "options.def"
#undef COMMAND
#undef OPTION
#undef EXAMPLE
    CTL_COMMANDS
};

enum ctl_option {
#define COMMAND(id, name, arguments, help)
#define OPTION(id, name, letter, arg, commands, help) OPT_##id,
#define EXAMPLE(command, line)
#include "options.def"
#undef COMMAND
#undef OPTION
#undef EXAMPLE
    CTL_OPTIONS
};

/* What was asked for. Options without an argument are "" where they were given. Borrowed from argv. */
struct ctl_options {
    enum ctl_command command;
    const char *value[CTL_OPTIONS]; /* NULL = not given */
    int64_t timeout_ms;             /* 0 = not given */
    uint32_t pods;                  /* of --pods; 0 = not given */
};

enum ctl_parsed {
    CTL_RUN,
    CTL_HELP,         /* of syncerctl as a whole */
    CTL_HELP_COMMAND, /* of `command` */
    CTL_VERSION,
    CTL_USAGE, /* wrong: the reason is set */
};

/* Options stand behind the command. */
enum ctl_parsed ctl_options_parse(struct ctl_options *options, int argc, char **argv, struct err *err);

void ctl_help(FILE *out);
void ctl_help_command(FILE *out, enum ctl_command command);

const char *ctl_command_name(enum ctl_command command);

/* "500ms", "30s", "2m", or a number of seconds; 1 ms to 1 h. 0 or -1. */
int ctl_parse_time(const char *text, int64_t *ms);

#endif
