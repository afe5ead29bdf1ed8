/* SPDX-License-Identifier: MIT */
/* What is said of a fact, whether a server has told it or we have found it ourselves. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>

#include "doctor.h"

#define SOON_S (INT64_C(14) * 86400)
#define NAMES_MAX 5

static void add_name(struct names *names, const char *name)
{
    size_t len = strlen(names->text);

    if (names->n++ < NAMES_MAX)
        snprintf(names->text + len, sizeof(names->text) - len, "%s%.90s", len ? ", " : "", name);
}

/* " and 3 more", or nothing. */
static const char *more(const struct names *names, char out[32])
{
    out[0] = '\0';
    if (names->n > NAMES_MAX)
        snprintf(out, 32, " and %zu more", names->n - NAMES_MAX);
    return out;
}

/* ---- pods ---- */

/* Why a pod is left out, in the order in which it is looked for. */
static const struct {
    const char *state; /* NULL = whatever it is */
    const char *why, *remedy;
    enum doctor_level level;
} reasons[] = {
    {"pending", "has not been started yet", "kubectl describe pod says what it waits for", DOCTOR_NOTE},
    {"terminating", "is being deleted", NULL, DOCTOR_NOTE},
    {"unready", "is not ready",
     "kubectl describe pod says why its readiness probe fails; pod_filter: all counts it all the same", DOCTOR_WARN},
    {"failed", "has ended", "kubectl get pods says why", DOCTOR_NOTE},
    {"ready", "is of another revision", "pod_scope: deployment counts every revision, as traffic does", DOCTOR_NOTE},
    {NULL, "is in no known state", "kubectl get pods says more: does its node answer?", DOCTOR_WARN},
};

static size_t reason_of(const struct doctor_pod *pod)
{
    size_t i = 0;

    while (reasons[i].state && strcmp(reasons[i].state, pod->state) != 0)
        i++;
    return i;
}

static void say_left_out(struct doctor *doctor, const char *topic, const struct doctor_pod *pods, size_t n)
{
    struct names left[ARRAY_LEN(reasons)] = {{.n = 0}};
    char rest[32];

    for (size_t i = 0; i < n; i++)
        if (!pods[i].counts)
            add_name(&left[reason_of(&pods[i])], pods[i].name);
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (left[i].n > 0)
            doctor_say(doctor, reasons[i].level, topic, reasons[i].remedy, "left out: %s%s: %s", left[i].text,
                       more(&left[i], rest), reasons[i].why);
}

void doctor_say_pods(struct doctor *doctor, const char *topic, const struct doctor_pod *pods, size_t n)
{
    size_t counting = 0;

    for (size_t i = 0; i < n; i++)
        counting += pods[i].counts;
    if (n == 0)
        doctor_say(
            doctor, DOCTOR_BAD, topic,
            "is `deployment` or `service` the gateways', does its selector match their pods, are there replicas?",
            "the list of pods is empty: checks are refused with no-pods");
    else if (counting == 0)
        doctor_say(doctor, DOCTOR_BAD, topic, "a pod has to be ready before it can be asked",
                   "none of %zu pods counts: checks are refused with no-pods", n);
    else if (counting == 1)
        doctor_say(doctor, DOCTOR_WARN, topic, "with one gateway pod there is nothing to wait for: are these all?",
                   "1 of %zu pods counts", n);
    else
        doctor_say(doctor, DOCTOR_GOOD, topic, NULL, "%zu of %zu pods count", counting, n);
    say_left_out(doctor, topic, pods, n);
}

/* ---- the configuration ---- */

void doctor_say_patience(struct doctor *doctor, int64_t patience_ms, int64_t zone_sync_interval_ms)
{
    bool good = patience_ms * 10 >= zone_sync_interval_ms * 12;

    doctor_say(
        doctor, good ? DOCTOR_GOOD : DOCTOR_BAD, "patience",
        good ? NULL
             : "raise retries, sync_timeout or request_deadline; or lower zone_sync_interval on the gateways, and here",
        "a check is patient for %" PRId64 " ms, %s 1.2 x zone_sync_interval (%" PRId64 " ms)%s", patience_ms,
        good ? "at least" : "less than", zone_sync_interval_ms,
        good ? "" : ": healthy logins can come out as NotSynced");
}

