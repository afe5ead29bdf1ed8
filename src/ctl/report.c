/* SPDX-License-Identifier: MIT */
/* How commands end: what they have to say, or why they could not. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include <syncer/wire/json_write.h>

#include "commands.h"
#include "term.h"

int ctl_write(struct buf *out, int code)
{
    if (out->failed || (out->len > 0 && fwrite(out->data, 1, out->len, stdout) != out->len) || fflush(stdout) != 0) {
        fprintf(stderr, "syncerctl: %s\n", out->failed ? "out of memory" : "standard output can't be written to");
        code = CTL_OTHER;
    }
    buf_release(out);
    return code;
}

int ctl_write_json(const struct ask_answer *answer, int code)
{
    struct buf out;

    buf_init(&out, SIZE_MAX);
    buf_add(&out, answer->body.data, answer->body.len);
    buf_add_char(&out, '\n');
    return ctl_write(&out, code);
}

int ctl_fail(const struct ctl_options *options, const struct err *err)
{
    struct json_writer json;
    struct buf out;

    buf_init(&out, SIZE_MAX);
    if (options->value[OPT_JSON]) {
        json_writer_init(&json, &out);
        json_object_begin(&json);
        json_put_string(&json, "error", err->text);
        json_object_end(&json);
        buf_add_char(&out, '\n');
        return ctl_write(&out, CTL_OTHER);
    }
    term_add(&out, err->text); /* it may quote a server */
    fprintf(stderr, "syncerctl: %s\n", buf_str(&out));
    buf_release(&out);
    return CTL_OTHER;
}

int ctl_ask_admin(struct asker *asker, const char *path, struct ask_answer *answer, struct err *err)
{
    if (ask(asker, &asker->admin, path, NULL, answer, err) != ASK_ANSWERED)
        return -1;
    return ask_expect_object(&asker->admin, path, answer, err);
}

const char *ctl_age(int64_t ms, char out[CTL_AGE_BYTES])
{
    static const struct {
        int64_t below_ms, unit_ms;
        const char *unit;
    } steps[] = {{INT64_C(120000), 1000, "s"}, {INT64_C(7200000), 60000, "min"}, {INT64_C(172800000), 3600000, "h"}};

    if (ms < 1000)
        snprintf(out, CTL_AGE_BYTES, "%" PRId64 " ms", ms);
    else if (ms < 10000)
        snprintf(out, CTL_AGE_BYTES, "%" PRId64 ".%d s", ms / 1000, (int)(ms % 1000 / 100));
    else {
        size_t i = 0;

        while (i < 3 && ms >= steps[i].below_ms)
            i++;
        if (i < 3)
            snprintf(out, CTL_AGE_BYTES, "%" PRId64 " %s", ms / steps[i].unit_ms, steps[i].unit);
        else
            snprintf(out, CTL_AGE_BYTES, "%" PRId64 " d", ms / INT64_C(86400000));
    }
    return out;
}
