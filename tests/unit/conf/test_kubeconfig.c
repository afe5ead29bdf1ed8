/* SPDX-License-Identifier: MIT */
/* The kubeconfig reader: every key, every error with its line, merging, limits, and that no error shows a
 * secret. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <syncer/base/macros.h>
#include <syncer/conf/kubeconfig.h>

#include "../wire/guarded.h"

TestSuite(kubeconfig, .timeout = 30);

#define SECRET "s3cr3t-of-me"

static int parse(struct kubeconfig *kc, const char *name, const char *text, struct err *err)
{
    size_t len = strlen(text);
    struct kubeconfig_text one = {name, guarded(text, len), len};

    return kubeconfig_parse(kc, &one, 1, err);
}

/* A kubeconfig with these lines of a cluster and a user, which begin at lines 8 and 12. */
static const char *with(const char *cluster, const char *user)
{
    static char text[65536];

    snprintf(text, sizeof(text),
             "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
             "contexts:\n- {name: here, context: {cluster: c, user: u}}\n"
             "clusters:\n- cluster:\n    %s\n  name: c\nusers:\n- user:\n    %s\n  name: u\n",
             cluster, user);
    return text;
}

#define SERVER "server: https://10.0.0.1:6443"

static void expect_part(const struct kubeconfig_part *part, const char *origin, const char *path, const char *data)
{
    cr_assert(part->origin, "%s is missing", origin);
    cr_expect_str_eq(part->origin, origin);
    if (path)
        cr_expect(part->path && strcmp(part->path, path) == 0, "%s: %s", origin, part->path);
    else
        cr_expect_null(part->path);
    cr_expect(part->data.len == strlen(data) &&
                  (part->data.len == 0 || memcmp(part->data.data, data, part->data.len) == 0),
              "%s: %zu bytes", origin, part->data.len);
}

/* ---- what it reads ---- */

static const char whole[] =
    "apiVersion: v1\n"
    "clusters:\n"
    "- cluster: {server: \"https://other:1\", proxy-url: \"http://p:1\", certificate-authority-data: '?'}\n"
    "  name: other\n"
    "- name: mine\n"
    "  cluster:\n"
    "    extensions: [{name: x, extension: {a: [1, {b: ~}]}}]\n"
    "    server: https://api.example:6443/\n"
    "    tls-server-name: kubernetes\n"
    "    certificate-authority: pki/ca.crt\n"
    "contexts:\n"
    "- context: {cluster: other, user: other}\n"
    "  name: other\n"
    "- context: {cluster: mine, user: me, namespace: gw}\n"
    "  name: mine-ctx\n"
    "current-context: mine-ctx\n"
    "kind: Config\n"
    "preferences: {colors: true}\n"
    "users:\n"
    "- name: other\n"
    "  user: {exec: {command: x}}\n"
    "- name: me\n"
    "  user:\n"
    "    client-certificate: /abs/me.crt\n"
    "    client-key: me.key\n"
    "    tokenFile: me.token\n"
    "    token: " SECRET "\n"
    "    exec: null\n"
    "    username: \"\"\n";

Test(kubeconfig, reads_what_the_context_names)
{
    struct kubeconfig kc;
    struct err err = {""};

    cr_assert_eq(parse(&kc, "/home/me/.kube/config", whole, &err), 0, "%s", err.text);
    cr_expect_str_eq(kc.server, "https://api.example:6443");
    cr_expect_str_eq(kc.tls_server_name, "kubernetes");
    cr_expect_str_eq(kc.namespace, "gw");
    cr_expect_not(kc.insecure);
    expect_part(&kc.ca, "/home/me/.kube/config:10: certificate-authority", "/home/me/.kube/pki/ca.crt", "");
    expect_part(&kc.cert, "/home/me/.kube/config:24: client-certificate", "/abs/me.crt", "");
    expect_part(&kc.key, "/home/me/.kube/config:25: client-key", "/home/me/.kube/me.key", "");
    expect_part(&kc.token, "/home/me/.kube/config:26: tokenFile", "/home/me/.kube/me.token", "");
    kubeconfig_release(&kc);
    cr_expect(!kc.server && !kc.ca.origin && !kc.token.data.data, "nothing is left");
}

Test(kubeconfig, reads_inline_data)
{
    struct kubeconfig kc;
    struct err err = {""};

    cr_assert_eq(parse(&kc, "config",
                       with(SERVER "\n    certificate-authority: unused\n    certificate-authority-data: Y2E=",
                            "client-certificate-data: |\n      Y2Vy\n      dA==\n    client-key-data: a2V5\n    "
                            "token: " SECRET),
                       &err),
                 0, "%s", err.text);
    expect_part(&kc.ca, "config:10: certificate-authority-data", NULL, "ca");
    expect_part(&kc.cert, "config:14: client-certificate-data", NULL, "cert");
    expect_part(&kc.key, "config:17: client-key-data", NULL, "key");
    expect_part(&kc.token, "config:18: token", NULL, SECRET);
    cr_expect(!kc.namespace && !kc.tls_server_name);
    kubeconfig_release(&kc);
}

