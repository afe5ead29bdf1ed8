/* SPDX-License-Identifier: MIT */
/*
 * What we find ourselves by a configuration: the list of pods, by the very source that the daemon would use, and what each
 * pod answers to a token that nobody has. Who we are towards the API server is what the environment says: run in syncer's own
 * pod, it is syncer.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/loop.h>
#include <syncer/base/random.h>
#include <syncer/net/fetch.h>
#include <syncer/pods/source.h>

#include "doctor.h"

#define LIST_MS 15000
#define ASKED_MAX 128 /* pods: each takes a descriptor or two */

struct looking {
    struct doctor *doctor;
    const struct conf *conf;
    struct loop *loop;
    struct loop_timer limit;
    struct source_pod *pods;
    size_t n;
    bool ended, listed; /* the read; it brought a list */
    struct err failure; /* of the read; "" = none */
};

static void on_limit(struct loop_timer *timer)
{
    loop_stop(container_of(timer, struct looking, limit)->loop);
}

/* ---- the list ---- */

static void on_begin(void *arg)
{
    (void)arg;
}

static void on_end(struct looking *l)
{
    l->ended = true;
    loop_stop(l->loop);
}

static void on_list(void *arg, const struct source_pod *pods, size_t n)
{
    struct looking *l = arg;

    free(l->pods);
    l->pods = calloc(n + 1, sizeof(*pods));
    l->listed = l->pods != NULL;
    l->doctor->failed = l->doctor->failed || !l->pods;
    l->n = l->pods ? n : 0;
    if (l->n > 0)
        memcpy(l->pods, pods, n * sizeof(*pods));
    on_end(l);
}

static void on_failed(void *arg, const struct source_failure *failure)
{
    struct looking *l = arg;

    l->failure = failure->reason;
    on_end(l);
}

/* Changes are not waited for, and what may be watched is doctor_rights.c's. */
static void on_update(void *arg, const struct source_pod *pods, size_t n)
{
    (void)arg, (void)pods, (void)n;
}

static void on_watch(void *arg, const struct source_watch *watch)
{
    (void)arg, (void)watch;
}

static void on_notice(void *arg, const char *what, const char *reason)
{
    (void)arg, (void)what, (void)reason;
}

static void say_list(struct looking *l, const char *source)
{
    if (!l->ended)
        doctor_say(l->doctor, DOCTOR_BAD, "own list", NULL, "%s: no answer in %d s", source, LIST_MS / 1000);
    else if (!l->listed)
        doctor_say(l->doctor, DOCTOR_BAD, "own list",
                   l->conf->pods == CONF_PODS_KUBERNETES || l->conf->pods == CONF_PODS_ENDPOINTSLICES
                       ? "roles/ has what a Role needs; in syncer's own pod, this is asked as syncer"
                       : NULL,
                   "%s: %s", source, l->failure.text);
    else
        doctor_say(l->doctor, DOCTOR_GOOD, "own list", NULL, "%s can be read", source);
}

static void read_list(struct looking *l)
{
    static const struct source_events events = {.on_begin = on_begin,
                                                .on_list = on_list,
                                                .on_failed = on_failed,
                                                .on_update = on_update,
                                                .on_watch = on_watch,
                                                .on_notice = on_notice};
    struct source_settings settings = {
        .conf = l->conf, .user_agent = CTL_USER_AGENT, .loop = l->loop, .events = &events, .arg = l};
    struct source *source;
    struct err err;

    source = source_new(&settings, &err);
    if (!source) {
        doctor_say(l->doctor, DOCTOR_BAD, "own list", NULL, "%s", err.text);
        return;
    }
    loop_timer_set(&l->limit, clock_now_ns() + LIST_MS * NS_PER_MS);
    loop_run(l->loop, NULL);
    loop_timer_cancel(&l->limit);
    if (source_warning(source)[0])
        doctor_say(l->doctor, DOCTOR_WARN, "own list", NULL, "%s", source_warning(source));
    say_list(l, source_describe(source));
    source_free(source);
}

static void say_pods(struct looking *l)
{
    static const char *const states[] = {
        [SOURCE_PENDING] = "pending",         [SOURCE_READY] = "ready",   [SOURCE_UNREADY] = "unready",
        [SOURCE_TERMINATING] = "terminating", [SOURCE_FAILED] = "failed", [SOURCE_UNKNOWN] = "unknown",
    };
    struct doctor_pod *pods = calloc(l->n + 1, sizeof(*pods));

    if (!pods) {
        l->doctor->failed = true;
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        snprintf(pods[i].name, sizeof(pods[i].name), "%s", l->pods[i].name);
        snprintf(pods[i].state, sizeof(pods[i].state), "%s", states[l->pods[i].state]);
        pods[i].counts = l->pods[i].counts;
    }
    doctor_say_pods(l->doctor, "own list", pods, l->n);
    free(pods);
}

/* ---- the pods ---- */

struct asking;

struct asked_pod {
    struct asking *asking;
    const struct source_pod *pod;
    struct fetch *fetch;
    struct peer peer; /* what came of it */
    int64_t expires_s;
};

struct asking {
    struct looking *looking;
    size_t n, left; /* asked, and without an answer yet */
    struct asked_pod pods[ASKED_MAX];
};

static void on_head(void *arg, int status, const char *content_type)
{
    (void)arg, (void)status, (void)content_type;
}

static int on_data(void *arg, const char *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    return 0;
}

static const char *result_of(const struct fetch_result *result)
{
    static const char *const names[] = {
        [FETCH_NO_CONNECT] = "connect", [FETCH_TLS] = "tls",        [FETCH_TIMEOUT] = "timeout",
        [FETCH_BROKEN] = "broken",      [FETCH_REFUSED] = "broken", [FETCH_LOCAL] = "short",
    };

    if (result->end != FETCH_COMPLETE)
        return names[result->end];
    return result->status == 401 ? "absent" : result->status == 200 ? "unprotected" : "status";
}

