/* SPDX-License-Identifier: MIT */
/* Lists as they arrive: the same in whatever pieces, and never good before they are whole. */
#include <config.h>

#include "kube_rig.h"

TestSuite(kube_list, .timeout = 10);

/* ---- a list, fed ---- */

struct reading {
    struct kube_list list;
    struct buf next, seen; /* seen: the items' names, each with a semicolon */
    int fail_at;           /* the item that is refused; 0 = none */
    int items;
    struct err err;
};

static int on_item(void *arg, const struct json_doc *doc, struct err *err)
{
    struct reading *reading = arg;
    char name[SOURCE_NAME_MAX + 1];

    if (++reading->items == reading->fail_at)
        return err_set(err, "item %d is refused", reading->items);
    if (json_str(doc, json_path(doc, 0, "metadata", "name", NULL), name, sizeof(name)) < 0)
        return err_set(err, "no name");
    buf_addf(&reading->seen, "%s;", name);
    return 0;
}

static void begin(struct reading *reading, const char *kind)
{
    *reading = (struct reading){0};
    buf_init(&reading->next, KUBE_CONTINUE_MAX_BYTES);
    buf_init(&reading->seen, 65536);
    reading->list = (struct kube_list){.kind = kind,
                                       .doc = json_doc_new(KUBE_OBJECT_MAX_VALUES),
                                       .next = &reading->next,
                                       .on_item = on_item,
                                       .arg = reading};
    cr_assert(reading->list.doc);
    kube_list_begin(&reading->list);
}

static void end(struct reading *reading)
{
    kube_list_release(&reading->list);
    json_doc_free((struct json_doc *)reading->list.doc);
    buf_release(&reading->next);
    buf_release(&reading->seen);
}

static int feed(struct reading *reading, const char *data, size_t len)
{
    return kube_list_feed(&reading->list, data, len, &reading->err);
}

/* The whole text in one, and its end. */
static int read_whole(struct reading *reading, const char *kind, const char *text)
{
    begin(reading, kind);
    if (feed(reading, text, strlen(text)) < 0)
        return -1;
    return kube_list_end(&reading->list, &reading->err);
}

static void expect_bad(const char *text, const char *reason)
{
    struct reading reading;

    cr_expect_eq(read_whole(&reading, "PodList", text), -1, "%s", text);
    cr_expect_str_eq(reading.err.text, reason, "%s: %s", text, reading.err.text);
    end(&reading);
}

static void expect_good(const char *text, const char *names, const char *next)
{
    struct reading reading;

    cr_expect_eq(read_whole(&reading, "PodList", text), 0, "%s: %s", reading.err.text, text);
    cr_expect_str_eq(buf_str(&reading.seen), names);
    cr_expect_str_eq(buf_str(&reading.next), next);
    end(&reading);
}

#define A "{\"metadata\":{\"name\":\"a\"}}"
#define B "{\"metadata\":{\"name\":\"b}],\\\"\\\\\"},\"x\":[1,[2,{}]]}"

/* Members in another order than usual, blanks, escapes, brackets within strings, a continue token. */
static const char awkward[] =
    " {\"items\" : [" A ",\n" B " ] ,\"metadata\":{\"continue\":\"t\\u003d\"},\"other\":12.5e3 ,"
    "\"kind\":\"PodList\"}\r\n";

/* ---- lists that are good ---- */

Test(kube_list, recorded_lists)
{
    static const int pods[] = {3, 5, 5, 5, 0}, sets[] = {1, 2, 2, 2, 2};

    for (size_t v = 0; v < ARRAY_LEN(kube_versions); v++) {
        for (size_t p = 0; p < ARRAY_LEN(kube_phases); p++) {
            struct buf pod_list = kube_recorded(v, p, "pods"), set_list = kube_recorded(v, p, "replicasets");
            struct reading reading;

            cr_expect_eq(read_whole(&reading, "PodList", buf_str(&pod_list)), 0, "%s", reading.err.text);
            cr_expect(reading.items == pods[p] && reading.next.len == 0);
            end(&reading);
            cr_expect_eq(read_whole(&reading, "ReplicaSetList", buf_str(&set_list)), 0, "%s", reading.err.text);
            cr_expect_eq(reading.items, sets[p]);
            end(&reading);
            cr_expect_eq(read_whole(&reading, "PodList", buf_str(&set_list)), -1, "ReplicaSets are no pods");
            cr_expect_str_eq(reading.err.text, "the answer is no PodList");
            cr_expect_eq(reading.items, 0, "nothing was handed on before the kind was known");
            end(&reading);
            buf_release(&pod_list);
            buf_release(&set_list);
        }
    }
}

