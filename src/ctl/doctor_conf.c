/* SPDX-License-Identifier: MIT */
/* The configuration as the daemon would read it, and the files that it names. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/net/identity.h>
#include <syncer/net/trust.h>

#include "doctor.h"

extern char **environ;

static int read_all(const char *file, struct conf *conf, struct conf_notes *notes, struct err *err)
{
    bool in_cluster = getenv("KUBERNETES_SERVICE_HOST") != NULL;

    if (conf_read_file(conf, file, err) < 0 || conf_read_env(conf, environ, notes, err) < 0)
        return -1;
    return conf_check(conf, in_cluster, notes, err) < 0 ? err_context(err, "%.200s", file) : 0;
}

static int look_at_files(struct doctor *doctor, const struct conf *conf)
{
    struct trust_settings settings = {
        .verify = conf->tls_verify, .ca_file = conf->tls_ca, .cert_file = conf->tls_cert, .key_file = conf->tls_key};
    struct trust *trust = NULL;
    struct identity *identity = NULL;
    struct err err;
    int rc = 0;

    if (conf->scheme == CONF_SCHEME_HTTPS && !(trust = trust_new(&settings, &err))) {
        doctor_say(doctor, DOCTOR_BAD, "files", NULL, "%s", err.text);
        rc = -1;
    }
    if (conf->listen_tls_cert &&
        !(identity = identity_new(conf->listen_tls_cert, conf->listen_tls_key, conf->listen_tls_client_ca, &err))) {
        doctor_say(doctor, DOCTOR_BAD, "files", NULL, "%s", err.text);
        rc = -1;
    }
    trust_free(trust);
    identity_free(identity);
    return rc;
}

int doctor_look_at_conf(struct doctor *doctor, const char *file, struct conf *conf)
{
    struct conf_notes notes = {.n = 0};
    struct err err = {""};

    if (conf_init(conf, &err) < 0 || read_all(file, conf, &notes, &err) < 0) {
        doctor_say(doctor, DOCTOR_BAD, "configuration", "syncer -t -c FILE checks it", "%s", err.text);
        return -1;
    }
    if (look_at_files(doctor, conf) < 0)
        return -1;
    doctor_say(doctor, DOCTOR_GOOD, "configuration", NULL, "%s can be read, with the files that it names", file);
    for (size_t i = 0; i < notes.n; i++)
        if (!strstr(notes.items[i].text, "zone_sync_interval") && !strstr(notes.items[i].text, "scheme is") &&
            !strstr(notes.items[i].text, "tls_verify is")) /* said below, with what to do */
            doctor_say(doctor, DOCTOR_WARN, "configuration", NULL, "%s", notes.items[i].text);
    return 0;
}

void doctor_say_conf(struct doctor *doctor, const struct conf *conf)
{
    static const char *const schemes[] = {[CONF_SCHEME_HTTPS] = "https", [CONF_SCHEME_HTTP] = "http"};

    doctor_say_patience(doctor, conf_patience_ms(conf), conf->zone_sync_interval_ms);
    doctor_say_tls(doctor, schemes[conf->scheme], conf->tls_verify,
                   conf->control_probe == CONF_CONTROL_OFF ? "off" : "on");
}

/* The first address of a list, as one that this machine can connect to. */
static void place_of(struct ask_place *place, const struct conf_list *list, bool tls)
{
    const char *item = list->items[0], *scheme = tls ? "https" : "http";
    char url[ASK_URL_BYTES];

    if (strncmp(item, "unix:", 5) == 0)
        snprintf(url, sizeof(url), "%s", item);
    else if (strncmp(item, "0.0.0.0:", 8) == 0)
        snprintf(url, sizeof(url), "%s://127.0.0.1:%s", scheme, item + 8);
    else if (strncmp(item, "[::]:", 5) == 0)
        snprintf(url, sizeof(url), "%s://[::1]:%s", scheme, item + 5);
    else
        snprintf(url, sizeof(url), "%s://%s", scheme, item);
    ask_place_parse(place, url, NULL);
}

void doctor_find_server(struct asker *asker, const struct conf *conf)
{
    if (asker->given || asker->admin_given || conf->listen.n == 0)
        return;
    place_of(&asker->place, &conf->listen, conf->listen_tls_cert != NULL);
    asker->admin = asker->place;
    if (conf->admin_listen.n > 0)
        place_of(&asker->admin, &conf->admin_listen, false);
}
