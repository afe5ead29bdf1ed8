/* SPDX-License-Identifier: MIT */
/* Reads the command line and explains it, both by options.def. getopt_long() does the reading. */
#include <config.h>

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "options.h"

#define TIME_MAX_MS INT64_C(3600000)
#define PODS_MAX 65536
#define LONG_BASE 256 /* getopt's number of an option without a letter */

#define CHECK (1u << CTL_CHECK)
#define PODS (1u << CTL_PODS)
#define STATUS (1u << CTL_STATUS)
#define WAIT (1u << CTL_WAIT)
#define DOCTOR (1u << CTL_DOCTOR)
#define ALL (CHECK | PODS | STATUS | WAIT | DOCTOR)

static const struct {
    const char *name, *arguments, *help;
} commands[CTL_COMMANDS] = {
#define COMMAND(id, name, arguments, help) [CTL_##id] = {name, arguments, help},
#define OPTION(id, name, letter, arg, commands, help)
#define EXAMPLE(command, line)
#include "options.def"
#undef COMMAND
#undef OPTION
#undef EXAMPLE
};

static const struct {
    const char *name, *arg, *help;
    unsigned commands;
    char letter;
} table[CTL_OPTIONS] = {
#define COMMAND(id, name, arguments, help)
#define OPTION(id, name, letter, arg, commands, help) [OPT_##id] = {name, arg, help, commands, letter},
#define EXAMPLE(command, line)
#include "options.def"
#undef COMMAND
#undef OPTION
#undef EXAMPLE
};

static const struct {
    enum ctl_command command;
    const char *line;
} examples[] = {
#define COMMAND(id, name, arguments, help)
#define OPTION(id, name, letter, arg, commands, help)
#define EXAMPLE(command, line) {CTL_##command, line},
#include "options.def"
#undef COMMAND
#undef OPTION
#undef EXAMPLE
};

const char *ctl_command_name(enum ctl_command command)
{
    return commands[command].name;
}

/* ---- values ---- */

int ctl_parse_time(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}};
    size_t digits = strspn(text, "0123456789");
    int64_t n = strtol(text, NULL, 10);

    if (digits == 0 || digits > 7)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strcmp(text + digits, units[i].unit) == 0) {
            *ms = n * units[i].ms;
            return *ms >= 1 && *ms <= TIME_MAX_MS ? 0 : -1;
        }
    return -1;
}

static bool is_one_of(const char *value, const char *const *values)
{
    for (; *values; values++)
        if (strcmp(value, *values) == 0)
            return true;
    return false;
}

static int read_numbers(struct ctl_options *options, struct err *err)
{
    const char *time = options->value[OPT_TIMEOUT], *pods = options->value[OPT_PODS];

    if (time && ctl_parse_time(time, &options->timeout_ms) < 0)
        return err_set(err, "--timeout: \"%.20s\" should be a time such as 500ms, 30s or 2m, at most an hour", time);
    if (pods) {
        if (pods[0] == '\0' || strlen(pods) > 5 || strspn(pods, "0123456789") != strlen(pods))
            return err_set(err, "--pods: \"%.20s\" should be a number", pods);
        options->pods = (uint32_t)strtoul(pods, NULL, 10);
        if (options->pods < 1 || options->pods > PODS_MAX)
            return err_set(err, "--pods: %s should be 1 to %d", pods, PODS_MAX);
    }
    return 0;
}

static int check_values(struct ctl_options *options, struct err *err)
{
    static const char *const stricts[] = {"0", "1", "majority", NULL}, *const expects[] = {"present", "absent", NULL};
    const char *strict = options->value[OPT_STRICT], *expect = options->value[OPT_EXPECT];

    if (strict && !is_one_of(strict, stricts))
        return err_set(err, "--strict: \"%.20s\" should be 0, 1 or majority", strict);
    if (expect && !is_one_of(expect, expects))
        return err_set(err, "--expect: \"%.20s\" should be present or absent", expect);
    if (!options->value[OPT_CERT] != !options->value[OPT_KEY])
        return err_set(err, "--cert and --key belong together");
    if (options->command == CTL_WAIT && !options->value[OPT_SYNCED] &&
        (options->value[OPT_ORIGIN] || options->value[OPT_TOKEN_FILE] || options->value[OPT_EXPECT]))
        return err_set(err, "--origin, --token-file and --expect belong to --synced");
    return read_numbers(options, err);
}

/* ---- reading ---- */

static int find_command(const char *name, enum ctl_command *command)
{
    for (size_t i = 0; i < CTL_COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0) {
            *command = (enum ctl_command)i;
            return 0;
        }
    return -1;
}

/* The options of one command, as getopt_long() wants them. */
static void describe(enum ctl_command command, struct option *longs, char *shorts)
{
    *shorts++ = ':'; /* a missing argument is told apart from an unknown option */
    for (int i = 0; i < CTL_OPTIONS; i++) {
        if (!(table[i].commands & 1u << command))
            continue;
        *longs++ = (struct option){.name = table[i].name,
                                   .has_arg = table[i].arg ? required_argument : no_argument,
                                   .val = table[i].letter ? table[i].letter : LONG_BASE + i};
        if (table[i].letter) {
            *shorts++ = table[i].letter;
            if (table[i].arg)
                *shorts++ = ':';
        }
    }
    *longs = (struct option){.name = NULL};
    *shorts = '\0';
}