Test(kube_list, members_in_any_order)
{
    expect_good(awkward, "a;b}],\"\\;", "t=");
    expect_good("{\"kind\":\"PodList\",\"metadata\":{},\"items\":[]}", "", "");
    expect_good("{\"items\":[],\"kind\":\"Pod\\u004cist\"}", "", "");
    expect_good("{\"kind\":\"PodList\",\"metadata\":null,\"items\":[" A "]}", "a;", "");
}

/* ---- pieces ---- */

static void expect_same_when_cut(const char *text, size_t len, size_t at)
{
    struct reading reading;

    begin(&reading, "PodList");
    cr_expect_eq(feed(&reading, text, at), 0, "%zu: %s", at, reading.err.text);
    cr_expect_eq(feed(&reading, text + at, len - at), 0, "%zu: %s", at, reading.err.text);
    cr_expect_eq(kube_list_end(&reading.list, &reading.err), 0, "%zu: %s", at, reading.err.text);
    cr_expect_str_eq(buf_str(&reading.seen), "a;b}],\"\\;");
    cr_expect_str_eq(buf_str(&reading.next), "t=");
    end(&reading);
}

Test(kube_list, cut_at_every_offset_it_is_the_same)
{
    for (size_t at = 0; at < sizeof(awkward); at++)
        expect_same_when_cut(awkward, strlen(awkward), at);
}

Test(kube_list, byte_by_byte_it_is_the_same)
{
    struct buf text = kube_recorded(1, 1, "pods");
    struct reading whole, bytes;

    cr_assert_eq(read_whole(&whole, "PodList", buf_str(&text)), 0);
    begin(&bytes, "PodList");
    for (size_t i = 0; i < text.len; i++)
        cr_assert_eq(feed(&bytes, text.data + i, 1), 0, "%zu: %s", i, bytes.err.text);
    cr_expect_eq(kube_list_end(&bytes.list, &bytes.err), 0);
    cr_expect_str_eq(buf_str(&bytes.seen), buf_str(&whole.seen));
    end(&whole);
    end(&bytes);
    buf_release(&text);
}

Test(kube_list, a_list_that_ends_early_is_never_good)
{
    size_t whole = strlen(awkward) - 2; /* the blanks behind it do not matter */

    for (size_t at = 0; at < whole; at++) {
        struct reading reading;

        begin(&reading, "PodList");
        cr_expect_eq(feed(&reading, awkward, at), 0);
        cr_expect_eq(kube_list_end(&reading.list, &reading.err), -1, "cut at %zu", at);
        cr_expect_str_eq(reading.err.text, "the answer ends within the PodList");
        end(&reading);
    }
}

Test(kube_list, pages_are_read_with_one_reader)
{
    struct reading reading;

    cr_assert_eq(read_whole(&reading, "PodList", awkward), 0);
    cr_expect_str_eq(buf_str(&reading.next), "t=", "kept until the next page is asked for");
    kube_list_begin(&reading.list);
    cr_expect_eq(kube_list_end(&reading.list, NULL), -1, "the page before is no part of this one");
    cr_assert_eq(feed(&reading, "{\"items\":[],\"kind\":\"PodList\"}", 29), 0);
    cr_expect(kube_list_end(&reading.list, NULL) == 0 && reading.next.len == 0);
    end(&reading);
}

/* ---- lists that are none ---- */

