/* SPDX-License-Identifier: MIT */
/*
 * What syncerctl doctor finds: one line each, with what to do about it. Looked at are, one file each, a running server, the
 * configuration with the source of pods, and the pods themselves.
 */
#ifndef SYNCER_CTL_DOCTOR_H
#define SYNCER_CTL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/macros.h>
#include <syncer/conf/conf.h>

#include "ask.h"
#include "explain.h"

enum doctor_level {
    DOCTOR_GOOD,
    DOCTOR_NOTE, /* worth knowing */
    DOCTOR_WARN, /* should be looked at */
    DOCTOR_BAD,  /* must change: the exit code says so */
    DOCTOR_LEVELS
};

struct finding {
    enum doctor_level level;
    const char *topic;   /* a literal */
    char *text, *remedy; /* owned; remedy NULL = none */
};

struct doctor {
    struct finding *findings;
    size_t n, room;
    bool failed; /* memory is out: not all was told */
};

/* `remedy` NULL where there is nothing to do; a literal or copied. The text is cut at some 1,000 bytes. */
void doctor_say(struct doctor *doctor, enum doctor_level level, const char *topic, const char *remedy, const char *fmt,
                ...) PRINTF_LIKE(5, 6);

/* ---- what is said of the same thing, wherever it was learnt ---- */

struct doctor_pod {
    char name[256], state[16];
    bool counts;
};
/* How many count, and why the others do not. */
void doctor_say_pods(struct doctor *doctor, const char *topic, const struct doctor_pod *pods, size_t n);

void doctor_say_patience(struct doctor *doctor, int64_t patience_ms, int64_t zone_sync_interval_ms);
void doctor_say_tls(struct doctor *doctor, const char *scheme, bool verify, const char *control_probe);

/* The certificates of pods, one after the other, then what is to be said of all. */
struct doctor_certificates {
    int64_t now_s, first_s; /* first_s: the earliest end among the good ones; 0 = none */
    char first[256];
    struct names {
        char text[512]; /* "gw-1, gw-2"; some of them */
        size_t n;
    } expired, soon;
};
void doctor_certificates_init(struct doctor_certificates *certificates);
void doctor_certificates_add(struct doctor_certificates *certificates, const char *pod, int64_t expires_s);
void doctor_say_certificates(struct doctor *doctor, const struct doctor_certificates *certificates);

/* What pods make of a token that nobody has; `asked` of them. */
void doctor_say_probes(struct doctor *doctor, const char *topic, const struct explain_groups *groups, size_t asked);

/* ---- what is looked at ---- */

/* A running server; `optional`: that it does not run is only worth a note. 0 if it does and says what is in force. */
int doctor_look_at_server(struct doctor *doctor, struct asker *asker, bool optional);

/* Reads the configuration and says what is wrong with it and its files. 0: `conf` can be used; conf_free() in any case. */
int doctor_look_at_conf(struct doctor *doctor, const char *file, struct conf *conf);

/* What a running server would say of it. */
void doctor_say_conf(struct doctor *doctor, const struct conf *conf);

/* Where the configured syncer listens, in place of what nobody has named. */
void doctor_find_server(struct asker *asker, const struct conf *conf);

/* Tries each verb that the configuration's source needs. */
void doctor_look_at_rights(struct doctor *doctor, const struct conf *conf);

/* Lists the pods by ourselves, and asks each for a token that nobody has. */
void doctor_look_at_pods(struct doctor *doctor, const struct conf *conf);

#endif
