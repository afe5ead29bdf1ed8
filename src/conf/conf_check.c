/* SPDX-License-Identifier: MIT */
/* What one value can't tell: required keys, values that must fit together, and what is better known. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/addr.h>
#include <syncer/base/macros.h>

#include "key.h"

PRINTF_LIKE(2, 3) static void note(struct conf_notes *notes, const char *fmt, ...)
{
    va_list args;

    if (notes->n == CONF_MAX_NOTES)
        return;
    va_start(args, fmt);
    vsnprintf(notes->items[notes->n].text, ERR_TEXT_BYTES, fmt, args);
    va_end(args);
    notes->n++;
}

static bool all_of(const char *text, const char *set)
{
    return strspn(text, set) == strlen(text);
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* As the name of a Service must be, and so the value of a label (RFC 1035). */
static bool is_service(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 63 && all_of(name, "abcdefghijklmnopqrstuvwxyz0123456789-") && name[0] != '-' &&
           name[len - 1] != '-';
}

static int check_source(struct conf *conf, bool in_cluster, struct err *err)
{
    bool chosen = conf->pods != CONF_PODS_AUTO;

    if (!chosen)
        conf->pods = in_cluster || conf->kubeconfig ? CONF_PODS_KUBERNETES : CONF_PODS_STATIC;
    if (conf->pods == CONF_PODS_KUBERNETES && !conf->deployment)
        return err_set(err, "deployment: is required where pods come from kubernetes");
    if (conf->pods == CONF_PODS_STATIC && conf->n_static_pods == 0)
        return err_set(err, "static: a list of {name, address, port} is required where pods are static%s",
                       chosen ? "" : ", as outside of a cluster unless `kubeconfig` or `pods` says otherwise");
    if (conf->pods == CONF_PODS_ENDPOINTSLICES && (!conf->service || !is_service(conf->service)))
        return err_set(
            err, "service: the name of a Service is required where pods come from endpointslices, such as gateway");
    return 0;
}

/* A DNS name of at most 253 characters, with a dot at its end or not: labels of 1 to 63. */
static bool is_dns_name(const char *name)
{
    size_t len = strlen(name), label = 0;

    if (len > 254 || (len == 254 && name[253] != '.') || !all_of(name, ALNUM "-_."))
        return false;
    for (const char *c = name; *c; c++) {
        label = *c == '.' ? 0 : label + 1;
        if (label > 63 || (*c == '.' && (c == name || c[-1] == '.')))
            return false;
    }
    return len > 0;
}

static int check_dns(const struct conf *conf, struct err *err)
{
    struct addr addr;
    uint16_t port;

    if (conf->pods == CONF_PODS_DNS && !conf->service)
        return err_set(err, "service: is required where pods come from dns");
    if (conf->pods == CONF_PODS_DNS && !is_dns_name(conf->service))
        return err_set(err, "service: \"%.60s\" should be a DNS name, such as gw.gateways.svc", conf->service);
    if (conf->resolver && addr_parse_port(&addr, &port, conf->resolver) != 0)
        return err_set(err, "resolver: \"%.60s\" should be ADDRESS, ADDRESS:PORT or [IPv6]:PORT", conf->resolver);
    return 0;
}

static int check_static(const struct conf *conf, struct err *err)
{
    for (size_t i = 0; i < conf->n_static_pods; i++) {
        const struct conf_static_pod *a = &conf->static_pods[i];

        if (!all_of(a->name, ALNUM "-."))
            return err_set(err, "static: \"%.60s\" should be a DNS-1123 name", a->name);
        for (size_t j = 0; j < i; j++) {
            const struct conf_static_pod *b = &conf->static_pods[j];

            if (strcmp(a->name, b->name) == 0)
                return err_set(err, "static: %.60s is there twice", a->name);
            if (addr_equal(&a->address, &b->address) && a->port == b->port)
                return err_set(err, "static: %.60s and %.60s have the same address", b->name, a->name);
        }
    }
    return 0;
}

