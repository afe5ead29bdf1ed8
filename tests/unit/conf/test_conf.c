/* SPDX-License-Identifier: MIT */
/* The configuration: values, errors that name line and key, environment, checks, and that print and read are inverse. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/macros.h>
#include <syncer/conf/conf.h>

TestSuite(conf, .timeout = 30);

static int read_text(struct conf *conf, const char *text, struct err *err)
{
    cr_assert_eq(conf_init(conf, err), 0);
    return conf_read_text(conf, "c.yaml", text, strlen(text), err);
}

static const char full[] =
    "# whole\nnamespace: apigwp-cz\ndeployment: ng-plus-apigw\nhost: \"gw.example\"\n"
    "path: /_probe?a=1\nsync_timeout: 2s\nretries: 3\nrequest_deadline: 10s\nworkers: 2\n"
    "tls_verify: false\nlisten: [\"127.0.0.1:1\", \"unix:/tmp/a \\\"b\\\"\"]\nlog_level: debug\n"
    "static:\n  - {name: a, address: 127.0.0.2}\n  - name: b\n    address: \"::1\"\n    port: 9\n";

Test(conf, defaults)
{
    struct conf conf;

    cr_assert_eq(read_text(&conf, "", NULL), 0);
    cr_expect(conf.port == 8443 && conf.sync_timeout_ms == 150 && conf.retries == 10 && conf.workers == 0);
    cr_expect_str_eq(conf.cookie, "auth_token");
    cr_expect(conf.tls_verify && !conf.access_log && conf.scheme == CONF_SCHEME_HTTPS && conf.log_level == 2);
    cr_expect_eq(conf_patience_ms(&conf), 1450);
    cr_assert(conf.listen.n == 1 && strcmp(conf.listen.items[0], "0.0.0.0:8080") == 0);
    conf_free(&conf);
}

Test(conf, reads_every_kind)
{
    struct conf conf;
    struct err err = {""};

    cr_assert_eq(read_text(&conf, full, &err), 0, "%s", err.text);
    cr_expect_str_eq(conf.host, "gw.example");
    cr_expect(conf.sync_timeout_ms == 2000 && conf.workers == 2 && !conf.tls_verify && conf.log_level == 3);
    cr_expect(conf.listen.n == 2 && strcmp(conf.listen.items[1], "unix:/tmp/a \"b\"") == 0);
    cr_expect(conf.n_static_pods == 2 && conf.static_pods[1].port == 9 && conf.static_pods[1].address.family == 6);
    conf_free(&conf);
}

Test(conf, print_and_read_are_inverse)
{
    struct conf conf, back;
    struct buf once, twice;

    cr_assert_eq(read_text(&conf, full, NULL), 0);
    buf_init(&once, 65536);
    buf_init(&twice, 65536);
    conf_print(&conf, &once);
    cr_assert_eq(read_text(&back, buf_str(&once), NULL), 0);
    conf_print(&back, &twice);
    cr_expect_str_eq(buf_str(&once), buf_str(&twice));
    cr_expect(strstr(buf_str(&once), "sync_timeout: 2000ms\n") && strstr(buf_str(&once), "pods: auto\n"));
    buf_release(&once);
    buf_release(&twice);
    conf_free(&conf);
    conf_free(&back);
}

Test(conf, errors_name_file_line_key_and_what_is_right)
{
    static const struct {
        const char *text, *error; /* a part of it */
    } rows[] = {
        {"port: abc", "c.yaml:1: port: \"abc\" should be a whole number from 1 to 65535"},
        {"\n\nport: 0", "c.yaml:3: port: \"0\" should be"},
        {"prot: 1", "c.yaml:1: prot: unknown key; did you mean port?"},
        {"hots: a", "c.yaml:1: hots: unknown key; did you mean host?"},
        {"zzzzzzzzzz: 1", "c.yaml:1: zzzzzzzzzz: unknown key"},
        {"port: 1\nport: 2", "c.yaml:2: port: is there twice"},
        {"scheme: ftp", "scheme: \"ftp\" should be one of https|http"},
        {"tls_verify: yes", "tls_verify: \"yes\" should be true or false"},
        {"sync_timeout: 5h", "sync_timeout: \"5h\" should be a time from 1ms"},
        {"scrape_interval: 10", "a bare number is milliseconds"},
        {"retries: -1", "retries: \"-1\" should be"},
        {"retries: 99999999999999999999", "retries:"},
        {"host:", "host: has no value"},
        {"host: ~", "host: has no value"},
        {"host: \"\"", "host: is empty"},
        {"host: \"a\\nb\"", "host: has a control character"},
        {"host: \"a\\0b\"", "host: has a NUL"},
        {"host: [a]", "host: should be a single value"},
        {"host: &x a", "anchors and tags"},
        {"host: *x", "c.yaml:1: "},
        {"listen: []", "listen: should have at least one value"},
        {"static: a", "static: should be a list"},
        {"static: [a]", "static: should be a mapping"},
        {"static: [{name: a}]", "static: needs a name and an address"},
        {"static: [{name: a, address: host}]", "static: address: \"host\" should be an IP address"},
        {"static: [{name: a, adress: 1.2.3.4}]", "static: adress: should be name, address or port"},
        {"static: [{name: a, address: 1.2.3.4, port: 70000}]", "static: port: \"70000\" should be"},
        {"- a", "c.yaml:1: should be a mapping"},
        {"port: 1\n--- \nport: 2", "one document"},
        {"port: \"1", "not valid YAML"},
        {"port: 1\n\tpath: x", "c.yaml:2: not valid YAML"},
        {"? [a]\n: b", "c.yaml:1: should be a single value"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf conf;
        struct err err = {""};

        cr_expect_eq(read_text(&conf, rows[i].text, &err), -1, "%s", rows[i].text);
        cr_expect(strstr(err.text, rows[i].error), "%s: %s", rows[i].text, err.text);
        conf_free(&conf);
    }
}