void doctor_say_tls(struct doctor *doctor, const char *scheme, bool verify, const char *control_probe)
{
    if (strcmp(scheme, "http") == 0)
        doctor_say(doctor, DOCTOR_WARN, "tls", "scheme: https", "pods are asked by http: tokens travel in clear");
    else if (!verify)
        doctor_say(doctor, DOCTOR_WARN, "tls", "tls_verify: true, with tls_ca and tls_server_name",
                   "certificates are not verified: nothing proves who answers the probes");
    if (strcmp(control_probe, "off") == 0)
        doctor_say(doctor, DOCTOR_WARN, "control probe", "control_probe: warn",
                   "control probes are off: nobody would notice a probe location that accepts every token");
}

/* ---- certificates ---- */

void doctor_certificates_init(struct doctor_certificates *certificates)
{
    *certificates = (struct doctor_certificates){.now_s = clock_wall_ms() / 1000};
}

void doctor_certificates_add(struct doctor_certificates *certificates, const char *pod, int64_t expires_s)
{
    if (expires_s <= 0)
        return;
    if (expires_s <= certificates->now_s) {
        add_name(&certificates->expired, pod);
        return;
    }
    if (expires_s - certificates->now_s < SOON_S)
        add_name(&certificates->soon, pod);
    if (certificates->first_s == 0 || expires_s < certificates->first_s) {
        certificates->first_s = expires_s;
        snprintf(certificates->first, sizeof(certificates->first), "%s", pod);
    }
}

void doctor_say_certificates(struct doctor *doctor, const struct doctor_certificates *certificates)
{
    char at[CLOCK_ISO_BYTES] = "", rest[32];

    if (certificates->first_s > 0)
        clock_iso(certificates->first_s * 1000, at);
    if (certificates->expired.n > 0)
        doctor_say(doctor, DOCTOR_BAD, "certificates", "renew it, and reload nginx", "expired: %s%s",
                   certificates->expired.text, more(&certificates->expired, rest));
    if (certificates->soon.n > 0)
        doctor_say(doctor, DOCTOR_BAD, "certificates", "renew it, and reload nginx",
                   "less than 14 days left: %s%s; the first ends %.10s (%s)", certificates->soon.text,
                   more(&certificates->soon, rest), at, certificates->first);
    else if (certificates->first_s > 0)
        doctor_say(doctor, DOCTOR_GOOD, "certificates", NULL, "good until %.10s at least (%s)", at,
                   certificates->first);
}

/* ---- probes ---- */

static const struct {
    const char *result, *remedy;
} remedies[] = {
    {"status", "the probe location should say 200 to a known token and 401 to another one: contrib/nginx/probe.conf"},
    {"unprotected", "auth_jwt, or what stands for it, belongs into the probe location: contrib/nginx/probe.conf"},
    {"tls", "set tls_server_name to a name that the certificate has, and tls_ca to the CA that has signed it"},
    {"connect", "look at the pod, at `port`, and at network policies between syncer and the gateways"},
    {"down", "look at the pod, at `port`, and at network policies between syncer and the gateways"},
    {"timeout", "raise connection_timeout, or find out what holds the pod up"},
    {"cut", "raise connection_timeout, or find out what holds the pod up"},
    {"broken", "`port` should be the one of the gateways' https listener"},
};

static const char *remedy_of(const char *result)
{
    for (size_t i = 0; i < ARRAY_LEN(remedies); i++)
        if (strcmp(remedies[i].result, result) == 0)
            return remedies[i].remedy;
    return NULL;
}

void doctor_say_probes(struct doctor *doctor, const char *topic, const struct explain_groups *groups, size_t asked)
{
    struct buf text;

    for (size_t i = 0; i < groups->n; i++) {
        const struct explain_group *group = &groups->groups[i];

        buf_init(&text, 4096);
        explain_peer(&text, &group->peer, group->names, group->n, false);
        doctor_say(doctor, DOCTOR_BAD, topic, remedy_of(group->peer.result), "%s", buf_str(&text));
        buf_release(&text);
    }
    if (groups->others > 0)
        doctor_say(doctor, DOCTOR_BAD, topic, NULL, "and %zu more pods fail in other ways", groups->others);
    if (groups->n == 0 && asked > 0)
        doctor_say(doctor, DOCTOR_GOOD, topic, NULL, "all %zu pods answer 401 to a token that nobody has", asked);
}
