/* SPDX-License-Identifier: MIT */
/* From the command line to a configuration, and to the process that this one is to be: master or worker. */
#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/base/log.h>
#include <syncer/base/process.h>
#include <syncer/conf/conf.h>
#include <syncer/master/master.h>
#include <syncer/net/identity.h>
#include <syncer/net/listen.h>
#include <syncer/net/trust.h>
#include <syncer/worker/worker.h>

#define WORKER_ARGUMENT "--worker"

extern char **environ;

struct arguments {
    const char *file;      /* -c; NULL = look for one */
    const char *http_port; /* NULL = as configured */
    bool test, print;
};

static const char usage[] =
    "usage: syncer [-c FILE] [--http-port N] [-t] [--print-config] [-V] [-h]\n"
    "\n"
    "  -c FILE          configuration; else ./config.yaml, else " SYNCER_SYSCONFDIR "/config.yaml\n"
    "  --http-port N    listen on 0.0.0.0:N only\n"
    "  -t               check the configuration and end: 0 if it is good, else 78\n"
    "  --print-config   print the configuration in force, defaults and all, and end\n"
    "  -V, --version    print the version\n"
    "  -h, --help       print this\n"
    "\n"
    "SYNCER_<KEY> in the environment stands above the file, the command line above both.\n"
    "SIGHUP reads the configuration anew, SIGTERM ends in good order.\n"
    "exit codes: 0, 64 usage, 69 address in use, 71 system, 78 configuration\n"
    "\n"
    "  syncer -t -c config.yaml && syncer -c config.yaml\n";

/* ---- configuration ---- */

static const char *find_file(const struct arguments *arguments)
{
    static const char installed[] = SYNCER_SYSCONFDIR "/config.yaml";

    if (arguments->file)
        return arguments->file;
    /* One that is there but can't be read is an error: another must not be taken in silence. */
    if (access("config.yaml", F_OK) == 0)
        return "config.yaml";
    return access(installed, F_OK) == 0 ? installed : NULL;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= 5 && strspn(text, "0123456789") == len && strtoul(text, NULL, 10) - 1 < UINT16_MAX;
}

/* The command line's port, through the reader that the environment's list goes through. */
static int set_port(struct conf *conf, const char *port, struct conf_notes *notes, struct err *err)
{
    char variable[64];
    char *env[] = {variable, NULL};

    snprintf(variable, sizeof(variable), "SYNCER_LISTEN=0.0.0.0:%s", port);
    return conf_read_env(conf, env, notes, err);
}

static int check_addresses(const struct conf_list *list, const char *key, struct err *err)
{
    struct listen_address address;

    for (size_t i = 0; i < list->n; i++)
        if (listen_parse(list->items[i], &address, err) < 0)
            return err_context(err, "%s", key);
    return 0;
}

static int check_listen(const struct conf *conf, struct err *err)
{
    if (check_addresses(&conf->listen, "listen", err) < 0)
        return -1;
    return check_addresses(&conf->admin_listen, "admin_listen", err);
}

/* What the files hold is looked at before anything depends on it. */
static int check_files(const struct conf *conf, struct err *err)
{
    struct trust_settings settings = {
        .verify = conf->tls_verify, .ca_file = conf->tls_ca, .cert_file = conf->tls_cert, .key_file = conf->tls_key};
    struct trust *trust = NULL;
    struct identity *identity = NULL;
    int rc = 0;

    if (conf->scheme == CONF_SCHEME_HTTPS && !(trust = trust_new(&settings, err)))
        rc = -1;
    if (rc == 0 && conf->listen_tls_cert &&
        !(identity = identity_new(conf->listen_tls_cert, conf->listen_tls_key, conf->listen_tls_client_ca, err)))
        rc = -1;
    trust_free(trust);
    identity_free(identity);
    return rc;
}