Test(conf, environment)
{
    char *env[] = {(char[]){"SYNCER_PORT=9443"},
                   (char[]){"SYNCER_LISTEN=127.0.0.1:1,[::1]:2"},
                   (char[]){"PATH=/bin"},
                   (char[]){"SYNCER_SERVICE_HOST=10.0.0.1"},
                   (char[]){"SYNCER_PORT_8080_TCP=tcp://10.0.0.1:8080"},
                   (char[]){"SYNCER_RETRYS=1"},
                   (char[]){"SYNCER_URL=http://127.0.0.1:8080"},
                   (char[]){"SYNCER_ADMIN_URL=http://127.0.0.1:9090"},
                   (char[]){"SYNCER_TOKEN=t"},
                   NULL};
    char *link[] = {(char[]){"SYNCER_PORT=tcp://10.0.0.1:8080"}, NULL};
    char *bad[] = {(char[]){"SYNCER_WORKERS=many"}, NULL};
    struct conf_notes notes = {.n = 0};
    struct conf conf;
    struct err err = {""};

    cr_assert_eq(read_text(&conf, "port: 1", NULL), 0);
    cr_assert_eq(conf_read_env(&conf, env, &notes, &err), 0, "%s", err.text);
    cr_expect(conf.port == 9443 && conf.listen.n == 2 && strcmp(conf.listen.items[1], "[::1]:2") == 0);
    cr_expect(notes.n == 1 && strstr(notes.items[0].text, "SYNCER_RETRYS is no setting; the nearest is retries"));
    cr_assert_eq(conf_read_env(&conf, link, &notes, &err), 0);
    cr_expect_eq(conf.port, 9443, "a service link is no setting");
    cr_assert_eq(conf_read_env(&conf, bad, &notes, &err), -1);
    cr_expect(strstr(err.text, "environment: SYNCER_WORKERS: \"many\" should be auto or a whole number"), "%s",
              err.text);
    conf_free(&conf);
}

