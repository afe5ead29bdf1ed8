/* SPDX-License-Identifier: MIT */
/* syncerctl check: the verdict of one token, and in words what is missing. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "commands.h"
#include "explain.h"
#include "term.h"
#include "token.h"

#define ORIGIN_MAX 253

/* ---- the question ---- */

static bool is_header_value(const char *text)
{
    if (!text[0] || strlen(text) > ORIGIN_MAX)
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static int code_of(const struct ctl_options *options, const struct ask_answer *answer)
{
    static const char *const verdicts[] = {"Synced", "Partialy", "NotSynced", "Timeout"};
    const char *strict = options->value[OPT_STRICT];

    for (int i = 0; i < CTL_OTHER; i++)
        if (strcmp(answer->verdict, verdicts[i]) == 0)
            return i == CTL_PARTIALY && strict && strcmp(strict, "majority") == 0 ? CTL_OK : i;
    return CTL_OTHER;
}

/* What an answer without a verdict means to the one who asked. */
static const struct {
    const char *error, *remedy;
    bool again;
} refusals[] = {
    {"bad-request", "", false},
    {"not-allowed", ". Add this machine's address to `allow`, or ask by a unix socket", false},
    {"no-pod-list", ". syncerctl doctor, or syncer's log, says why", true},
    {"no-pods", ". syncerctl pods shows those that are known", true},
    {"too-many-pods", ". Raise max_pods", false},
    {"overloaded", ". Ask later, or give it more workers", true},
    {"draining", "", true},
};

static int refused(const struct ask_place *place, const struct ask_answer *answer, bool *again, struct err *err)
{
    char detail[256];

    ask_detail(answer, detail, sizeof(detail));
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (strcmp(answer->error, refusals[i].error) == 0) {
            *again = refusals[i].again;
            return err_set(err, "no verdict: %s (%d): %s%s", answer->error, answer->status, detail, refusals[i].remedy);
        }
    if (answer->status == 404 && answer->json)
        return err_set(err,
                       "%.150s has no /v1/synced: is that admin_listen's address? Checks are asked for at listen's",
                       place->shown);
    return err_set(err, "%.150s: the answer (%d) is not syncer's. Is the URL right?", place->shown, answer->status);
}

int ctl_ask_check(struct asker *asker, const struct ctl_options *options, const struct buf *token,
                  struct ask_answer *answer, int *code, bool *again, struct err *err)
{
    const char *origin = options->value[OPT_ORIGIN] ? options->value[OPT_ORIGIN] : "-";
    const char *expect = options->value[OPT_EXPECT], *strict = options->value[OPT_STRICT];
    char token_field[TOKEN_MAX + 32], origin_field[ORIGIN_MAX + 32], path[96];
    const char *const fields[] = {token_field, origin_field, NULL};

    *code = CTL_OTHER;
    *again = false;
    *answer = (struct ask_answer){.end = ASK_FAILED};
    if (!is_header_value(origin))
        return err_set(err, "--origin should be a pod's name, its address or -");
    snprintf(token_field, sizeof(token_field), "X-Auth-Token: %.*s", (int)token->len, token->data);
    snprintf(origin_field, sizeof(origin_field), "X-Nginx-Origin: %s", origin);
    snprintf(path, sizeof(path), "/v1/synced?verbose=1%s%s%s%s", expect ? "&expect=" : "", expect ? expect : "",
             strict ? "&strict=" : "", strict ? strict : "");
    *again = ask(asker, &asker->place, path, fields, answer, err) == ASK_UNREACHABLE;
    explicit_bzero(token_field, sizeof(token_field));
    if (answer->end != ASK_ANSWERED)
        return -1;
    *code = code_of(options, answer);
    return answer->verdict[0] && answer->json ? 0 : refused(&asker->place, answer, again, err);
}

/* ---- what is shown ---- */

static const char *ms_text(int64_t us, char out[24])
{
    snprintf(out, 24, "%" PRId64 ".%03d", us / 1000, (int)(us % 1000));
    return out;
}

static enum term_colour colour_of(const struct peer *peer)
{
    if (!peer->unexpected)
        return TERM_GOOD;
    return strcmp(peer->result, "absent") == 0 ? TERM_WARN : TERM_BAD;
}

static void add_row(struct term_table *table, const struct peer *peer)
{
    char text[64];

    term_table_add(table, peer->name, TERM_PLAIN);
    snprintf(text, sizeof(text), strchr(peer->address, ':') ? "[%.47s]:%d" : "%.47s:%d", peer->address,
             (int)peer->port);
    term_table_add(table, text, TERM_PLAIN);
    if (strcmp(peer->result, "status") == 0)
        snprintf(text, sizeof(text), "%d", (int)peer->code);
    term_table_add(table, strcmp(peer->result, "status") == 0 ? text : peer->result, colour_of(peer));
    snprintf(text, sizeof(text), "%d", (int)peer->attempts);
    term_table_add(table, text, TERM_PLAIN);
    term_table_add(table, peer->unexpected ? "" : ms_text(peer->us, text), TERM_PLAIN);
}

static void add_table(struct buf *out, const struct json_doc *doc, bool colours)
{
    static const char *const heads[] = {"POD", "ADDRESS", "RESULT", "ASKED", "MS"};
    struct term_table table;
    struct peer peer;

    term_table_init(&table, ARRAY_LEN(heads));
    for (size_t i = 0; i < table.columns; i++)
        term_table_add(&table, heads[i], TERM_BOLD);
    for (json_value v = json_first(doc, json_get(doc, 0, "pods")); v != JSON_NONE; v = json_next(doc, v))
        if (peer_read(doc, v, &peer) == 0)
            add_row(&table, &peer);
    out->failed = out->failed || table.failed;
    term_table_write(&table, out, colours);
    term_table_release(&table);
}

static void add_verdict(struct buf *out, const struct ask_answer *answer, bool absent, bool colours)
{
    static const enum term_colour verdict_colours[] = {TERM_GOOD, TERM_WARN, TERM_BAD, TERM_BAD, TERM_BAD};
    int64_t peers = 0, expected = 0;
    struct ctl_options plain = {.command = CTL_CHECK};

    json_int(answer->json, json_get(answer->json, 0, "peers"), &peers);
    json_int(answer->json, json_get(answer->json, 0, "expected"), &expected);
    term_add_coloured(out, answer->verdict, verdict_colours[code_of(&plain, answer)], colours);
    buf_addf(out, ": %" PRId64 " of %" PRId64 " pods %s the token%s, after ", expected, peers,
             absent ? "refuse" : "have", peers == 0 ? " (the origin is the only pod)" : "");
    term_add(out, answer->sync_ms);
    buf_add_str(out, " ms\n");
}

static int show(const struct ctl_options *options, const struct ask_answer *answer, int code)
{
    bool colours = term_has_colours();
    struct buf out;

    buf_init(&out, SIZE_MAX);
    add_verdict(&out, answer, json_is(answer->json, json_get(answer->json, 0, "expect"), "absent"), colours);
    if (options->value[OPT_VERBOSE])
        add_table(&out, answer->json, colours);
    explain_answer(&out, answer->json);
    if (strcmp(answer->verdict, "Synced") != 0 && answer->request_id[0]) {
        buf_add_str(&out, "in syncer's log: request_id=");
        term_add(&out, answer->request_id);
        buf_add_char(&out, '\n');
    }
    return ctl_write(&out, code);
}

int ctl_check(const struct ctl_options *options)
{
    struct ask_answer answer = {.end = ASK_FAILED};
    struct asker asker = {.fetcher = NULL};
    struct buf token;
    struct err err;
    int code = CTL_OTHER, rc;
    bool again;

    rc = token_read(options->value[OPT_TOKEN_FILE], &token, &err);
    if (rc == 0)
        rc = ask_init(&asker, options, &err);
    if (rc == 0)
        rc = ctl_ask_check(&asker, options, &token, &answer, &code, &again, &err);
    buf_wipe(&token);
    if (rc < 0)
        code = ctl_fail(options, &err);
    else if (options->value[OPT_JSON])
        code = ctl_write_json(&answer, code);
    else
        code = show(options, &answer, code);
    ask_answer_release(&answer);
    ask_release(&asker);
    return code;
}
