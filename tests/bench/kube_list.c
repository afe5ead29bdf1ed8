/* SPDX-License-Identifier: MIT */
/*
 * What a list of pods costs the master: PODS pods made of one that was recorded, each with a name, uid and
 * address of its own, as pages of 500 and as one list, fed in pieces as large as libcurl gives them or as a
 * packet. Then the share of each stage: cutting the list into items, checking and parsing them, reading the
 * pods out of them. Times are of CPU, the best of RUNS, which other work on the machine disturbs least;
 * memory is the growth of the process's peak over its size before, in a child of its own, without the text
 * itself.
 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>

#include "../../src/pods/kube_list.h"
#include "../../src/pods/kube_select.h"
#include "figure.h"

#define PODS 5000
#define PAGE_ITEMS 500
#define RUNS 15
#define CURL_PIECE 16384 /* CURL_MAX_WRITE_SIZE */
#define PACKET 1448
#define TEXT_MAX ((size_t)64 * 1024 * 1024)

/* The recorded pod, and what in it is each pod's own. */
static const char recording[] = FIXTURES "/v1.36-1-settled-pods.json";
static const char own_name[] = "dp4ss", own_uid[] = "7d2b819e", own_ip[] = "127.0.0.2";
static const char set_uid[] = "f6ea47ca-e053-4a03-ba46-895fb89c4f8f";

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* ---- lists ---- */

struct list {
    struct buf *pages;
    size_t n_pages, bytes;
};

/* The first item of the recorded list. */
static struct buf first_item(void)
{
    struct json_stream stream;
    struct buf text, item;
    size_t at = 0, used;
    enum json_stream_event event = JSON_STREAM_MORE;

    buf_init(&text, KUBE_OBJECT_MAX_BYTES);
    buf_init(&item, KUBE_OBJECT_MAX_BYTES);
    if (fd_read_file(recording, &text, NULL) < 0)
        fail(recording);
    json_stream_init(&stream, KUBE_OBJECT_MAX_BYTES);
    for (; at < text.len && event != JSON_STREAM_ITEM; at += used)
        event = json_stream_feed(&stream, text.data + at, text.len - at, &used);
    buf_add(&item, stream.piece.data, stream.piece.len);
    json_stream_release(&stream);
    buf_release(&text);
    return item;
}

/* What stands at `at` in place of the recorded pod's own, and how long the latter is; 0 = nothing. */
static size_t own_at(const char *at, uint32_t i, char text[32])
{
    if (strncmp(at, own_name, strlen(own_name)) == 0)
        snprintf(text, 32, "%05x", i);
    else if (strncmp(at, own_uid, strlen(own_uid)) == 0)
        snprintf(text, 32, "%08x", i);
    else if (strncmp(at, own_ip, strlen(own_ip)) == 0)
        snprintf(text, 32, "10.%u.%u.%u", i >> 16 & 0xff, i >> 8 & 0xff, i & 0xff);
    else
        return 0;
    return *at == '1' ? strlen(own_ip) : *at == '7' ? strlen(own_uid) : strlen(own_name);
}

static void add_pod(struct buf *page, const struct buf *item, uint32_t i)
{
    for (size_t at = 0; at < item->len;) {
        char text[32];
        size_t taken = own_at(item->data + at, i, text);

        if (taken > 0)
            buf_add_str(page, text);
        else
            buf_add_char(page, item->data[at]);
        at += taken > 0 ? taken : 1;
    }
}

static struct list make_list(const struct buf *item, size_t page_items)
{
    struct list list = {.n_pages = (PODS + page_items - 1) / page_items};

    list.pages = calloc(list.n_pages, sizeof(*list.pages));
    for (size_t p = 0; list.pages && p < list.n_pages; p++) {
        struct buf *page = &list.pages[p];

        buf_init(page, TEXT_MAX);
        buf_add_str(page, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
                          "\"250\"},\"items\":[");
        for (size_t i = p * page_items; i < PODS && i < (p + 1) * page_items; i++) {
            if (i > p * page_items)
                buf_add_char(page, ',');
            add_pod(page, item, (uint32_t)i);
        }
        buf_add_str(page, "]}");
        list.bytes += page->len;
        if (page->failed)
            fail("out of memory");
    }
    return list;
}

static void release_list(struct list *list)
{
    for (size_t p = 0; p < list->n_pages; p++)
        buf_release(&list->pages[p]);
    free(list->pages);
}

/* ---- reading ---- */

enum stage { STAGE_CUT, STAGE_PARSE, STAGE_READ };

struct reading {
    enum stage stage;
    struct json_doc *doc;
    struct kube_selection selection;
    struct kube_list list;
    struct buf next;
    size_t items;
};

static int on_item(void *arg, const struct json_doc *doc, struct err *err)
{
    struct reading *reading = arg;
    struct kube_pod pod;

    reading->items++;
    if (reading->stage != STAGE_READ)
        return 0;
    return kube_read_pod(doc, 0, &pod, err) == 0 ? kube_selection_add_pod(&reading->selection, &pod, err) : -1;
}