static int check_probe(const struct conf *conf, struct err *err)
{
    if (!conf->host)
        return err_set(err, "host: is required: the Host of the probes");
    if (!all_of(conf->host, ALNUM "-._") || strlen(conf->host) > 253)
        return err_set(err, "host: \"%.60s\" should be a DNS name without port", conf->host);
    if (!conf->path)
        return err_set(err, "path: is required: the probe location on the pods");
    if (conf->path[0] != '/' || !all_of(conf->path, ALNUM "-._~!$&'()*+,;=:@/?%"))
        return err_set(err, "path: \"%.60s\" should begin with / and have no blank", conf->path);
    if (!all_of(conf->cookie, ALNUM "!#$%&'*+-.^_`|~"))
        return err_set(err, "cookie: \"%.60s\" should be a token (RFC 9110)", conf->cookie);
    if (conf->synced_max_age_ms % 1000 != 0)
        return err_set(err, "synced_max_age: %" PRId64 "ms should be whole seconds, such as 60s",
                       conf->synced_max_age_ms);
    if (!conf->tls_cert != !conf->tls_key)
        return err_set(err, "%s: is required beside %s", conf->tls_cert ? "tls_key" : "tls_cert",
                       conf->tls_cert ? "tls_cert" : "tls_key");
    return 0;
}

static bool is_local(const char *listen)
{
    return strncmp(listen, "unix:", 5) == 0 || strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0;
}

static int check_listen_tls(const struct conf *conf, struct err *err)
{
    if (!conf->listen_tls_cert != !conf->listen_tls_key)
        return err_set(err, "%s: is required beside %s", conf->listen_tls_cert ? "listen_tls_key" : "listen_tls_cert",
                       conf->listen_tls_cert ? "listen_tls_cert" : "listen_tls_key");
    if (conf->listen_tls_client_ca && !conf->listen_tls_cert)
        return err_set(err, "listen_tls_cert: is required beside listen_tls_client_ca");
    return 0;
}

static int check_allow(const struct conf *conf, struct conf_notes *notes, struct err *err)
{
    bool any = false, low_bits, local = true;
    struct addr_range range;

    for (size_t i = 0; i < conf->allow.n; i++) {
        const char *who = conf->allow.items[i];

        any |= strcmp(who, "any") == 0;
        if (strcmp(who, "any") == 0 || strcmp(who, "pods") == 0 || addr_range_parse(&range, who, &low_bits) == 0)
            continue;
        return err_set(err, "allow: \"%.60s\" should be %s", who,
                       low_bits ? "a network: bits behind the prefix should be zero"
                                : "any, pods, an address or a CIDR");
    }
    if (any && conf->allow.n > 1)
        return err_set(err, "allow: any leaves nothing for other values to say");
    for (size_t i = 0; i < conf->listen.n; i++)
        local &= is_local(conf->listen.items[i]);
    if (any && !local)
        note(notes, "allow is any: whoever reaches `listen` may ask whether a token is known; pods or a list of CIDRs "
                    "would keep others out");
    return 0;
}

static void check_times(const struct conf *conf, struct conf_notes *notes)
{
    int64_t patience = conf_patience_ms(conf);

    if (conf->request_deadline_ms < conf->connection_timeout_ms + CONF_DEADLINE_MARGIN_MS)
        note(notes,
             "request_deadline (%" PRId64 " ms) is less than connection_timeout + %d ms: a probe may outlast it, and "
             "such checks end as Timeout",
             conf->request_deadline_ms, CONF_DEADLINE_MARGIN_MS);
    else if (patience * 10 < conf->zone_sync_interval_ms * 12)
        note(notes,
             "a check is patient for %" PRId64 " ms only, less than 1.2 x zone_sync_interval (%" PRId64
             " ms): healthy logins can come out as NotSynced; raise retries, sync_timeout or request_deadline",
             patience, conf->zone_sync_interval_ms);
}

int conf_check(struct conf *conf, bool in_cluster, struct conf_notes *notes, struct err *err)
{
    if (check_source(conf, in_cluster, err) != 0 || check_static(conf, err) != 0 || check_dns(conf, err) != 0 ||
        check_probe(conf, err) != 0 || check_listen_tls(conf, err) != 0 || check_allow(conf, notes, err) != 0)
        return -1;
    check_times(conf, notes);
    if (conf->scheme == CONF_SCHEME_HTTP)
        note(notes, "scheme is http: tokens travel in clear and nothing proves who answers");
    else if (!conf->tls_verify)
        note(notes, "tls_verify is false: nothing proves who answers the probes");
    if (conf->core_dumps)
        note(notes, "core_dumps is true: a core file holds the tokens that were in use");
    return 0;
}
