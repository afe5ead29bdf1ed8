/* SPDX-License-Identifier: MIT */
/* The answer to a watch cut anywhere, recorded and made up. */
#include <config.h>

#include "kube_rig.h"

#include "../../../src/pods/kube_events.h"
#include "../wire/guarded.h"

TestSuite(kube_events, .timeout = 20);

struct reading {
    struct kube_events events;
    struct buf seen; /* "ADDED NAME;" of each */
    size_t n;
    struct err err;
};

static int on_event(void *arg, const struct kube_event *event, struct err *err)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};
    struct reading *reading = arg;
    char name[SOURCE_NAME_MAX + 1] = "-";

    json_str(event->doc, json_path(event->doc, event->object, "metadata", "name", NULL), name, sizeof(name));
    buf_addf(&reading->seen, "%s %s;", names[event->type], name);
    reading->n++;
    return strcmp(name, "stop") == 0 ? err_set(err, "stopped") : 0;
}

static void begin(struct reading *reading)
{
    *reading = (struct reading){.err = {""}};
    buf_init(&reading->seen, 65536);
    reading->events =
        (struct kube_events){.doc = json_doc_new(KUBE_OBJECT_MAX_VALUES), .on_event = on_event, .arg = reading};
    cr_assert(reading->events.doc);
    kube_events_begin(&reading->events);
}

static void end(struct reading *reading)
{
    kube_events_release(&reading->events);
    json_doc_free(reading->events.doc);
    buf_release(&reading->seen);
}

/* All of it, in pieces of `size` bytes that end at a page's end. 0 or -1. */
static int feed(struct reading *reading, const char *text, size_t len, size_t size)
{
    int rc = 0;

    for (size_t at = 0; at < len && rc == 0; at += size) {
        size_t n = len - at < size ? len - at : size;

        rc = kube_events_feed(&reading->events, guarded(text + at, n), n, &reading->err);
    }
    return rc;
}

Test(kube_events, cut_anywhere)
{
    static const char text[] = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"},\"x\":\"} \\n\\\"{\"}}\n"
                               "\n"
                               "{\"object\":{\"metadata\":{\"name\":\"b\"}},\"type\":\"MODIFIED\"}\r\n"
                               "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{"
                               "\"containers\":null}}}\n"
                               "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n"
                               "{\"type\":\"ERROR\",\"object\":{\"code\":410}}\n"
                               "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"unfinished\"}}}";

    for (size_t size = 1; size <= sizeof(text); size++) {
        struct reading reading;

        begin(&reading);
        cr_assert_eq(feed(&reading, text, strlen(text), size), 0, "%zu: %s", size, reading.err.text);
        cr_expect_str_eq(buf_str(&reading.seen), "ADDED a;MODIFIED b;BOOKMARK -;DELETED a;ERROR -;", "%zu: %s", size,
                         buf_str(&reading.seen));
        end(&reading);
    }
}

Test(kube_events, recordings)
{
    static const struct {
        const char *name;
        size_t events;
    } cases[] = {
        {"v1.36-watch-deployment.json", 31},
        {"v1.36-watch-replicasets.json", 50},
        {"v1.36-watch-pods.json", 43},
        {"pods-watch-expired-410.json", 1},
    };
    static const size_t sizes[] = {1000000, 16384, 997, 61};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
            struct buf text = kube_recording(cases[i].name);
            struct reading reading;

            if (sizes[j] > GUARDED_PAGES * 4096) {
                begin(&reading);
                cr_assert_eq(kube_events_feed(&reading.events, text.data, text.len, &reading.err), 0);
            } else {
                begin(&reading);
                cr_assert_eq(feed(&reading, text.data, text.len, sizes[j]), 0, "%s", reading.err.text);
            }
            cr_expect_eq(reading.n, cases[i].events, "%s by %zu: %zu", cases[i].name, sizes[j], reading.n);
            end(&reading);
            buf_release(&text);
        }
    }
}

Test(kube_events, what_is_no_event)
{
    static const char *const lines[] = {
        "{}\n",
        "[]\n",
        "null\n",
        "{\"type\":\"ADDED\"}\n",
        "{\"type\":\"ADDED\",\"object\":null}\n",
        "{\"type\":\"ADDED\",\"object\":\"x\"}\n",
        "{\"type\":\"added\",\"object\":{}}\n",
        "{\"type\":7,\"object\":{}}\n",
        "{\"object\":{}}\n",
        "{\"type\":\"ADDED\",\"object\":{}} {}\n",
        "{\"type\":\"ADDED\",\"object\":{}\n",
        "HTTP/1.1 500\n",
        "\x01\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct reading reading;

        begin(&reading);
        cr_expect_eq(feed(&reading, lines[i], strlen(lines[i]), 3), -1, "%s", lines[i]);
        cr_expect(reading.err.text[0] && reading.n == 0);
        end(&reading);
    }
}

Test(kube_events, the_reader_is_told_to_stop)
{
    static const char text[] = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"stop\"}}}\n"
                               "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"more\"}}}\n";
    struct reading reading;

    begin(&reading);
    cr_expect_eq(kube_events_feed(&reading.events, text, strlen(text), &reading.err), -1);
    cr_expect_str_eq(reading.err.text, "stopped");
    cr_expect_eq(reading.n, 1);
    end(&reading);
}

/* A line without an end costs its bound, no more. */
Test(kube_events, a_line_that_never_ends)
{
    struct reading reading;
    char block[65536];
    size_t fed = 0;

    memset(block, ' ', sizeof(block));
    begin(&reading);
    while (fed <= KUBE_OBJECT_MAX_BYTES + sizeof(block) &&
           kube_events_feed(&reading.events, block, sizeof(block), &reading.err) == 0)
        fed += sizeof(block);
    cr_expect_eq(fed, KUBE_OBJECT_MAX_BYTES);
    cr_expect(strstr(reading.err.text, "larger than"), "%s", reading.err.text);
    cr_expect_leq(reading.events.line.room, 2 * KUBE_OBJECT_MAX_BYTES);
    end(&reading);
}