Test(kubeconfig, reads_json)
{
    static const char text[] = "{\"kind\":\"Config\",\"current-context\":\"a\",\n\"contexts\":[{\"name\":"
                               "\"a\",\"context\":{\"cluster\":\"b\","
                               "\"user\":\"\"}}],\n\"users\":null,\"clusters\":[{\"name\":\"b\",\"cluster\":{"
                               "\"server\":\"http://127.0.0.1:8001\","
                               "\"insecure-skip-tls-verify\":true}}]}";
    struct kubeconfig kc;
    struct err err = {""};

    cr_assert_eq(parse(&kc, "config", text, &err), 0, "%s", err.text);
    cr_expect_str_eq(kc.server, "http://127.0.0.1:8001");
    cr_expect(kc.insecure && !kc.ca.origin && !kc.token.origin && !kc.cert.origin && !kc.key.origin);
    kubeconfig_release(&kc);
}

Test(kubeconfig, servers)
{
    static const struct {
        const char *text, *server; /* NULL: refused */
    } cases[] = {
        {"https://10.0.0.1", "https://10.0.0.1"},
        {"https://[::1]:6443", "https://[::1]:6443"},
        {"https://a_b.c-d:1/k8s/clusters/c-1//", "https://a_b.c-d:1/k8s/clusters/c-1"},
        {"http://localhost:8001", "http://localhost:8001"},
        {"http://[::1]:8001/", "http://[::1]:8001"},
        {"http://10.0.0.1:8080", NULL},
        {"http://127.example:80", NULL},
        {"10.0.0.1:6443", NULL},
        {"ftp://10.0.0.1", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"https://[::1", NULL},
        {"https://[fe80::1%eth0]", NULL},
        {"https://h:0", NULL},
        {"https://h:65536", NULL},
        {"https://h:", NULL},
        {"https://h:1x", NULL},
        {"https://user@h", NULL},
        {"https://h/a?b", NULL},
        {"https://h/a#b", NULL},
        {"https://h/a b", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kubeconfig kc;
        struct err err = {""};
        char line[128];

        snprintf(line, sizeof(line), "server: \"%s\"", cases[i].text);
        if (parse(&kc, "config", with(line, "token: t"), &err) != 0) {
            cr_expect(!cases[i].server && strstr(err.text, "config:8: server: "), "%s: %s", cases[i].text, err.text);
            continue;
        }
        cr_expect(cases[i].server && strcmp(kc.server, cases[i].server) == 0, "%s: %s", cases[i].text, kc.server);
        kubeconfig_release(&kc);
    }
}

/* ---- errors ---- */

static void expect_error(const char *text, const char *begin, const char *detail)
{
    struct kubeconfig kc;
    struct err err = {""};

    cr_assert_neq(parse(&kc, "config", text, &err), 0, "should be refused: %s", text);
    cr_expect(strncmp(err.text, begin, strlen(begin)) == 0 && strstr(err.text, detail), "%s (expected %s ... %s)",
              err.text, begin, detail);
    cr_expect_not(strstr(err.text, "s3cr"), "shows a secret: %s", err.text);
}

Test(kubeconfig, errors_of_values_name_line_and_key)
{
    static const struct {
        const char *cluster, *user, *begin, *detail;
    } cases[] = {
        {"server: ''", "token: t", "config: cluster \"c\" has no server", ""},
        {SERVER "\n    proxy-url: http://p:3128", "token: t", "config:9: proxy-url: ", "proxy"},
        {SERVER "\n    tls-server-name: a/b", "token: t", "config:9: tls-server-name: ", "DNS name"},
        {SERVER "\n    insecure-skip-tls-verify: maybe", "token: t",
         "config:9: insecure-skip-tls-verify: ", "true or false"},
        {SERVER "\n    insecure-skip-tls-verify: true\n    certificate-authority: ca", "token: t",
         "config:9: insecure-skip-tls-verify: ", "certificate-authority"},
        {SERVER "\n    certificate-authority-data: Y2E", "token: t",
         "config:9: certificate-authority-data: ", "base64"},
        {SERVER "\n    certificate-authority-data: Y=E=", "token: t",
         "config:9: certificate-authority-data: ", "base64"},
        {SERVER "\n    certificate-authority-data: Y2E-", "token: t",
         "config:9: certificate-authority-data: ", "base64"},
        {SERVER "\n    certificate-authority-data: '===='", "token: t",
         "config:9: certificate-authority-data: ", "base64"},
        {SERVER "\n    server: x", "token: t", "config:9: server: ", "twice"},
        {SERVER "\n    server: [x]", "token: t", "config:9: server: ", "twice"},
        {"server: [x]", "token: t", "config:8: server: ", "single value"},
        {"server: &a x", "token: t", "config:8: server: ", "anchors"},
        {SERVER, "token: \"s3cr 3t\"", "config:12: token: ", "one word"},
        {SERVER, "token: \"s3cr\\xe93t\"", "config:12: token: ", "one word"},
        {SERVER, "token: \"s3cr\\0\"", "config:12: token: ", "NUL"},
        {SERVER, "token: {s3cr: 3t}", "config:12: token: ", "single value"},
        {SERVER, "client-key-data: s3cr!", "config:12: client-key-data: ", "base64"},
        {SERVER, "client-key-data: s3cr", "config:12: client-key-data: ", "client-certificate"},
        {SERVER, "client-certificate: crt", "config:12: client-certificate: ", "client-key"},
        {SERVER, "token: s3cr3t\n    username: me", "config:13: username: ", "token"},
        {SERVER, "password: s3cr3t", "config:12: password: ", "token"},
        {SERVER, "exec: {command: aws, env: [{name: a, value: s3cr3t}]}", "config:12: exec: ", "create token"},
        {SERVER, "auth-provider: {name: gcp}", "config:12: auth-provider: ", "create token"},
        {SERVER, "as: root", "config:12: as: ", "impersonation"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_error(with(cases[i].cluster, cases[i].user), cases[i].begin, cases[i].detail);
}

Test(kubeconfig, errors_of_the_shape)
{
    static const struct {
        const char *text, *begin, *detail;
    } cases[] = {
        {"", "config: current-context: is required", ""},
        {"current-context: \"\"\n", "config: current-context: is required", ""},
        {"current-context: a\n", "config:1: current-context: ", "no context \"a\""},
        {"x: 1\ncurrent-context: [a]\n", "config:2: current-context: ", "single value"},
        {"[a]\n", "config:1: ", "mapping"},
        {"a: 1\n---\nb: 2\n", "config:2: ", "one document"},
        {"a: 'x\n", "config:", "not valid YAML"},
        {"a: \"\xff\"\n", "config:", "not valid YAML"},
        {"? [a]\n: b\n", "config:1: a key: ", "single value"},
        {"users: {a: b}\n", "config:1: users: ", "list"},
        {"users:\n- a\n", "config:2: users: ", "mapping"},
        {"users:\n- user: {}\n", "config:2: users: ", "no name"},
        {"users:\n- name: a\n  user: b\n", "config:3: user: ", "mapping"},
        {"users: []\nusers: []\n", "config:2: users: ", "twice"},
        {"users:\n- name: a\n  name: b\n", "config:3: name: ", "twice"},
        {"users:\n- name: a\n- {name: b}\n- {name: a}\n", "config:4: users: ", "same name"},
        {"current-context: a\ncontexts:\n- {name: a}\n", "config: context \"a\" has no cluster", ""},
        {"current-context: a\ncontexts:\n- {name: a, context: {cluster: b}}\n",
         "config:3: cluster: ", "no cluster \"b\""},
        {"current-context: a\ncontexts:\n- {name: a, context: {cluster: b, user: c}}\nclusters: [{name: "
         "b}]\n",
         "config:3: user: ", "no user \"c\""},
        {"current-context: a\ncontexts:\n- {name: a, context: {cluster: b}}\nclusters: [{name: b, cluster: "
         "~}]\n",
         "config: cluster \"b\" has no server", ""},
        {"current-context: *a\n", "config:", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_error(cases[i].text, cases[i].begin, cases[i].detail);
}

/* An end anywhere is an error or the same as before, and never a byte too far. */
Test(kubeconfig, may_end_anywhere)
{
    for (size_t len = 0; len < sizeof(whole) - 1; len++) {
        struct kubeconfig_text one = {"config", guarded(whole, len), len};
        struct kubeconfig kc;
        struct err err = {""};

        if (kubeconfig_parse(&kc, &one, 1, &err) == 0)
            kubeconfig_release(&kc);
        else
            cr_expect(strncmp(err.text, "config:", 7) == 0, "%zu: %s", len, err.text);
    }
}

Test(kubeconfig, entries_are_limited)
{
    struct buf text;
    struct kubeconfig kc;
    struct err err = {""};

    buf_init(&text, KUBECONFIG_MAX_BYTES);
    buf_add_str(&text, "current-context: c\nusers:\n");
    for (int i = 0; i < KUBECONFIG_MAX_ENTRIES; i++)
        buf_addf(&text, "- {name: u%d}\n", i);
    expect_error(buf_str(&text), "config:1: current-context: ", "no context");
    buf_addf(&text, "- {name: more}\n");
    cr_assert_not(text.failed);
    cr_expect_neq(parse(&kc, "config", buf_str(&text), &err), 0);
    cr_expect_str_eq(err.text, "config:4099: more than 4096 clusters, contexts and users");
    buf_release(&text);
}

/* ---- several files ---- */

Test(kubeconfig, the_first_file_counts)
{
    static const char first[] = "clusters: [{name: c, cluster: {server: 'https://one', certificate-authority: ca}}]\n"
                                "users: [{name: u, user: ~}]\n";
    static const char second[] = "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
                                 "users: [{name: u, user: {token: unused}}]\n";
    static const char third[] =
        "current-context: y\nclusters: [{name: c, cluster: {server: 'https://three'}}]\n"
        "contexts: [{name: x, context: {cluster: none}}, {name: y, context: {cluster: none}}]\n";
    struct kubeconfig_text texts[] = {{"/a/one", first, sizeof(first) - 1},
                                      {"/b/two", second, sizeof(second) - 1},
                                      {"/c/3", third, sizeof(third) - 1}};
    struct kubeconfig kc;
    struct err err = {""};

    cr_assert_eq(kubeconfig_parse(&kc, texts, 3, &err), 0, "%s", err.text);
    cr_expect_str_eq(kc.server, "https://one");
    cr_expect_str_eq(kc.ca.path, "/a/ca");
    cr_expect_null(kc.token.origin, "the user of the first file has none");
    kubeconfig_release(&kc);
    cr_expect_neq(kubeconfig_parse(&kc, texts, 1, &err), 0);
    cr_expect_str_eq(err.text, "/a/one: current-context: is required");
    cr_expect_neq(kubeconfig_parse(&kc, texts + 2, 1, &err), 0);
    cr_expect_str_eq(err.text, "/c/3:3: cluster: there is no cluster \"none\"");
}

static char folder[] = "/tmp/test-kubeconfig.XXXXXX";

static void write_file(const char *name, const char *text, size_t times)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "we");
    cr_assert(f);
    for (size_t i = 0; i < times; i++)
        fputs(text, f);
    fclose(f);
}

static void make_folder(void)
{
    cr_assert(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    write_file("whole", whole, 1);
    write_file("large", "# comment\n", KUBECONFIG_MAX_BYTES / 10 + 1);
    write_file("empty", "", 1);
}

static void remove_folder(void)
{
    static const char *const names[] = {"whole", "large", "empty"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(names[i]);
    cr_assert_eq(chdir("/"), 0);
    rmdir(folder);
}

Test(kubeconfig, reads_files, .init = make_folder, .fini = remove_folder)
{
    struct kubeconfig kc;
    struct err err = {""};

    cr_assert_eq(kubeconfig_read(&kc, "whole", &err), 0, "%s", err.text);
    cr_expect_str_eq(kc.ca.path, "pki/ca.crt");
    kubeconfig_release(&kc);
    cr_assert_eq(kubeconfig_read_list(&kc, ":none/at/all:./empty:./whole:", &err), 0, "%s", err.text);
    cr_expect_str_eq(kc.ca.path, "./pki/ca.crt");
    kubeconfig_release(&kc);
    cr_expect_neq(kubeconfig_read(&kc, "none", &err), 0);
    cr_expect(strstr(err.text, "none: No such file"), "%s", err.text);
    cr_expect_neq(kubeconfig_read_list(&kc, "none:nowhere", &err), 0);
    cr_expect_str_eq(err.text, "none:nowhere: there is no such file");
    cr_expect_neq(kubeconfig_read_list(&kc, "whole:large", &err), 0);
    cr_expect(strstr(err.text, "large: larger than 1048576 bytes"), "%s", err.text);
    cr_expect_neq(kubeconfig_read_list(&kc, ".", &err), 0);
    cr_expect(strstr(err.text, "not a regular file"), "%s", err.text);
}

Test(kubeconfig, files_are_limited, .init = make_folder, .fini = remove_folder)
{
    struct kubeconfig kc;
    struct err err = {""};
    struct buf list;

    buf_init(&list, 65536);
    for (int i = 0; i < KUBECONFIG_MAX_FILES; i++)
        buf_add_str(&list, "whole:");
    cr_expect_eq(kubeconfig_read_list(&kc, buf_str(&list), &err), 0, "%s", err.text);
    kubeconfig_release(&kc);
    buf_add_str(&list, "whole");
    cr_expect_neq(kubeconfig_read_list(&kc, buf_str(&list), &err), 0);
    cr_expect_str_eq(err.text, "more than 16 files");
    buf_clear(&list);
    for (int i = 0; i < 5000; i++)
        buf_add_char(&list, 'x');
    cr_expect_neq(kubeconfig_read_list(&kc, buf_str(&list), &err), 0);
    cr_expect_str_eq(err.text, "too long a path");
    buf_release(&list);
}