static void store(struct ctl_options *options, int code, const char *value)
{
    for (int i = 0; i < CTL_OPTIONS; i++)
        if ((table[i].letter && table[i].letter == code) || code == LONG_BASE + i)
            options->value[i] = table[i].arg ? value : "";
}

/* What stands there may be a token that somebody wanted to hand over so: it is not repeated. */
static int refuse_argument(const struct ctl_options *options, struct err *err)
{
    return err_set(err, "%s takes no arguments without a dash%s", commands[options->command].name,
                   options->command == CTL_CHECK ? "; a token comes by standard input, --token-file or SYNCER_TOKEN, "
                                                   "since everybody can read a command line"
                                                 : "");
}

/* getopt_long() takes the beginning of a name for the name: "--token=..." would be a file's, and be told of. */
static int refuse_abbreviations(const struct option *longs, int argc, char **argv, enum ctl_command command,
                                struct err *err)
{
    for (int i = 2; i < argc; i++) {
        const char *name = argv[i] + 2;
        size_t len = strcspn(argv[i], "="), at = 0;

        if (strncmp(argv[i], "--", 2) != 0 || len == 2)
            continue;
        while (longs[at].name && !(strlen(longs[at].name) == len - 2 && strncmp(longs[at].name, name, len - 2) == 0))
            at++;
        if (!longs[at].name)
            return err_set(err, "%.*s: %s has no such option", (int)len, argv[i], commands[command].name);
    }
    return 0;
}

static int read_options(struct ctl_options *options, int argc, char **argv, struct err *err)
{
    struct option longs[CTL_OPTIONS + 1];
    char shorts[2 * CTL_OPTIONS + 2];
    int code;

    describe(options->command, longs, shorts);
    if (refuse_abbreviations(longs, argc, argv, options->command, err) < 0)
        return -1;
    opterr = 0;
    optind = 2; /* behind the command */
    while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        const char *word = argv[optind - 1];
        const char letter[] = {'-', (char)optopt, '\0'};

        /* Where a letter is wrong, `word` may still be the one before it. */
        if (code == '?')
            return err_set(err, "%.*s: %s has no such option, or it takes no value",
                           optopt > 0 && optopt < LONG_BASE ? 2 : (int)strcspn(word, "="),
                           optopt > 0 && optopt < LONG_BASE ? letter : word, commands[options->command].name);
        if (code == ':')
            return err_set(err, "%.40s: a value is missing", word);
        store(options, code, optarg);
    }
    if (optind < argc)
        return refuse_argument(options, err);
    return check_values(options, err);
}

enum ctl_parsed ctl_options_parse(struct ctl_options *options, int argc, char **argv, struct err *err)
{
    *options = (struct ctl_options){.command = CTL_COMMANDS};
    if (argc < 2) {
        err_set(err, "a command is missing: check, pods, status, wait or doctor");
        return CTL_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
        return CTL_HELP;
    if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)
        return CTL_VERSION;
    if (strcmp(argv[1], "help") == 0 && (argc == 2 || find_command(argv[2], &options->command) == 0))
        return argc == 2 ? CTL_HELP : CTL_HELP_COMMAND;
    if (find_command(argv[1], &options->command) < 0) {
        err_set(err, "%.20s: should be check, pods, status, wait or doctor", argv[1]);
        return CTL_USAGE;
    }
    if (read_options(options, argc, argv, err) < 0)
        return CTL_USAGE;
    return options->value[OPT_HELP] ? CTL_HELP_COMMAND : CTL_RUN;
}

/* ---- help ---- */

static void help_option(FILE *out, int i)
{
    char names[64];
    int at = snprintf(names, sizeof(names), table[i].letter ? "  -%c, --%s" : "  %c   --%s",
                      table[i].letter ? table[i].letter : ' ', table[i].name);

    if (table[i].arg)
        snprintf(names + at, sizeof(names) - (size_t)at, " %s", table[i].arg);
    fprintf(out, "%-26s %s\n", names, table[i].help);
}

static const char *const exit_codes[CTL_COMMANDS] = {
    [CTL_CHECK] = "0 Synced, 1 Partialy, 2 NotSynced, 3 Timeout, 4 no verdict, 64 usage",
    [CTL_PODS] = "0, 4 no answer, 64 usage",
    [CTL_STATUS] = "0, 4 no answer, 64 usage",
    [CTL_WAIT] = "0 it has come to be, 1 not within the time, 4 it can't by waiting, 64 usage",
    [CTL_DOCTOR] = "0 all is well, 1 something must change, 64 usage",
};

void ctl_help_command(FILE *out, enum ctl_command command)
{
    fprintf(out, "usage: syncerctl %s %s%s[options]\n\n%s.\n\n", commands[command].name, commands[command].arguments,
            commands[command].arguments[0] ? " " : "", commands[command].help);
    for (int i = 0; i < CTL_OPTIONS; i++)
        if (table[i].commands & 1u << command)
            help_option(out, i);
    fprintf(out, "\nexit codes: %s\n\n", exit_codes[command]);
    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        if (examples[i].command == command)
            fprintf(out, "  %s\n", examples[i].line);
}

void ctl_help(FILE *out)
{
    fputs("usage: syncerctl COMMAND [options]\n\n", out);
    for (size_t i = 0; i < CTL_COMMANDS; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
    fputs("\n  -h, --help     this text; behind a command, its options\n  -V, --version  print the version\n\n"
          "A token is never taken from the command line, which everybody can read.\n\n"
          "  syncerctl check --origin gw-1 < token.txt\n  syncerctl doctor -c " SYNCER_SYSCONFDIR "/config.yaml\n",
          out);
}