/* What decides whether a list of pods is still good after a reload. */
Test(conf, same_pods)
{
    static const struct {
        const char *more;
        bool same;
    } rows[] = {
        {"", true},
        {"retries: 3\npath: /q\nhost: b", true},
        {"port: 1", false},
        {"pods: kubernetes", false},
        {"namespace: n", false},
        {"deployment: d", false},
        {"serviceaccount_dir: /x", false},
        {"pod_filter: all", false},
        {"pod_scope: revision", false},
        {"static: [{name: a, address: 127.0.0.1}]", false},
        {"service: gw", false},
        {"resolver: 127.0.0.1", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf a, b;
        struct err err = {""};

        cr_assert(read_text(&a, "", &err) == 0 && read_text(&b, rows[i].more, &err) == 0, "%s", err.text);
        cr_expect_eq(conf_same_pods(&a, &b), rows[i].same, "%s", rows[i].more);
        conf_free(&a);
        conf_free(&b);
    }
}

Test(conf, the_files_that_it_consists_of)
{
    const char *paths[CONF_MAX_FILES];
    char file[] = "/tmp/syncer-conf.XXXXXX";
    int fd = mkstemp(file);
    struct conf conf;
    struct err err = {""};

    cr_assert(fd >= 0 && dprintf(fd, "tls_key: /k\ntls_ca: /a\n") > 0 && close(fd) == 0);
    cr_assert(conf_init(&conf, &err) == 0 && conf_files(&conf, paths) == 0);
    cr_assert_eq(conf_read_file(&conf, file, &err), 0, "%s", err.text);
    cr_assert_eq(conf_files(&conf, paths), 3);
    cr_expect_str_eq(paths[0], file);
    cr_expect_str_eq(paths[1], "/a");
    cr_expect_str_eq(paths[2], "/k");
    unlink(file);
    conf_free(&conf);
}

Test(conf, checks_of_the_whole)
{
#define OPEN "host: a\npath: /p\nstatic: [{name: a, address: 127.0.0.1}]\n"
#define BASE OPEN "allow: pods\n"
    static const struct {
        const char *text, *error; /* NULL: fine */
        size_t notes;
    } rows[] = {
        {BASE, NULL, 0},
        {OPEN, NULL, 1},
        {OPEN "listen: \"127.0.0.1:80\"", NULL, 0},
        {OPEN "listen: [\"[::1]:80\", \"unix:/s\"]", NULL, 0},
        {OPEN "listen: [\"unix:/s\", \"10.0.0.1:80\"]", NULL, 1},
        {OPEN "allow: [10.0.0.0/8, \"fd00::/8\", pods, 192.0.2.1]", NULL, 0},
        {OPEN "allow: [any, pods]", "allow: any leaves", 0},
        {OPEN "allow: 10.0.0.0/33", "allow: \"10.0.0.0/33\" should be any, pods", 0},
        {OPEN "allow: 10.0.0.1/8", "bits behind the prefix", 0},
        {BASE "retries: 5", NULL, 1},
        {BASE "scheme: http", NULL, 1},
        {BASE "tls_verify: false", NULL, 1},
        {BASE "pods: kubernetes", "deployment: is required", 0},
        {BASE "tls_cert: /x", "tls_key: is required beside tls_cert", 0},
        {BASE "synced_max_age: 1500ms", "synced_max_age: 1500ms should be whole seconds", 0},
        {BASE "cookie: \"a b\"", "cookie:", 0},
        {"path: /p\nstatic: [{name: a, address: 127.0.0.1}]", "host: is required", 0},
        {"host: a\nstatic: [{name: a, address: 127.0.0.1}]", "path: is required", 0},
        {"host: a b\npath: /p\nstatic: [{name: a, address: 127.0.0.1}]", "host: \"a b\"", 0},
        {"host: a\npath: p\nstatic: [{name: a, address: 127.0.0.1}]", "path: \"p\" should begin with /", 0},
        {"host: a\npath: /p", "is required where pods are static, as outside of a cluster", 0},
        {"host: a\npath: /p\npods: static\nkubeconfig: /k", "is required where pods are static", 0},
        {"host: a\npath: /p\nstatic: [{name: a, address: 127.0.0.1}, {name: a, address: 127.0.0.2}]", "twice", 0},
        {"host: a\npath: /p\nstatic: [{name: a, address: 127.0.0.1}, {name: b, address: 127.0.0.1}]", "same address",
         0},
        {"host: a\npath: /p\nstatic: [{name: a_, address: 127.0.0.1}]", "DNS-1123", 0},
        {BASE "pods: dns", "service: is required where pods come from dns", 0},
        {BASE "pods: dns\nservice: gw.gateways.svc", NULL, 0},
        {BASE "pods: dns\nservice: gw_1.gateways.svc.cluster.local.", NULL, 0},
        {BASE "pods: dns\nservice: gw..svc", "service: \"gw..svc\" should be a DNS name", 0},
        {BASE "pods: dns\nservice: .", "service: \".\" should be", 0},
        {BASE "pods: dns\nservice: gw:53", "service: \"gw:53\" should be", 0},
        {BASE "pods: dns\nservice: gw\nresolver: \"[::1]:53\"", NULL, 0},
        {BASE "pods: dns\nservice: gw\nresolver: dns.example", "resolver: \"dns.example\" should be", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf_notes notes = {.n = 0};
        struct conf conf;
        struct err err = {""};

        cr_assert_eq(read_text(&conf, rows[i].text, &err), 0, "%s", err.text);
        cr_expect_eq(conf_check(&conf, false, &notes, &err), rows[i].error ? -1 : 0, "row %zu: %s", i, err.text);
        cr_expect(!rows[i].error || strstr(err.text, rows[i].error), "row %zu: %s", i, err.text);
        cr_expect(rows[i].error || notes.n == rows[i].notes, "row %zu: %zu notes", i, notes.n);
        conf_free(&conf);
    }
}

/* A row of the README's table as a line of keys.def makes it. */
struct row {
    const char *key;
    const char *text; /* default; NULL = not set, or `number` and `unit` */
    int64_t number;
    const char *unit; /* NULL: the default is no number */
    const char *doc;
    const char *names; /* of an enum, whose default `number` is */
};

#define CONF_STRING(key, def, doc) {#key, def, 0, NULL, doc, NULL},
#define CONF_INT(key, def, min, max, doc) {#key, NULL, def, "", doc, NULL},
#define CONF_AUTO(key, min, max, doc) {#key, "auto", 0, NULL, doc, NULL},
#define CONF_MS(key, def, min, max, doc) {#key, NULL, def, " ms", doc, NULL},
#define CONF_AUTO_MS(key, min, max, doc) {#key, "auto", 0, NULL, doc, NULL},
#define CONF_LIST(key, def, doc) {#key, def, 0, NULL, doc, NULL},
#define CONF_BOOL(key, def, doc) {#key, (def) ? "true" : "false", 0, NULL, doc, NULL},
#define CONF_ENUM(key, names, def, doc) {#key, NULL, def, NULL, doc, names},
static const struct row rows_wanted[] = {
#include <syncer/conf/keys.def>
};

/* The default's name, and " (a, b, c)". */
static void write_names(const struct row *row, char *name, char *all, size_t room)
{
    const char *rest = row->names;
    size_t len = (size_t)snprintf(all, room, " (");

    for (int64_t i = 0; *rest; i++) {
        size_t n = strcspn(rest, "|");

        if (i == row->number)
            snprintf(name, room, "%.*s", (int)n, rest);
        len += (size_t)snprintf(all + len, room - len, "%s%.*s", i ? ", " : "", (int)n, rest);
        rest += n + (rest[n] == '|');
    }
    snprintf(all + len, room - len, ")");
}

static void write_row(const struct row *row, char *out, size_t room)
{
    char def[128], names[128] = "";

    snprintf(def, sizeof(def), "%s", row->text ? row->text : "–");
    if (row->unit)
        snprintf(def, sizeof(def), "%d%s", (int)row->number, row->unit);
    if (row->names)
        write_names(row, def, names, sizeof(names));
    snprintf(out, room, "\n| `%s` | %s | %s%s |\n", row->key, def, row->doc, names);
}

/* A file of the tree; the test is skipped where that is not known. */
static const char *read_file(const char *name)
{
    const char *folder = getenv("SYNCER_SRCDIR");
    static char text[1 << 20];
    char path[4096];
    FILE *file;

    if (!folder)
        cr_skip_test("SYNCER_SRCDIR is not set");
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "re");
    cr_assert(file && fread(text, 1, sizeof(text) - 1, file) > 0, "%s", path);
    fclose(file);
    return text;
}

Test(conf, the_readme_has_every_setting)
{
    const char *text = read_file("README.md");
    char row[1024];

    for (size_t i = 0; i < ARRAY_LEN(rows_wanted); i++) {
        write_row(&rows_wanted[i], row, sizeof(row));
        cr_expect(strstr(text, row), "README.md, Configuration:%s", row);
    }
}

/* Its types and limits are looked at by tests/system/test_helm.py. */
Test(conf, the_charts_schema_has_every_setting)
{
    const char *text = read_file("helm/ng-apigw-syncer/values.schema.json");
    char entry[1024];

    for (size_t i = 0; i < ARRAY_LEN(rows_wanted); i++) {
        snprintf(entry, sizeof(entry), "\"%s\": {\n          \"description\": \"%s\",", rows_wanted[i].key,
                 rows_wanted[i].doc);
        cr_expect(strstr(text, entry), "%s: run contrib/helm/schema", rows_wanted[i].key);
    }
}
