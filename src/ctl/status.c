/* SPDX-License-Identifier: MIT */
/* syncerctl status: the whole instance on one screen. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "commands.h"
#include "term.h"

#define TEXT_BYTES 1024

static void add_line(struct term_table *table, const char *key, const char *text, enum term_colour colour)
{
    term_table_add(table, key, TERM_BOLD);
    term_table_add(table, text, colour);
}

static void add_string(struct term_table *table, const char *key, const struct json_doc *doc, json_value v)
{
    char text[TEXT_BYTES];

    add_line(table, key, json_str(doc, v, text, sizeof(text)) < 0 ? "" : text, TERM_PLAIN);
}

static int64_t number_of(const struct json_doc *doc, json_value v)
{
    int64_t n;

    return json_int(doc, v, &n) == 0 ? n : 0;
}

static void add_table(struct term_table *table, const struct json_doc *doc)
{
    json_value pods = json_get(doc, 0, "table");
    char text[TEXT_BYTES], age[CTL_AGE_BYTES];
    int64_t ms;
    bool read = json_int(doc, json_get(doc, pods, "age_ms"), &ms) == 0;

    if (read)
        snprintf(text, sizeof(text), "%" PRId64 " known, %" PRId64 " count; read %s ago",
                 number_of(doc, json_get(doc, pods, "pods")), number_of(doc, json_get(doc, pods, "counting")),
                 ctl_age(ms, age));
    else
        snprintf(text, sizeof(text), "no list has been read yet");
    add_line(table, "pods", text, read ? TERM_PLAIN : TERM_BAD);
    snprintf(text, sizeof(text), "%" PRId64 " good, %" PRId64 " failed",
             number_of(doc, json_get(doc, pods, "reads_ok")), number_of(doc, json_get(doc, pods, "reads_failed")));
    add_line(table, "reads", text, TERM_PLAIN);
}

static void add_checks(struct term_table *table, const struct json_doc *doc)
{
    static const char *const verdicts[] = {"Synced", "Partialy", "NotSynced", "Timeout", "running"};
    json_value checks = json_get(doc, 0, "checks");
    char text[TEXT_BYTES];
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%" PRId64 " %s", i ? ", " : "",
                                number_of(doc, json_get(doc, checks, verdicts[i])), verdicts[i]);
    add_line(table, "checks", text, TERM_PLAIN);
}

static void add_workers(struct term_table *table, const struct json_doc *doc)
{
    char text[TEXT_BYTES], state[16];
    size_t len = 0;
    int64_t crashed = number_of(doc, json_get(doc, 0, "workers_crashed"));
    int64_t hung = number_of(doc, json_get(doc, 0, "workers_hung"));

    text[0] = '\0';
    for (json_value v = json_first(doc, json_get(doc, 0, "workers")); v != JSON_NONE && len < sizeof(text) - 80;
         v = json_next(doc, v)) {
        if (json_str(doc, json_get(doc, v, "state"), state, sizeof(state)) < 0)
            continue;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%" PRId64 " %s", len ? ", " : "",
                                number_of(doc, json_get(doc, v, "pid")), state);
    }
    add_line(table, "workers", text, TERM_PLAIN);
    snprintf(text, sizeof(text), "%" PRId64 " crashed, %" PRId64 " hung", crashed, hung);
    add_line(table, "so far", text, crashed || hung ? TERM_WARN : TERM_PLAIN);
}

static void add_configuration(struct term_table *table, const struct json_doc *doc)
{
    char text[TEXT_BYTES], at[64];
    bool good = true;

    if (json_str(doc, json_get(doc, 0, "configuration_loaded_at"), at, sizeof(at)) < 0)
        at[0] = '\0';
    json_bool(doc, json_get(doc, 0, "last_reload_successful"), &good);
    snprintf(text, sizeof(text), "generation %" PRId64 ", since %s%s",
             number_of(doc, json_get(doc, 0, "configuration_generation")), at,
             good ? "" : "; the last reload failed: see the log");
    add_line(table, "configuration", text, good ? TERM_PLAIN : TERM_BAD);
}

static void add_instance(struct term_table *table, const struct json_doc *doc)
{
    char text[TEXT_BYTES];
    bool draining = false;

    add_string(table, "version", doc, json_get(doc, 0, "version"));
    snprintf(text, sizeof(text), "%" PRId64, number_of(doc, json_get(doc, 0, "master_pid")));
    add_line(table, "master", text, TERM_PLAIN);
    add_string(table, "started", doc, json_get(doc, 0, "started_at"));
    json_bool(doc, json_get(doc, 0, "draining"), &draining);
    if (draining)
        add_line(table, "draining", "yes: this instance is about to end", TERM_WARN);
    add_configuration(table, doc);
    add_string(table, "source", doc, json_get(doc, 0, "source"));
    add_string(table, "watch", doc, json_get(doc, 0, "watch"));
    add_table(table, doc);
    add_checks(table, doc);
    add_workers(table, doc);
}

int ctl_status(const struct ctl_options *options)
{
    struct ask_answer answer = {.end = ASK_FAILED};
    struct term_table table;
    struct asker asker;
    struct buf out;
    struct err err;
    int code;

    if (ask_init(&asker, options, &err) < 0 || ctl_ask_admin(&asker, "/v1/status", &answer, &err) < 0) {
        code = ctl_fail(options, &err);
    } else if (options->value[OPT_JSON]) {
        code = ctl_write_json(&answer, CTL_OK);
    } else {
        term_table_init(&table, 2);
        add_instance(&table, answer.json);
        buf_init(&out, SIZE_MAX);
        out.failed = table.failed;
        term_table_write(&table, &out, term_has_colours());
        term_table_release(&table);
        code = ctl_write(&out, CTL_OK);
    }
    ask_answer_release(&answer);
    ask_release(&asker);
    return code;
}
