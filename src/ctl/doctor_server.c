/* SPDX-License-Identifier: MIT */
/*
 * What a running server says of itself and of its pods: /v1/status, /v1/pods, and a check of a made-up token that waits for
 * 401: where all is well it is Synced at once, and no statistics of failures grow.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <syncer/base/random.h>

#include "doctor.h"
#include "member.h"

#define PODS_MAX 65536

/* ---- /v1/status ---- */

/* A right that is missing is named as "verb list on resource pods"; all else is the way there, or a name. */
static const char *source_remedy(const char *error)
{
    return strstr(error, "on resource ")
               ? "roles/ has the verbs that a Role needs; the log has each failure"
               : "does syncer reach what it asks there, and are the names right? The log has each failure";
}

static void look_at_source(struct doctor *doctor, const struct json_doc *doc)
{
    json_value table = json_get(doc, 0, "table");
    char source[300], error[400];

    member_text(doc, 0, "source", source, sizeof(source));
    member_text(doc, table, "error", error, sizeof(error));
    if (error[0])
        doctor_say(doctor, DOCTOR_BAD, "source", source_remedy(error), "%s: the list can't be read: %s", source, error);
    else if (member_number(doc, table, "age_ms") < 0)
        doctor_say(doctor, DOCTOR_BAD, "source", "the log says what the source waits for",
                   "%s: no list of pods has been read yet", source);
    else
        doctor_say(doctor, DOCTOR_GOOD, "source", NULL, "%s: read %" PRId64 " s ago", source,
                   member_number(doc, table, "age_ms") / 1000);
}

static void look_at_watch(struct doctor *doctor, const struct json_doc *doc)
{
    char watch[16], error[400];

    member_text(doc, 0, "watch", watch, sizeof(watch));
    member_text(doc, 0, "watch_error", error, sizeof(error));
    if (strcmp(watch, "forbidden") == 0)
        doctor_say(doctor, DOCTOR_BAD, "watch", "give its Role the verb watch: roles/namespaced.yaml",
                   "changes can't be watched, so a new pod is asked up to scrape_interval late: %s", error);
    else if (strcmp(watch, "off") == 0)
        doctor_say(doctor, DOCTOR_WARN, "watch", "if it stays so, the log says why",
                   "the watch is off at this moment%s%s", error[0] ? ": " : "", error);
    else if (strcmp(watch, "on") == 0)
        doctor_say(doctor, DOCTOR_GOOD, "watch", NULL, "on: a new pod is known within a second");
}

static void look_at_processes(struct doctor *doctor, const struct json_doc *doc)
{
    int64_t crashed = member_number(doc, 0, "workers_crashed"), hung = member_number(doc, 0, "workers_hung");

    if (!member_is_true(doc, 0, "last_reload_successful"))
        doctor_say(doctor, DOCTOR_BAD, "configuration", "syncer -t -c FILE says what is wrong with it; then kill -HUP",
                   "the last reload failed: the configuration of before is still in force");
    if (crashed > 0 || hung > 0)
        doctor_say(doctor, DOCTOR_WARN, "workers", "the log has an obituary of each: signal, code, core",
                   "%" PRId64 " workers have crashed and %" PRId64 " hung since the start", crashed, hung);
    if (member_is_true(doc, 0, "draining"))
        doctor_say(doctor, DOCTOR_WARN, "server", NULL, "this instance is about to end");
}

static void look_at_configuration(struct doctor *doctor, const struct json_doc *doc)
{
    json_value shown = json_get(doc, 0, "configuration");
    char scheme[8], control[8];

    if (json_type(doc, shown) != JSON_OBJECT)
        return; /* an older server */
    member_text(doc, shown, "scheme", scheme, sizeof(scheme));
    member_text(doc, shown, "control_probe", control, sizeof(control));
    doctor_say_patience(doctor, member_number(doc, shown, "patience_ms"),
                        member_number(doc, shown, "zone_sync_interval_ms"));
    doctor_say_tls(doctor, scheme, member_is_true(doc, shown, "tls_verify"), control);
}

static void look_at_status(struct doctor *doctor, const struct asker *asker, const struct json_doc *doc)
{
    char version[40];

    member_text(doc, 0, "version", version, sizeof(version));
    doctor_say(doctor, DOCTOR_GOOD, "server", NULL, "%s: syncer %s, %zu workers", asker->admin.shown, version,
               json_size(doc, json_get(doc, 0, "workers")));
    look_at_processes(doctor, doc);
    look_at_source(doctor, doc);
    look_at_watch(doctor, doc);
    look_at_configuration(doctor, doc);
}

/* ---- /v1/pods ---- */

/* "2026-01-31T08:49:37.000Z"; 0 = it is no such thing. */
static int64_t instant_of(const struct json_doc *doc, json_value pod, const char *key)
{
    struct tm tm = {0};
    char text[32];
    const char *end;

    member_text(doc, pod, key, text, sizeof(text));
    end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    return end && (*end == '.' || *end == 'Z') ? (int64_t)timegm(&tm) : 0;
}

