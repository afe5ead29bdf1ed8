/* SPDX-License-Identifier: MIT */
/*
 * syncerctl wait: asks until all that was named has come to be, or the time is over. That nobody listens yet, or that a pod is
 * missing, may change by waiting; a wrong URL, certificate or token does not, and ends it at once.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <syncer/base/clock.h>
#include <syncer/wire/json_write.h>

#include "commands.h"
#include "token.h"

#define DEFAULT_WAIT_MS 30000
#define PAUSE_MS 250
#define QUESTION_MIN_MS 100 /* for a last question shortly before the end */

enum outcome { HOLDS, NOT_YET, NEVER };

struct waiting {
    const struct ctl_options *options;
    struct asker asker;
    struct buf token;
    int64_t began_ns, end_ns;
    struct err why; /* of NOT_YET and NEVER */
};

static int64_t left_ms(const struct waiting *w)
{
    return (w->end_ns - clock_now_ns()) / NS_PER_MS;
}

/* ---- what may be waited for ---- */

static enum outcome ask_path(struct waiting *w, const struct ask_place *place, const char *path,
                             struct ask_answer *answer)
{
    enum ask_end end = ask(&w->asker, place, path, NULL, answer, &w->why);

    return end == ASK_ANSWERED ? HOLDS : end == ASK_UNREACHABLE ? NOT_YET : NEVER;
}

static enum outcome is_ready(struct waiting *w)
{
    struct ask_answer answer;
    char detail[256];
    enum outcome outcome = ask_path(w, &w->asker.place, "/readyz", &answer);

    if (outcome == HOLDS && answer.status != 200) {
        ask_detail(&answer, detail, sizeof(detail));
        outcome = answer.status == 503 && answer.json ? NOT_YET : NEVER;
        if (outcome == NOT_YET)
            err_set(&w->why, "not ready: %s", detail);
        else
            err_set(&w->why, "%.150s is not syncer's: its /readyz says neither 200 nor 503", w->asker.place.shown);
    }
    ask_answer_release(&answer);
    return outcome;
}

static enum outcome has_pods(struct waiting *w)
{
    struct ask_answer answer;
    int64_t counting = 0;
    enum outcome outcome = ask_path(w, &w->asker.admin, "/v1/status", &answer);

    if (outcome == HOLDS) {
        if (ask_expect_object(&w->asker.admin, "/v1/status", &answer, &w->why) < 0)
            outcome = answer.status == 503 ? NOT_YET : NEVER;
        else if (json_int(answer.json, json_path(answer.json, 0, "table", "counting", NULL), &counting) < 0 ||
                 counting < w->options->pods)
            outcome = NOT_YET;
        if (outcome == NOT_YET)
            err_set(&w->why, "%" PRId64 " pods count, not %" PRIu32, counting, w->options->pods);
    }
    ask_answer_release(&answer);
    return outcome;
}

static enum outcome is_synced(struct waiting *w)
{
    struct ask_answer answer;
    enum outcome outcome;
    bool again;
    int code, rc = ctl_ask_check(&w->asker, w->options, &w->token, &answer, &code, &again, &w->why);

    if (rc < 0)
        outcome = again ? NOT_YET : NEVER;
    else
        outcome = code == CTL_OK ? HOLDS : NOT_YET;
    if (rc == 0 && outcome == NOT_YET)
        err_set(&w->why, "%s: %s pods as expected", answer.verdict, answer.pods);
    ask_answer_release(&answer);
    return outcome;
}

/* ---- waiting ---- */

/* A question gets what is left of the time. */
static enum outcome look(struct waiting *w)
{
    const char *const *value = w->options->value;
    bool nothing_named = !value[OPT_PODS] && !value[OPT_SYNCED];
    enum outcome outcome = HOLDS;

    w->asker.timeout_ms = left_ms(w) > QUESTION_MIN_MS ? left_ms(w) : QUESTION_MIN_MS;
    if (value[OPT_READY] || nothing_named)
        outcome = is_ready(w);
    if (outcome == HOLDS && value[OPT_PODS])
        outcome = has_pods(w);
    if (outcome == HOLDS && value[OPT_SYNCED])
        outcome = is_synced(w);
    return outcome;
}

static void pause_ms(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};

    nanosleep(&time, NULL);
}

/* The last question may have been cut short: what the one before it found says more. */
static enum outcome wait_for(struct waiting *w)
{
    struct err before = {""};

    for (;;) {
        enum outcome outcome = look(w);
        int64_t left = left_ms(w);

        if (outcome == NOT_YET && left <= 0 && before.text[0])
            w->why = before;
        if (outcome != NOT_YET || left <= 0)
            return outcome;
        before = w->why;
        pause_ms(left < PAUSE_MS ? left : PAUSE_MS);
    }
}

static int show(const struct waiting *w, enum outcome outcome)
{
    int64_t ms = (clock_now_ns() - w->began_ns) / NS_PER_MS;
    int code = outcome == HOLDS ? CTL_OK : outcome == NOT_YET ? CTL_NOT_YET : CTL_OTHER;
    struct json_writer json;
    struct buf out;

    if (!w->options->value[OPT_JSON]) {
        if (outcome != HOLDS)
            fprintf(stderr, "syncerctl: %s%s\n", outcome == NOT_YET ? "the time is over: " : "", w->why.text);
        return code;
    }
    buf_init(&out, SIZE_MAX);
    json_writer_init(&json, &out);
    json_object_begin(&json);
    json_put_boolean(&json, "ok", outcome == HOLDS);
    json_put_number(&json, "ms", ms);
    json_put_string(&json, "error", outcome == HOLDS ? NULL : w->why.text);
    json_object_end(&json);
    buf_add_char(&out, '\n');
    return ctl_write(&out, code);
}

int ctl_wait(const struct ctl_options *options)
{
    struct waiting w = {.options = options, .began_ns = clock_now_ns()};
    int64_t limit_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_WAIT_MS;
    int code;

    buf_init(&w.token, 0);
    if (ask_init(&w.asker, options, &w.why) < 0 ||
        (options->value[OPT_SYNCED] && token_read(options->value[OPT_TOKEN_FILE], &w.token, &w.why) < 0)) {
        code = ctl_fail(options, &w.why);
    } else {
        w.end_ns = clock_now_ns() + limit_ms * NS_PER_MS;
        code = show(&w, wait_for(&w));
    }
    buf_wipe(&w.token);
    ask_release(&w.asker);
    return code;
}
