/* SPDX-License-Identifier: MIT */
/* syncerctl pods: the table of pods as a person reads it. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "commands.h"
#include "member.h"
#include "term.h"

static void add_name(struct term_table *table, const struct json_doc *doc, json_value pod)
{
    char text[256];

    member_text(doc, pod, "name", text, sizeof(text));
    term_table_add(table, text, TERM_PLAIN);
}

static void add_address(struct term_table *table, const struct json_doc *doc, json_value pod)
{
    char address[48], text[64];

    member_text(doc, pod, "address", address, sizeof(address));
    snprintf(text, sizeof(text), strchr(address, ':') ? "[%s]:%d" : "%s:%d", address,
             (int)member_number(doc, pod, "port"));
    term_table_add(table, text, TERM_PLAIN);
}

static void add_state(struct term_table *table, const struct json_doc *doc, json_value pod)
{
    char text[32];
    bool counts = member_is_true(doc, pod, "counts");

    member_text(doc, pod, "state", text, sizeof(text));
    term_table_add(table, text, counts ? TERM_GOOD : TERM_FAINT);
    term_table_add(table, counts ? "yes" : "no", counts ? TERM_PLAIN : TERM_FAINT);
}

static void add_result(struct term_table *table, const struct json_doc *doc, json_value pod)
{
    char text[32], age[CTL_AGE_BYTES];
    int64_t ms = member_number(doc, pod, "result_age_ms");
    enum term_colour colour = TERM_BAD;

    member_text(doc, pod, "result", text, sizeof(text));
    if (strcmp(text, "present") == 0 || strcmp(text, "absent") == 0)
        colour = TERM_GOOD;
    else if (strcmp(text, "none") == 0)
        colour = TERM_FAINT;
    else if (strcmp(text, "status") == 0)
        snprintf(text, sizeof(text), "%d", (int)member_number(doc, pod, "code"));
    term_table_add(table, text, colour);
    term_table_add(table, ms >= 0 ? ctl_age(ms, age) : "", TERM_PLAIN);
}

static void add_lag(struct term_table *table, const struct json_doc *doc, json_value pod)
{
    int64_t ms = member_number(doc, pod, "lag_ms");
    char age[CTL_AGE_BYTES];

    term_table_add(table, ms >= 0 ? ctl_age(ms, age) : "", TERM_PLAIN);
}

static void add_location(struct term_table *table, const struct json_doc *doc, json_value pod)
{
    char text[32];

    member_text(doc, pod, "location", text, sizeof(text));
    term_table_add(table, text,
                   strcmp(text, "unprotected") == 0 ? TERM_BAD
                   : strcmp(text, "protected") == 0 ? TERM_GOOD
                                                    : TERM_FAINT);
}

/* The day on which it ends. */
static void add_certificate(struct term_table *table, const struct json_doc *doc, json_value pod)
{
    char text[32];

    member_text(doc, pod, "certificate_expires_at", text, sizeof(text));
    text[strcspn(text, "T")] = '\0';
    term_table_add(table, text, TERM_PLAIN);
}

static int show(const struct json_doc *doc)
{
    static const char *const heads[] = {"POD", "ADDRESS", "STATE",    "COUNTS",     "RESULT",
                                        "AGE", "LAG",     "LOCATION", "CERTIFICATE"};
    bool colours = term_has_colours();
    struct term_table table;
    char age[CTL_AGE_BYTES];
    int64_t ms;
    struct buf out;

    term_table_init(&table, ARRAY_LEN(heads));
    for (size_t i = 0; i < table.columns; i++)
        term_table_add(&table, heads[i], TERM_BOLD);
    for (json_value v = json_first(doc, json_get(doc, 0, "pods")); v != JSON_NONE; v = json_next(doc, v)) {
        add_name(&table, doc, v);
        add_address(&table, doc, v);
        add_state(&table, doc, v);
        add_result(&table, doc, v);
        add_lag(&table, doc, v);
        add_location(&table, doc, v);
        add_certificate(&table, doc, v);
    }
    buf_init(&out, SIZE_MAX);
    out.failed = table.failed;
    term_table_write(&table, &out, colours);
    term_table_release(&table);
    ms = member_number(doc, 0, "age_ms");
    if (ms >= 0)
        buf_addf(&out, "%" PRId64 " pods, read %s ago\n", member_number(doc, 0, "count"), ctl_age(ms, age));
    else
        buf_add_str(&out, "no list of pods has been read yet: syncerctl doctor, or syncer's log, says why\n");
    return ctl_write(&out, CTL_OK);
}

int ctl_pods(const struct ctl_options *options)
{
    struct ask_answer answer = {.end = ASK_FAILED};
    struct asker asker;
    struct err err;
    int code;

    if (ask_init(&asker, options, &err) < 0 || ctl_ask_admin(&asker, "/v1/pods", &answer, &err) < 0)
        code = ctl_fail(options, &err);
    else
        code = options->value[OPT_JSON] ? ctl_write_json(&answer, CTL_OK) : show(answer.json);
    ask_answer_release(&answer);
    ask_release(&asker);
    return code;
}