static void look_at_location(struct explain_groups *groups, const struct json_doc *doc, json_value pod,
                             const struct doctor_pod *read)
{
    struct peer peer = {.result = "unprotected"};

    if (!read->counts || !json_is(doc, json_get(doc, pod, "location"), "unprotected"))
        return;
    snprintf(peer.name, sizeof(peer.name), "%s", read->name);
    explain_groups_add(groups, &peer);
}

static void look_at_pods(struct doctor *doctor, const struct json_doc *doc)
{
    json_value list = json_get(doc, 0, "pods");
    size_t room = json_size(doc, list) < PODS_MAX ? json_size(doc, list) : PODS_MAX, n = 0;
    struct doctor_pod *pods = calloc(room + 1, sizeof(*pods));
    struct doctor_certificates certificates;
    struct explain_groups open = {.n = 0};

    if (!pods) {
        doctor->failed = true;
        return;
    }
    doctor_certificates_init(&certificates);
    for (json_value v = json_first(doc, list); v != JSON_NONE && n < room; v = json_next(doc, v), n++) {
        member_text(doc, v, "name", pods[n].name, sizeof(pods[n].name));
        member_text(doc, v, "state", pods[n].state, sizeof(pods[n].state));
        pods[n].counts = member_is_true(doc, v, "counts");
        if (pods[n].counts)
            doctor_certificates_add(&certificates, pods[n].name, instant_of(doc, v, "certificate_expires_at"));
        look_at_location(&open, doc, v, &pods[n]);
    }
    /* Never read is no empty list: look_at_source() has said it. */
    if (n > 0 || member_number(doc, 0, "age_ms") >= 0)
        doctor_say_pods(doctor, "pods", pods, n);
    doctor_say_certificates(doctor, &certificates);
    doctor_say_probes(doctor, "control probe", &open, 0);
    free(pods);
}

/* ---- a check ---- */

static void look_at_peers(struct doctor *doctor, const struct json_doc *doc)
{
    struct explain_groups groups = {.n = 0};
    size_t asked = 0;
    struct peer peer;

    for (json_value v = json_first(doc, json_get(doc, 0, "pods")); v != JSON_NONE; v = json_next(doc, v)) {
        if (peer_read(doc, v, &peer) < 0)
            continue;
        asked++;
        if (strcmp(peer.result, "present") == 0) /* nobody has that token */
            snprintf(peer.result, sizeof(peer.result), "unprotected");
        if (peer.unexpected)
            explain_groups_add(&groups, &peer);
    }
    doctor_say_probes(doctor, "probes", &groups, asked);
}

static void look_at_check(struct doctor *doctor, struct asker *asker)
{
    char token[96], hex[RANDOM_HEX_BYTES(16)], detail[256];
    const char *const fields[] = {token, "X-Nginx-Origin: -", NULL};
    struct ask_answer answer;
    struct err err;

    random_hex(hex, 16);
    snprintf(token, sizeof(token), "X-Auth-Token: syncerctl-doctor-%s", hex);
    if (ask(asker, &asker->place, "/v1/synced?expect=absent&verbose=1", fields, &answer, &err) != ASK_ANSWERED) {
        doctor_say(doctor, DOCTOR_BAD, "checks", NULL, "%s", err.text);
    } else if (answer.verdict[0] && answer.json) {
        look_at_peers(doctor, answer.json);
    } else if (answer.status == 404) {
        doctor_say(doctor, DOCTOR_NOTE, "checks", "give --url listen's address, and --admin-url admin_listen's",
                   "%s answers no checks: how the pods answer was not tried", asker->place.shown);
    } else if (strcmp(answer.error, "not-allowed") == 0) {
        doctor_say(doctor, DOCTOR_NOTE, "checks", "add this machine's address to `allow`, or ask by a unix socket",
                   "checks are not allowed from here: how the pods answer was not tried");
    } else if (strncmp(answer.error, "no-pod", 6) != 0) { /* which has been said already */
        ask_detail(&answer, detail, sizeof(detail));
        doctor_say(doctor, DOCTOR_BAD, "checks", NULL, "no verdict: %s (%d) %s", answer.error, answer.status, detail);
    }
    ask_answer_release(&answer);
}

/* ---- all of it ---- */

static int ask_object(struct doctor *doctor, struct asker *asker, const char *path, struct ask_answer *answer,
                      enum doctor_level level)
{
    struct err err;

    if (ask(asker, &asker->admin, path, NULL, answer, &err) == ASK_ANSWERED &&
        ask_expect_object(&asker->admin, path, answer, &err) == 0)
        return 0;
    doctor_say(doctor, answer->end == ASK_UNREACHABLE ? level : DOCTOR_BAD, "server", NULL, "%s", err.text);
    return -1;
}

int doctor_look_at_server(struct doctor *doctor, struct asker *asker, bool optional)
{
    struct ask_answer answer;
    int rc = ask_object(doctor, asker, "/v1/status", &answer, optional ? DOCTOR_NOTE : DOCTOR_BAD);

    if (rc == 0)
        look_at_status(doctor, asker, answer.json);
    ask_answer_release(&answer);
    if (rc < 0)
        return -1;
    if (ask_object(doctor, asker, "/v1/pods", &answer, DOCTOR_BAD) == 0)
        look_at_pods(doctor, answer.json);
    ask_answer_release(&answer);
    look_at_check(doctor, asker);
    return 0;
}