static void begin(struct reading *reading, enum stage stage)
{
    const struct kube_rules rules = {.filter = CONF_FILTER_READY, .port = 8443, .max_pods = PODS};
    struct kube_deployment deployment = {.uid = "d", .revision = "1"};
    struct kube_replicaset set = {.owner = "d", .revision = "1"};

    *reading = (struct reading){.stage = stage, .doc = json_doc_new(KUBE_OBJECT_MAX_VALUES)};
    memcpy(set.uid, set_uid, sizeof(set_uid));
    buf_init(&reading->next, KUBE_CONTINUE_MAX_BYTES);
    if (!reading->doc || kube_selection_init(&reading->selection, &rules) < 0 ||
        kube_selection_add_set(&reading->selection, &deployment, &set, NULL) < 0)
        fail("out of memory");
    reading->list = (struct kube_list){
        .kind = "PodList", .doc = reading->doc, .next = &reading->next, .on_item = on_item, .arg = reading};
}

static void end(struct reading *reading)
{
    if (reading->items != PODS || (reading->stage == STAGE_READ && reading->selection.n != PODS))
        fail("pods are missing");
    kube_list_release(&reading->list);
    kube_selection_release(&reading->selection);
    json_doc_free(reading->doc);
    buf_release(&reading->next);
}

static void cut(struct reading *reading, const char *data, size_t len)
{
    for (size_t used; len > 0; data += used, len -= used)
        reading->items += json_stream_feed(&reading->list.stream, data, len, &used) == JSON_STREAM_ITEM;
}

static void read_page(struct reading *reading, const struct buf *page, size_t piece)
{
    struct err err = {""};

    kube_list_begin(&reading->list);
    for (size_t at = 0; at < page->len; at += piece) {
        size_t len = page->len - at < piece ? page->len - at : piece;

        if (reading->stage == STAGE_CUT)
            cut(reading, page->data + at, len);
        else if (kube_list_feed(&reading->list, page->data + at, len, &err) < 0)
            fail(err.text);
    }
    if (reading->stage != STAGE_CUT && kube_list_end(&reading->list, &err) < 0)
        fail(err.text);
}

static void read_list(const struct list *list, size_t piece, enum stage stage)
{
    struct reading reading;

    begin(&reading, stage);
    for (size_t p = 0; p < list->n_pages; p++)
        read_page(&reading, &list->pages[p], piece);
    if (stage == STAGE_READ)
        kube_selection_finish(&reading.selection);
    end(&reading);
}

/* ---- measuring ---- */

static double cpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Seconds of CPU. */
static double time_of(const struct list *list, size_t piece, enum stage stage)
{
    double best = 1e9;

    for (int i = 0; i < RUNS; i++) {
        double begun = cpu_now();

        read_list(list, piece, stage);
        begun = cpu_now() - begun;
        best = begun < best ? begun : best;
    }
    return best;
}

/* A field of /proc/self/status, in kB. */
static long status_kb(const char *field)
{
    struct buf text;
    const char *at;
    long kb;

    buf_init(&text, 65536);
    if (fd_read_file("/proc/self/status", &text, NULL) < 0 || !(at = strstr(buf_str(&text), field)))
        fail("/proc/self/status");
    kb = strtol(at + strlen(field), NULL, 10);
    buf_release(&text);
    return kb;
}

/* In a child, whose peak begins anew (proc(5), clear_refs). */
static void print_peak(const struct list *list)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    long before;

    if (fd < 0 || write(fd, "5", 1) != 1) {
        printf("        ?\n");
        return;
    }
    before = status_kb("VmHWM:");
    read_list(list, CURL_PIECE, STAGE_READ);
    printf("%7.1f MB\n", (double)(status_kb("VmHWM:") - before) / 1024);
}

static void measure(const char *name, const char *what, const struct list *list, size_t piece)
{
    double s = time_of(list, piece, STAGE_READ);
    pid_t pid;

    figure(name, s * 1e6 / PODS, "us/pod", "");
    printf("%-36s %6.1f ms %6.1f MB/s %9.0f pods/s ", what, s * 1e3, (double)list->bytes / 1e6 / s, PODS / s);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        print_peak(list);
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void measure_stages(const struct list *list)
{
    static const char *const names[] = {"cut into items", "check and parse", "read and select"};
    double all = time_of(list, CURL_PIECE, STAGE_READ), before = 0;

    printf("of a pod's %.1f us:", all * 1e6 / PODS);
    for (enum stage stage = STAGE_CUT; stage <= STAGE_READ; stage++) {
        double s = stage == STAGE_READ ? all : time_of(list, CURL_PIECE, stage);

        printf("%s %s %.0f %%", stage == STAGE_CUT ? "" : ",", names[stage], (s - before) / all * 100);
        before = s;
    }
    printf("\n");
}

int main(void)
{
    struct buf item = first_item();
    struct list pages = make_list(&item, PAGE_ITEMS), one = make_list(&item, PODS);

    printf("%d pods, %.1f MB, %.0f bytes a pod%*s peak\n", PODS, (double)one.bytes / 1e6, (double)one.bytes / PODS, 43,
           "");
    measure("list_in_pages", "pages of 500, in pieces of 16,384", &pages, CURL_PIECE);
    measure("list_whole", "one list, in pieces of 16,384", &one, CURL_PIECE);
    measure("list_in_packets", "one list, in pieces of 1,448", &one, PACKET);
    measure_stages(&one);
    release_list(&pages);
    release_list(&one);
    buf_release(&item);
    return 0;
}
