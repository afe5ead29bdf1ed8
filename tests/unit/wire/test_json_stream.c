/* SPDX-License-Identifier: MIT */
/* Lists cut into items: the same pieces however the bytes arrive. */
#include <criterion/criterion.h>
#include <stdio.h>

#include <syncer/base/macros.h>
#include <syncer/wire/json_stream.h>

#include "guarded.h"

TestSuite(json_stream, .timeout = 30);

static const char list[] =
    "{\"kind\":\"PodList\", \"metadata\":{\"resourceVersion\":\"246\"},\n\"items\":[{\"a\":\"}]\\\"\"},"
    " {\"b\":[1,{}]} ,3],\"n\":12,\"z\":[{}]}";
static const char expected[] =
    "kind=\"PodList\" metadata={\"resourceVersion\":\"246\"} {\"a\":\"}]\\\"\"} {\"b\":[1,{}]} 3 "
    "n=12 z=[{}] ";

/* Feeds text in parts of `step` bytes and writes down what comes of it. */
static enum json_stream_event run(const char *text, size_t step, size_t max, char *out, size_t room)
{
    enum json_stream_event event = JSON_STREAM_MORE;
    struct json_stream stream;
    size_t len = strlen(text), at = 0, n = 0, used;

    json_stream_init(&stream, max);
    while (event != JSON_STREAM_BAD && event != JSON_STREAM_END && at < len) {
        size_t part = len - at < step ? len - at : step;

        event = json_stream_feed(&stream, guarded(text + at, part), part, &used);
        cr_assert(used <= part && (used > 0 || event != JSON_STREAM_MORE));
        at += used;
        if (event == JSON_STREAM_MEMBER)
            n += (size_t)snprintf(out + n, room - n, "%s=", stream.key);
        if (event == JSON_STREAM_MEMBER || event == JSON_STREAM_ITEM)
            n += (size_t)snprintf(out + n, room - n, "%.*s ", (int)stream.piece.len, stream.piece.data);
    }
    if (event == JSON_STREAM_END)
        cr_expect_eq(json_stream_feed(&stream, "x", 1, &used), JSON_STREAM_BAD, "nothing may follow");
    json_stream_release(&stream);
    return event;
}

Test(json_stream, same_pieces_however_cut)
{
    char out[512];

    for (size_t step = 1; step < sizeof(list); step++) {
        out[0] = '\0';
        cr_assert_eq(run(list, step, 4096, out, sizeof(out)), JSON_STREAM_END, "step %zu", step);
        cr_expect_str_eq(out, expected);
    }
}

Test(json_stream, empty_list)
{
    char out[64] = "";

    cr_assert_eq(run("{\"items\":[]}", 100, 100, out, sizeof(out)), JSON_STREAM_END);
    cr_assert_str_eq(out, "");
}

Test(json_stream, what_is_no_list_is_bad)
{
    static const char *const bad[] = {
        "[]",
        "x",
        "{x",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"items\":null}",
        "{\"items\":{}}",
        "{\"items\":[1,]}",
        "{\"items\":[,1]}",
        "{\"items\":[1 2]}",
        "{\"items\":[],\"items\":[]}",
        "{\"a\":,}",
        "{\"a\\u0061\":1}",
        "{\"items\":[1}}",
        "{\"a name that is far longer than any that a Kubernetes list has at its top level\":1}",
    };
    char out[256];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        for (size_t step = 1; step < 20; step++)
            cr_expect_eq(run(bad[i], step, 4096, out, sizeof(out)), JSON_STREAM_BAD, "%s, step %zu", bad[i], step);
}

Test(json_stream, an_item_is_bounded)
{
    char out[256];

    cr_expect_eq(run("{\"items\":[\"0123456789\"]}", 4, 12, out, sizeof(out)), JSON_STREAM_END);
    cr_expect_eq(run("{\"items\":[\"0123456789\"]}", 4, 11, out, sizeof(out)), JSON_STREAM_BAD);
}