Test(kube_list, of_the_wrong_kind)
{
    expect_bad("{\"kind\":\"PodListX\",\"items\":[]}", "the answer is no PodList");
    expect_bad("{\"kind\":null,\"items\":[]}", "the answer is no PodList");
    expect_bad("{\"kind\":[\"PodList\"],\"items\":[]}", "the answer is no PodList");
    expect_bad("{\"kind\":\"Status\",\"message\":\"no\"}", "the answer is no PodList");
    expect_bad("{\"items\":[" A "],\"kind\":\"SecretList\"}", "the answer is no PodList");
    expect_bad("{\"items\":[]}", "the answer has no kind and is no PodList");
}

Test(kube_list, without_items)
{
    expect_bad("{\"kind\":\"PodList\"}", "the answer has no items and is no PodList");
    expect_bad("{\"kind\":\"PodList\",\"metadata\":{\"items\":[]}}", "the answer has no items and is no PodList");
    expect_bad("{}", "the answer has no kind and is no PodList");
    expect_bad("{\"kind\":\"PodList\",\"items\":null}",
               "the answer is no PodList: \"items\" is no array, or comes twice");
    expect_bad("{\"kind\":\"PodList\",\"items\":{}}",
               "the answer is no PodList: \"items\" is no array, or comes twice");
    expect_bad("{\"items\":[],\"items\":[" A "],\"kind\":\"PodList\"}",
               "the answer is no PodList: \"items\" is no array, or comes twice");
}

Test(kube_list, with_two_roots)
{
    expect_bad("{\"kind\":\"PodList\",\"items\":[]}{\"kind\":\"PodList\",\"items\":[]}",
               "the answer is no PodList: something behind the list");
    expect_bad("{\"kind\":\"PodList\",\"items\":[]} x", "the answer is no PodList: something behind the list");
    expect_bad("[{\"kind\":\"PodList\",\"items\":[]}]", "the answer is no PodList: not a JSON object");
    expect_bad("Too many requests, please try again later.", "the answer is no PodList: not a JSON object");
    expect_bad("", "the answer ends within the PodList");
}

Test(kube_list, with_broken_pieces)
{
    struct reading reading;
    static const char *const texts[] = {
        "{\"kind\":\"PodList\",\"items\":[{\"metadata\":{\"name\":a}}]}",
        "{\"kind\":\"PodList\",\"items\":[{\"a\":1]]}",
        "{\"kind\":\"PodList\",\"items\":[,]}",
        "{\"kind\":\"PodList\",\"items\":[" A ",]}",
        "{\"kind\":\"PodList\",\"items\":[" A A "]}",
        "{\"kind\":\"PodList\",\"items\":[]]}",
        "{\"kind\":\"PodList\",,\"items\":[]}",
        "{\"kind\" \"PodList\",\"items\":[]}",
        "{\"kind\":\"PodList\",\"metadata\":{\"continue\":7},\"items\":[]}",
        "{\"kind\":\"PodList\",\"metadata\":tru,\"items\":[]}",
        "{\"kind\":\"Pod\nList\",\"items\":[]}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cr_expect_eq(read_whole(&reading, "PodList", texts[i]), -1, "%s", texts[i]);
        cr_expect_neq(reading.err.text[0], '\0');
        end(&reading);
    }
}

Test(kube_list, what_the_taker_of_items_says_ends_it)
{
    struct reading reading;

    begin(&reading, "PodList");
    reading.fail_at = 2;
    cr_expect_eq(feed(&reading, awkward, strlen(awkward)), -1);
    cr_expect_str_eq(reading.err.text, "item 2 is refused");
    cr_expect_str_eq(buf_str(&reading.seen), "a;");
    end(&reading);
}

Test(kube_list, an_item_larger_than_its_limit)
{
    static const char begins[] = "{\"kind\":\"PodList\",\"items\":[{\"x\":\"";
    char *much = malloc(KUBE_OBJECT_MAX_BYTES);
    struct reading reading;

    cr_assert(much);
    memset(much, 'x', KUBE_OBJECT_MAX_BYTES);
    begin(&reading, "PodList");
    cr_assert_eq(feed(&reading, begins, strlen(begins)), 0);
    cr_expect_eq(feed(&reading, much, KUBE_OBJECT_MAX_BYTES), -1);
    cr_expect_str_eq(reading.err.text, "the answer is no PodList: an item larger than the limit, or out of memory");
    end(&reading);
    free(much);
}
