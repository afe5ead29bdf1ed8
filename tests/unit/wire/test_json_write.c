/* SPDX-License-Identifier: MIT */
/* The JSON writer: commas, escapes, and that the reader reads what it wrote. */
#include <criterion/criterion.h>
#include <signal.h>

#include <syncer/wire/json_read.h>
#include <syncer/wire/json_write.h>

TestSuite(json_write, .timeout = 30);

Test(json_write, nesting_and_commas)
{
    struct json_writer w;
    struct buf buf;

    buf_init(&buf, 1000);
    json_writer_init(&w, &buf);
    json_object_begin(&w);
    json_put_string(&w, "a", "x\"\\\n\x01\x7f\xc3\xa9\xff");
    json_put_string(&w, "b", NULL);
    json_key(&w, "c");
    json_array_begin(&w);
    json_number(&w, INT64_MIN);
    json_decimal(&w, -1234);
    json_decimal(&w, 50);
    json_array_begin(&w);
    json_array_end(&w);
    json_object_begin(&w);
    json_object_end(&w);
    json_array_end(&w);
    json_put_boolean(&w, "d", true);
    json_put_number(&w, "e", 7);
    json_object_end(&w);
    cr_assert_str_eq(buf_str(&buf), "{\"a\":\"x\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\xef\xbf\xbd\",\"b\":null,"
                                    "\"c\":[-9223372036854775808,-1.234,0.050,[],{}],\"d\":true,\"e\":7}");
    buf_release(&buf);
}

Test(json_write, any_bytes_come_back_as_json)
{
    struct json_doc *doc = json_doc_new(10);
    struct json_writer w;
    struct buf buf;
    char all[256], out[1024];

    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    buf_init(&buf, 4096);
    json_writer_init(&w, &buf);
    json_string(&w, all + 1, 255); /* the reader gives out no U+0000 */
    cr_assert_eq(json_doc_parse(doc, buf.data, buf.len, NULL), 0);
    cr_assert_eq(json_str(doc, 0, out, sizeof(out)), 127 + 128 * 3);
    cr_assert_eq(memcmp(out, all + 1, 127), 0);
    json_doc_free(doc);
    buf_release(&buf);
}

/* Each breaks the nesting in its own way and must end the process. */
static void misuse(int how)
{
    struct json_writer w;
    struct buf buf;

    buf_init(&buf, 1000);
    json_writer_init(&w, &buf);
    if (how == 0)
        json_array_end(&w);
    json_object_begin(&w);
    if (how == 1)
        json_number(&w, 1); /* no key */
    if (how == 2)
        json_array_end(&w);
    json_key(&w, "a");
    if (how == 3)
        json_object_end(&w); /* no value */
    if (how == 4)
        json_key(&w, "b");
    json_array_begin(&w);
    if (how == 5)
        json_key(&w, "c");
    json_array_end(&w);
    json_object_end(&w);
    if (how == 6)
        json_null(&w); /* a second value at the top */
    buf_release(&buf);
}

#define MISUSE(n)                                          \
    Test(json_write, wrong_nesting_##n, .signal = SIGABRT) \
    {                                                      \
        misuse(n);                                         \
    }
MISUSE(0)
MISUSE(1)
MISUSE(2)
MISUSE(3)
MISUSE(4)
MISUSE(5)
MISUSE(6)

Test(json_write, a_full_buffer_shows_as_failed)
{
    struct json_writer w;
    struct buf buf;

    buf_init(&buf, 8);
    json_writer_init(&w, &buf);
    json_cstring(&w, "longer than eight");
    cr_assert(buf.failed);
    buf_release(&buf);
}