static void on_done(void *arg, const struct fetch_result *result)
{
    struct asked_pod *asked = arg;
    struct peer *peer = &asked->peer;

    *peer = (struct peer){.code = result->status};
    snprintf(peer->name, sizeof(peer->name), "%s", asked->pod->name);
    snprintf(peer->result, sizeof(peer->result), "%s", result_of(result));
    snprintf(peer->reason, sizeof(peer->reason), "%s", result->reason);
    asked->expires_s = result->certificate_expires_s;
    if (--asked->asking->left == 0)
        loop_stop(asked->asking->looking->loop);
}

static int start_one(struct asked_pod *asked, struct fetcher *fetcher, struct trust *trust, struct err *err)
{
    static const struct fetch_events events = {.on_head = on_head, .on_data = on_data, .on_done = on_done};
    const struct conf *conf = asked->asking->looking->conf;
    bool tls = conf->scheme == CONF_SCHEME_HTTPS;
    char addr[ADDR_TEXT_BYTES], url[2048], host[512], cookie[512], hex[RANDOM_HEX_BYTES(16)];
    const char *const fields[] = {host, cookie, NULL};
    struct fetch_request request = {
        .url = url,
        .accept = "*/*",
        .fields = fields,
        .trust = trust,
        .server_name = !tls                    ? NULL
                       : conf->tls_server_name ? conf->tls_server_name
                                               : conf->host,
        .connect_timeout_ms = conf->connection_timeout_ms,
        .timeout_ms = 2 * conf->connection_timeout_ms, /* a handshake, and an answer */
    };

    random_hex(hex, 16);
    addr_format(&asked->pod->addr, addr);
    snprintf(url, sizeof(url), asked->pod->addr.family == 6 ? "%s://[%s]:%u%s" : "%s://%s:%u%s", tls ? "https" : "http",
             addr, (unsigned)asked->pod->port, conf->path);
    snprintf(host, sizeof(host), "Host: %s", conf->host);
    snprintf(cookie, sizeof(cookie), "Cookie: %s=syncerctl-doctor-%s", conf->cookie, hex);
    return fetch_start(fetcher, &request, &events, asked, &asked->fetch, err);
}

static void start_all(struct asking *a, struct fetcher *fetcher, struct trust *trust)
{
    const struct looking *l = a->looking;
    struct err err;

    for (size_t i = 0; i < l->n && a->n < ASKED_MAX; i++) {
        struct asked_pod *asked = &a->pods[a->n];

        if (!l->pods[i].counts)
            continue;
        *asked = (struct asked_pod){.asking = a, .pod = &l->pods[i]};
        if (start_one(asked, fetcher, trust, &err) < 0) {
            doctor_say(l->doctor, DOCTOR_BAD, "own probes", NULL, "%s: %s", l->pods[i].name, err.text);
            continue;
        }
        a->n++;
        a->left++;
    }
}

/* In the list's order. */
static void say_answers(struct looking *l, const struct asking *a)
{
    struct explain_groups *groups = calloc(1, sizeof(*groups));
    struct doctor_certificates certificates;

    if (!groups) {
        l->doctor->failed = true;
        return;
    }
    doctor_certificates_init(&certificates);
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->pods[i].peer.result, "absent") != 0)
            explain_groups_add(groups, &a->pods[i].peer);
        doctor_certificates_add(&certificates, a->pods[i].peer.name, a->pods[i].expires_s);
    }
    if (a->n == ASKED_MAX)
        doctor_say(l->doctor, DOCTOR_NOTE, "own probes", NULL, "only the first %d pods were asked", ASKED_MAX);
    doctor_say_probes(l->doctor, "own probes", groups, a->n);
    doctor_say_certificates(l->doctor, &certificates);
    free(groups);
}

static void ask_pods(struct looking *l, struct fetcher *fetcher, struct trust *trust)
{
    struct asking *a = calloc(1, sizeof(*a));

    if (!a) {
        l->doctor->failed = true;
        return;
    }
    a->looking = l;
    start_all(a, fetcher, trust);
    if (a->left > 0)
        loop_run(l->loop, NULL);
    say_answers(l, a);
    free(a);
}

static void look_at_each(struct looking *l)
{
    struct trust_settings settings = {.verify = l->conf->tls_verify,
                                      .ca_file = l->conf->tls_ca,
                                      .cert_file = l->conf->tls_cert,
                                      .key_file = l->conf->tls_key};
    struct trust *trust = NULL;
    struct fetcher *fetcher;
    struct err err;

    if (l->conf->scheme == CONF_SCHEME_HTTPS && !(trust = trust_new(&settings, &err))) {
        doctor_say(l->doctor, DOCTOR_BAD, "files", NULL, "%s", err.text);
        return;
    }
    fetcher = fetcher_new(l->loop, CTL_USER_AGENT, &err);
    if (fetcher)
        ask_pods(l, fetcher, trust);
    else
        l->doctor->failed = true;
    fetcher_free(fetcher);
    trust_free(trust);
}

void doctor_look_at_pods(struct doctor *doctor, const struct conf *conf)
{
    struct looking l = {.doctor = doctor, .conf = conf, .loop = loop_new(NULL)};

    if (!l.loop) {
        doctor->failed = true;
        return;
    }
    loop_timer_init(&l.limit, l.loop, LOOP_EARLY, on_limit);
    read_list(&l);
    if (l.listed) {
        say_pods(&l);
        look_at_each(&l);
    }
    free(l.pods);
    loop_free(l.loop);
}