static int read_all(const struct arguments *arguments, struct conf *conf, struct conf_notes *notes, struct err *err)
{
    const char *file = find_file(arguments);
    bool in_cluster = getenv("KUBERNETES_SERVICE_HOST") != NULL;

    if (conf_init(conf, err) < 0)
        return -1;
    if (file && conf_read_file(conf, file, err) < 0)
        return -1;
    if (conf_read_env(conf, environ, notes, err) < 0)
        return -1;
    if (arguments->http_port && set_port(conf, arguments->http_port, notes, err) < 0)
        return -1;
    if (conf_check(conf, in_cluster, notes, err) < 0 || check_listen(conf, err) < 0 || check_files(conf, err) < 0)
        return file ? err_context(err, "%s", file)
                    : err_context(err, "no file (-c FILE, ./config.yaml or %s)", SYNCER_SYSCONFDIR "/config.yaml");
    return 0;
}

/* Whatever it has to say of a configuration that is no error; `at_start`, by that configuration's own log settings. */
static int load_and_note(struct arguments *arguments, struct conf *conf, bool at_start, struct err *err)
{
    struct conf_notes notes = {.n = 0};

    if (read_all(arguments, conf, &notes, err) < 0)
        return -1;
    if (at_start)
        log_configure((enum log_level)conf->log_level, (enum log_format)conf->log_format);
    for (size_t i = 0; i < notes.n; i++)
        log_warn("configuration", LOG_STR("note", notes.items[i].text));
    return 0;
}

/* master_settings.load */
static int load(void *arg, struct conf *conf, struct err *err)
{
    return load_and_note(arg, conf, false, err);
}

static int print(const struct conf *conf)
{
    struct buf out;
    int code;

    buf_init(&out, 4 * CONF_MAX_BYTES);
    conf_print(conf, &out);
    code = out.failed || fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0 ? EX_OSERR : EX_OK;
    buf_release(&out);
    return code;
}

/* ---- the command line ---- */

/* -1: go on; else the exit code. */
static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"http-port", required_argument, NULL, 'p'},
        {"print-config", no_argument, NULL, 'P'}, {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:tVh", options, NULL)) != -1) {
        if (option == 'c')
            arguments->file = optarg;
        else if (option == 'p')
            arguments->http_port = optarg;
        else if (option == 't')
            arguments->test = true;
        else if (option == 'P')
            arguments->print = true;
        else if (option == 'V')
            return printf("syncer %s\n", PACKAGE_VERSION) < 0 ? EX_OSERR : EX_OK;
        else if (option == 'h')
            return fputs(usage, stdout) < 0 ? EX_OSERR : EX_OK;
        else
            return fputs("syncer: -h tells more\n", stderr) < 0 ? EX_OSERR : EX_USAGE;
    }
    if (optind < argc)
        fprintf(stderr, "syncer: %s: there are no arguments without a dash; -h tells more\n", argv[optind]);
    else if (arguments->http_port && !is_port(arguments->http_port))
        fprintf(stderr, "syncer: --http-port: \"%.20s\" should be a number from 1 to 65535\n", arguments->http_port);
    else
        return -1;
    return EX_USAGE;
}

static int run(struct arguments *arguments)
{
    struct master_settings settings = {
        .child = {.name = "worker", .argument = WORKER_ARGUMENT}, .load = load, .arg = arguments};
    struct conf conf;
    struct err err;
    int code;

    if (load_and_note(arguments, &conf, true, &err) < 0) {
        log_flush();
        fprintf(stderr, "syncer: %s\n", err.text);
        conf_free(&conf);
        return EX_CONFIG;
    }
    if (arguments->print || arguments->test) {
        code = arguments->print ? print(&conf) : puts("syncer: the configuration is good") < 0 ? EX_OSERR : EX_OK;
        conf_free(&conf);
        log_close(100);
        return code;
    }
    if (!conf.core_dumps)
        process_hide();
    return master_run(&settings, &conf);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    int code;

    if (fd_guard_standard() < 0)
        return EX_OSERR;
    if (argc == 3 && strcmp(argv[1], WORKER_ARGUMENT) == 0)
        return worker_run((int)strtol(argv[2], NULL, 10));
    code = read_arguments(&arguments, argc, argv);
    return code >= 0 ? code : run(&arguments);
}
