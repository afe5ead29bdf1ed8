/* SPDX-License-Identifier: MIT */
/* The way to the API server: which of the four it is, what is read anew, and what stays when that can't be
 * read. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>

#include "../../../src/pods/kube_access.h"

TestSuite(kube_access, .timeout = 30);

static char folder[] = "/tmp/test-kube-access.XXXXXX";
static struct conf conf;
static const char *const names[] = {"config", "other", "token", "ca.crt", "namespace", "cert", "key", ".kube/config"};

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "we");
    cr_assert(f && fputs(text, f) >= 0);
    fclose(f);
}

/* A self-signed certificate and its key. */
static void make_pair(const char *cert_name, const char *key_name)
{
    static long serial;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    char path[128];
    FILE *f;

    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    cr_assert(X509_sign(cert, key, EVP_sha256()) > 0);
    snprintf(path, sizeof(path), "%s/%s", folder, cert_name);
    f = fopen(path, "we");
    cr_assert(f && PEM_write_X509(f, cert));
    fclose(f);
    if (key_name) {
        snprintf(path, sizeof(path), "%s/%s", folder, key_name);
        f = fopen(path, "we");
        cr_assert(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
        fclose(f);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* In place of what `conf` has. */
static void set(char **field, const char *text)
{
    free(*field);
    *field = text ? strdup(text) : NULL;
}

static void set_path(char **field, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    set(field, path);
}

static void write_config(const char *name, const char *cluster, const char *user)
{
    char text[4096];

    snprintf(text, sizeof(text),
             "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u, namespace: from-context}}]\n"
             "clusters: [{name: c, cluster: {%s}}]\nusers: [{name: u, user: {%s}}]\n",
             cluster, user);
    write_file(name, text);
}

static void setup(void)
{
    char path[128];

    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/.kube", folder);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(conf_init(&conf, NULL), 0);
    set(&conf.serviceaccount_dir, folder);
    write_file("token", "token-1\n");
    write_file("namespace", "from-mount");
    make_pair("ca.crt", NULL);
    make_pair("cert", "key");
    setenv("HOME", "/nonexistent", 1);
    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
}

static void teardown(void)
{
    char path[128];

    conf_free(&conf);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/.kube", folder);
    rmdir(path);
    rmdir(folder);
}

#define WITH_FOLDER .init = setup, .fini = teardown

static struct kube_access *find(void)
{
    struct err err = {""};
    struct kube_access *access = kube_access_new(&conf, &err);

    cr_assert(access, "%s", err.text);
    return access;
}

static void expect_url(const char *url)
{
    struct kube_access *access = find();

    cr_expect_str_eq(kube_access_url(access), url);
    kube_access_free(access);
}

static void expect_error(const char *detail)
{
    struct err err = {""};

    cr_assert_null(kube_access_new(&conf, &err), "should fail: %s", detail);
    cr_expect(strstr(err.text, detail), "%s (expected %s)", err.text, detail);
}

static void expect_token(const struct kube_access *access, const char *expected)
{
    struct err err = {""};
    struct buf token;

    buf_init(&token, KUBE_TOKEN_MAX_BYTES);
    cr_assert_eq(kube_access_token(access, &token, &err), 0, "%s", err.text);
    cr_expect_str_eq(buf_str(&token), expected);
    buf_wipe(&token);
}

/* ---- which ---- */

Test(kube_access, the_nearest_counts, WITH_FOLDER)
{
    char path[128];

    expect_error("pods: static");
    setenv("HOME", folder, 1);
    expect_error("pods: static");
    write_config(".kube/config", "server: 'https://home'", "token: t");
    expect_url("https://home");
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    expect_url("https://10.0.0.1:443");
    write_config("other", "server: 'https://variable'", "token: t");
    snprintf(path, sizeof(path), "/nonexistent:%s/other", folder);
    setenv("KUBECONFIG", path, 1);
    expect_url("https://variable");
    write_config("config", "server: 'https://setting'", "token: t");
    set_path(&conf.kubeconfig, "config");
    expect_url("https://setting");
    set(&conf.kubeconfig, "/nonexistent");
    expect_error("kubeconfig: /nonexistent: No such file");
    set(&conf.kubeconfig, NULL);
    setenv("KUBECONFIG", "/nonexistent", 1);
    expect_error("KUBECONFIG: /nonexistent: there is no such file");
    setenv("KUBECONFIG", "", 1);
    expect_url("https://10.0.0.1:443");
}

Test(kube_access, a_mount, WITH_FOLDER)
{
    struct kube_access *access;

    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    access = find();
    cr_expect_str_eq(kube_access_url(access), "https://[fd00::1]:443");
    cr_expect_str_eq(kube_access_namespace(access), "from-mount");
    cr_expect(!kube_access_server_name(access) && !kube_access_warning(access)[0] && kube_access_trust(access));
    cr_expect(strstr(kube_access_ca_name(access), "/ca.crt"));
    expect_token(access, "token-1");
    write_file("token", "token-2");
    expect_token(access, "token-2");
    kube_access_free(access);
    setenv("KUBERNETES_SERVICE_HOST", "kubernetes.default", 1);
    write_file("namespace", "");
    expect_error("serviceaccount_dir: ");
    set(&conf.namespace, "gw"); /* then nobody asks the mount */
    expect_url("https://kubernetes.default:443");
    unsetenv("KUBERNETES_SERVICE_PORT");
    expect_error("KUBERNETES_SERVICE_PORT is not set");
}

Test(kube_access, a_kubeconfig, WITH_FOLDER)
{
    struct kube_access *access;

    write_config("config", "server: 'https://h:1/p', certificate-authority: ca.crt, tls-server-name: name",
                 "tokenFile: token, client-certificate: cert, client-key: key");
    set_path(&conf.kubeconfig, "config");
    access = find();
    cr_expect_str_eq(kube_access_namespace(access), "from-context");
    cr_expect_str_eq(kube_access_server_name(access), "name");
    expect_token(access, "token-1");
    kube_access_free(access);
}

Test(kube_access, what_proves_nothing_is_warned_about, WITH_FOLDER)
{
    struct kube_access *access;

    set_path(&conf.kubeconfig, "config");
    write_config("config", "server: 'https://h', insecure-skip-tls-verify: true", "token: t");
    access = find();
    cr_expect(strstr(kube_access_warning(access), "insecure-skip-tls-verify"), "%s", kube_access_warning(access));
    kube_access_free(access);
    write_config("config", "server: 'http://127.0.0.1:8001'", "token: t");
    access = find();
    cr_expect(strstr(kube_access_warning(access), "not https"), "%s", kube_access_warning(access));
    cr_expect_null(kube_access_trust(access));
    expect_token(access, ""); /* never in clear */
    kube_access_free(access);
}

/* ---- what is read anew ---- */

static bool refreshes(struct kube_access *access, bool changed, const char *reason)
{
    struct err err = {""};
    bool did;
    int rc = kube_access_refresh(access, &did, &err);

    if (reason)
        cr_expect(rc != 0 && strstr(err.text, reason), "%s (expected %s)", err.text, reason);
    else
        cr_expect(rc == 0 && did == changed, "%s", err.text);
    return did;
}

Test(kube_access, files_are_read_anew, WITH_FOLDER)
{
    static const char *const files[] = {"ca.crt", "cert", "key"};
    struct kube_access *access;
    struct trust *before;

    write_config("config", "server: 'https://h', certificate-authority: ca.crt",
                 "client-certificate: cert, client-key: key");
    set_path(&conf.kubeconfig, "config");
    access = find();
    before = kube_access_trust(access);
    refreshes(access, false, NULL);
    cr_expect_eq(kube_access_trust(access), before);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        write_file(files[i], "");
        refreshes(access, false, "is empty");
        write_file(files[i], "nothing\n");
        refreshes(access, false, files[i]);
        cr_expect_eq(kube_access_trust(access), before, "what was read before stays");
        make_pair("ca.crt", NULL);
        make_pair("cert", "key");
        refreshes(access, true, NULL);
        before = kube_access_trust(access);
    }
    make_pair("ca.crt", "key"); /* a key that belongs to another certificate */
    refreshes(access, false, "is not the key of ");
    kube_access_free(access);
}

Test(kube_access, a_refusal_has_the_kubeconfig_read_anew, WITH_FOLDER)
{
    struct kube_access *access;

    set_path(&conf.kubeconfig, "config");
    write_config("config", "server: 'https://h'", "token: one");
    access = find();
    write_config("config", "server: 'https://h'", "token: two");
    expect_token(access, "one");
    kube_access_refused(access);
    expect_token(access, "two");
    write_config("config", "server: 'https://elsewhere'", "token: three");
    kube_access_refused(access);
    expect_token(access, "two");
    write_file("config", "{");
    kube_access_refused(access);
    expect_token(access, "two");
    kube_access_free(access);
}

/* ---- errors ---- */

Test(kube_access, errors_name_the_file_and_who_names_it, WITH_FOLDER)
{
    static const struct {
        const char *cluster, *user, *detail;
    } cases[] = {
        {"server: 'https://h', certificate-authority: none", "token: t", "config:3: certificate-authority: /tmp/"},
        {"server: 'https://h', certificate-authority: key", "token: t", "/key: no start line"},
        {"server: 'https://h', certificate-authority-data: Y2E=", "token: t",
         "config:3: certificate-authority-data: no start line"},
        {"server: 'https://h'", "tokenFile: none", "config:4: tokenFile: /tmp/"},
        {"server: 'https://h'", "tokenFile: cert", "cert should be one word"},
        {"server: 'https://h'", "client-certificate: key, client-key: key", "config:4: client-certificate: "},
        {"server: 'https://h'", "client-certificate: cert, client-key-data: a2V5", "config:4: client-key-data: "},
        {"server: 'https://h'", "exec: {command: x}", "config:4: exec: "},
    };

    set_path(&conf.kubeconfig, "config");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        write_config("config", cases[i].cluster, cases[i].user);
        expect_error(cases[i].detail);
    }
}
