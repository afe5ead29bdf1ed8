/* SPDX-License-Identifier: MIT */
/* syncerctl doctor: who is looked at, and how it is shown. */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/wire/json_write.h>

#include "commands.h"
#include "doctor.h"
#include "term.h"

#define FINDINGS_MAX 500
#define TEXT_BYTES 1200

/* No leak: release() frees each text and remedy. */
ANALYZER_LEAKS_OFF
void doctor_say(struct doctor *doctor, enum doctor_level level, const char *topic, const char *remedy, const char *fmt,
                ...)
{
    struct finding finding = {.level = level, .topic = topic};
    char text[TEXT_BYTES];
    va_list args;

    if (doctor->n == FINDINGS_MAX)
        return;
    if (doctor->n == doctor->room) {
        size_t room = doctor->room ? 2 * doctor->room : 32;
        struct finding *findings = realloc(doctor->findings, room * sizeof(*findings));

        if (!findings) {
            doctor->failed = true;
            return;
        }
        doctor->findings = findings;
        doctor->room = room;
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    finding.text = strdup(text);
    finding.remedy = remedy ? strdup(remedy) : NULL;
    doctor->failed = doctor->failed || !finding.text || (remedy && !finding.remedy);
    doctor->findings[doctor->n++] = finding;
}
ANALYZER_LEAKS_ON

static void release(struct doctor *doctor)
{
    for (size_t i = 0; i < doctor->n; i++) {
        free(doctor->findings[i].text);
        free(doctor->findings[i].remedy);
    }
    free(doctor->findings);
}

/* ---- how it is shown ---- */

static const struct {
    const char *shown, *json;
    enum term_colour colour;
} levels[DOCTOR_LEVELS] = {
    [DOCTOR_GOOD] = {"ok", "ok", TERM_GOOD},
    [DOCTOR_NOTE] = {"note", "note", TERM_FAINT},
    [DOCTOR_WARN] = {"warn", "warn", TERM_WARN},
    [DOCTOR_BAD] = {"BAD", "bad", TERM_BAD},
};

static size_t count(const struct doctor *doctor, enum doctor_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < doctor->n; i++)
        n += doctor->findings[i].level == level;
    return n;
}

static void write_text(const struct doctor *doctor, struct buf *out)
{
    bool colours = term_has_colours();

    for (size_t i = 0; i < doctor->n; i++) {
        const struct finding *finding = &doctor->findings[i];

        term_add_coloured(out, levels[finding->level].shown, levels[finding->level].colour, colours);
        buf_addf(out, "%*s%-15s ", 5 - (int)strlen(levels[finding->level].shown), "", finding->topic);
        term_add(out, finding->text ? finding->text : "");
        buf_add_char(out, '\n');
        if (finding->remedy) {
            buf_addf(out, "%21s-> ", "");
            term_add(out, finding->remedy);
            buf_add_char(out, '\n');
        }
    }
    buf_addf(out, "%zu must change, %zu should be looked at\n", count(doctor, DOCTOR_BAD), count(doctor, DOCTOR_WARN));
}

static void write_json(const struct doctor *doctor, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    json_put_boolean(&w, "ok", count(doctor, DOCTOR_BAD) == 0);
    json_key(&w, "findings");
    json_array_begin(&w);
    for (size_t i = 0; i < doctor->n; i++) {
        json_object_begin(&w);
        json_put_string(&w, "level", levels[doctor->findings[i].level].json);
        json_put_string(&w, "topic", doctor->findings[i].topic);
        json_put_string(&w, "text", doctor->findings[i].text);
        json_put_string(&w, "remedy", doctor->findings[i].remedy);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    buf_add_char(out, '\n');
}

int ctl_doctor(const struct ctl_options *options)
{
    const char *file = options->value[OPT_CONFIG];
    struct doctor doctor = {.findings = NULL};
    struct asker asker;
    struct conf conf;
    struct buf out;
    struct err err;
    bool has_conf = false;
    int code, rc;

    if (ask_init(&asker, options, &err) < 0) {
        ask_release(&asker);
        return ctl_fail(options, &err);
    }
    if (file) {
        has_conf = doctor_look_at_conf(&doctor, file, &conf) == 0;
        if (has_conf)
            doctor_find_server(&asker, &conf);
    }
    rc = doctor_look_at_server(&doctor, &asker, has_conf && !asker.given && !asker.admin_given);
    if (has_conf && rc < 0)
        doctor_say_conf(&doctor, &conf);
    if (has_conf) {
        doctor_look_at_rights(&doctor, &conf);
        doctor_look_at_pods(&doctor, &conf);
    }
    if (file)
        conf_free(&conf);
    code = count(&doctor, DOCTOR_BAD) > 0 ? CTL_CHANGE : CTL_OK;
    buf_init(&out, SIZE_MAX);
    out.failed = doctor.failed;
    if (options->value[OPT_JSON])
        write_json(&doctor, &out);
    else
        write_text(&doctor, &out);
    release(&doctor);
    ask_release(&asker);
    return ctl_write(&out, code);
}
