/* SPDX-License-Identifier: MIT */
/*
 * The addresses of a DNS name: a headless Service's are its ready pods. A and AAAA are asked at the same
 * time, and only together they make a list: if one could not be learned, pods may be missing. A name without
 * any address is a failure too, since a Service without a ready pod looks exactly like a name that is
 * misspelt (both NXDOMAIN: Kubernetes DNS-Based Service Discovery, section 2.4.1).
 *
 * A short name stands for several (the search list). The one that has once had addresses is the only one from
 * then on: else, when a Service has no ready pod, the next candidate, such as a company's wildcard, could
 * answer for it.
 *
 * DNS knows no pod's name: pods are called by their addresses.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/macros.h>
#include <syncer/base/random.h>

#include "dns_ask.h"
#include "source_kind.h"

#define READ_MIN_MS 1000
#define BACKOFF_MAX_MS 30000

struct dns_source {
    struct source source;
    const struct conf *conf;
    struct loop_timer timer; /* the next read */
    bool reading, again;     /* again: another read right after this one */
    int64_t backoff_ms;
    struct dns_resolv resolv;
    char candidates[DNS_CANDIDATES_MAX][DNS_NAME_MAX + 1];
    size_t n_candidates, candidate; /* that is asked for */
    char found[DNS_NAME_MAX + 1];   /* the candidate that has had addresses; "" = none yet */
    struct dns_ask asks[DNS_FAMILIES];
    size_t asking; /* questions without an answer yet */
};

/* ---- the end of a read ---- */

static int64_t set_next_read(struct dns_source *self, int64_t ms)
{
    ms = self->again ? 0 : ms;
    self->reading = self->again = false;
    loop_timer_set(&self->timer, clock_now_ns() + ms * NS_PER_MS);
    return ms;
}

/* 1 s, doubling to 30 s but never beyond the usual interval; a quarter of it is jitter. */
static int64_t back_off_ms(struct dns_source *self)
{
    int64_t most = self->conf->scrape_interval_ms < BACKOFF_MAX_MS ? self->conf->scrape_interval_ms : BACKOFF_MAX_MS;

    self->backoff_ms = self->backoff_ms ? self->backoff_ms * 2 : READ_MIN_MS;
    if (self->backoff_ms > most)
        self->backoff_ms = most;
    return self->backoff_ms - random_below((uint32_t)self->backoff_ms / 4);
}

static void fail(struct dns_source *self, const char *reason, bool too_many)
{
    struct source_failure failure = {.too_many = too_many};

    failure.retry_ms = set_next_read(self, back_off_ms(self));
    err_set(&failure.reason, "dns: %s", reason);
    self->source.events->on_failed(self->source.arg, &failure);
}

static void fail_without_address(struct dns_source *self)
{
    struct buf reason;

    buf_init(&reason, sizeof(((struct err *)0)->text));
    buf_addf(&reason, "%.253s has no address: no pod is ready, or `service` is wrong; asked for", self->conf->service);
    for (size_t i = 0; i < self->n_candidates; i++)
        buf_addf(&reason, "%s %s", i > 0 ? "," : "", self->candidates[i]);
    fail(self, reason.failed ? "`service` has no address: no pod is ready, or it is wrong" : buf_str(&reason), false);
    buf_release(&reason);
}

/* ---- a list ---- */

/* "This host", broadcast and multicast are nobody's; filters answer 0.0.0.0 for what they hide, and
 * connecting there would reach this machine. */
static bool is_usable(const struct addr *addr)
{
    static const struct addr none6 = {.family = 6};

    if (addr->family == 4)
        return addr->bytes[0] != 0 && addr->bytes[0] < 224;
    return addr->bytes[0] != 0xff && !addr_equal(addr, &none6);
}

static int compare(const void *a, const void *b)
{
    const struct addr *x = a, *y = b;

    return x->family != y->family ? x->family - y->family : memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

/* The addresses of both families, sorted, each once; `addrs` has room for all. How many. */
static size_t join(const struct dns_source *self, struct addr *addrs)
{
    size_t n = 0, unique = 0;

    for (size_t f = 0; f < DNS_FAMILIES; f++) {
        const struct dns_answer *answer = &self->asks[f].answer;

        if (answer->outcome != DNS_FOUND)
            continue;
        memcpy(addrs + n, answer->addrs, answer->n * sizeof(*addrs));
        n += answer->n;
    }
    qsort(addrs, n, sizeof(*addrs), compare);
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || !addr_equal(&addrs[unique - 1], &addrs[i]))
            addrs[unique++] = addrs[i];
    return unique;
}

static int fill(const struct dns_source *self, struct source_pod *pods, const struct addr *addrs, size_t n,
                struct err *err)
{
    char text[ADDR_TEXT_BYTES];

    for (size_t i = 0; i < n; i++) {
        if (!is_usable(&addrs[i]))
            return err_set(err, "%s: %s is no pod's address", self->candidates[self->candidate],
                           addr_format(&addrs[i], text));
        snprintf(pods[i].name, sizeof(pods[i].name), "%s", addr_format(&addrs[i], text));
        pods[i].addr = addrs[i];
        pods[i].port = (uint16_t)self->conf->port;
        pods[i].state = SOURCE_READY;
        pods[i].counts = true;
    }
    return 0;
}

static void describe(struct dns_source *self)
{
    snprintf(self->source.description, sizeof(self->source.description), "dns: %.254s%s%.253s%s", self->conf->service,
             self->found[0] ? " (" : "", self->found, self->found[0] ? ")" : "");
}

static int64_t interval_ms(const struct dns_source *self)
{
    int64_t ms = self->conf->scrape_interval_ms;

    for (size_t f = 0; f < DNS_FAMILIES; f++) {
        const struct dns_answer *answer = &self->asks[f].answer;

        if (answer->outcome == DNS_FOUND && (int64_t)answer->ttl_s * 1000 < ms)
            ms = (int64_t)answer->ttl_s * 1000;
    }
    return ms < READ_MIN_MS ? READ_MIN_MS : ms;
}

static void hand_on(struct dns_source *self, const struct source_pod *pods, size_t n)
{
    memcpy(self->found, self->candidates[self->candidate], sizeof(self->found));
    describe(self);
    self->backoff_ms = 0;
    set_next_read(self, interval_ms(self));
    self->source.events->on_list(self->source.arg, pods, n);
}

static void succeed(struct dns_source *self)
{
    size_t most = self->asks[DNS_IPV4].answer.n + self->asks[DNS_IPV6].answer.n, n;
    struct addr *addrs = calloc(most, sizeof(*addrs));
    struct source_pod *pods = NULL;
    struct err err;

    n = addrs ? join(self, addrs) : 0;
    err_set(&err, "%zu addresses are more than max_pods (%d)", n, (int)self->conf->max_pods);
    if (addrs && n <= (size_t)self->conf->max_pods)
        pods = calloc(n, sizeof(*pods));
    if (n > (size_t)self->conf->max_pods)
        fail(self, err.text, true);
    else if (!pods)
        fail(self, "out of memory", false);
    else if (fill(self, pods, addrs, n, &err) < 0)
        fail(self, err.text, false);
    else
        hand_on(self, pods, n);
    free(pods);
    free(addrs);
}

/* ---- a read ---- */

static void ask(struct dns_source *self)
{
    self->asking = DNS_FAMILIES;
    for (size_t f = 0; f < DNS_FAMILIES; f++)
        dns_ask_start(&self->asks[f], &self->resolv, self->candidates[self->candidate], (enum dns_family)f);
}

static bool has(const struct dns_source *self, enum dns_outcome outcome)
{
    return self->asks[DNS_IPV4].answer.outcome == outcome || self->asks[DNS_IPV6].answer.outcome == outcome;
}

/* Both have ended. */
static void judge(struct dns_source *self)
{
    const struct dns_ask *failed = self->asks[DNS_IPV4].failed   ? &self->asks[DNS_IPV4]
                                   : self->asks[DNS_IPV6].failed ? &self->asks[DNS_IPV6]
                                                                 : NULL;
    struct err err;

    if (failed) {
        fail(self, failed->reason.text, false);
    } else if (has(self, DNS_FOUND) && has(self, DNS_NO_NAME)) {
        /* The name exists for one family only, which can't be (RFC 8020), or came to be in between. */
        err_set(&err, "%s: the answers for A and AAAA contradict each other", self->candidates[self->candidate]);
        fail(self, err.text, false);
    } else if (has(self, DNS_FOUND)) {
        succeed(self);
    } else if (++self->candidate < self->n_candidates) {
        ask(self);
    } else {
        fail_without_address(self);
    }
}

static void on_answer(struct dns_ask *answered)
{
    size_t family = (size_t)answered->question.family;
    struct dns_source *self = container_of(answered - family, struct dns_source, asks);

    if (--self->asking == 0)
        judge(self);
}

/* Other servers or another search list: what a name stands for is open again. */
static int read_resolv(struct dns_source *self, struct err *err)
{
    struct dns_resolv before;

    memcpy(&before, &self->resolv, sizeof(before));
    if (dns_resolv_read(&self->resolv, self->conf->resolver, err) < 0)
        return -1;
    /* Reading begins with zeroes, so that padding is the same. */
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    if (memcmp(&before, &self->resolv, sizeof(before)) != 0)
        self->found[0] = '\0';
    return 0;
}

static void set_candidates(struct dns_source *self)
{
    self->candidate = 0;
    self->n_candidates = 1;
    if (self->found[0])
        memcpy(self->candidates[0], self->found, sizeof(self->found));
    else
        self->n_candidates = dns_candidates(&self->resolv, self->conf->service, self->candidates);
}

static void on_due(struct loop_timer *timer)
{
    struct dns_source *self = container_of(timer, struct dns_source, timer);
    struct err err;

    self->reading = true;
    self->source.events->on_begin(self->source.arg);
    if (read_resolv(self, &err) < 0) {
        fail(self, err.text, false);
        return;
    }
    set_candidates(self);
    if (self->n_candidates > 0)
        ask(self);
    else
        fail(self, "`service` is no name that can be asked for", false);
}

/* ---- life ---- */

static void dns_close(struct source *source)
{
    struct dns_source *self = container_of(source, struct dns_source, source);

    loop_timer_cancel(&self->timer);
    for (size_t f = 0; f < DNS_FAMILIES; f++)
        dns_ask_cancel(&self->asks[f]);
    free(self);
}

static void dns_refresh(struct source *source)
{
    struct dns_source *self = container_of(source, struct dns_source, source);

    if (self->reading)
        self->again = true;
    else
        loop_timer_set(&self->timer, loop_now_ns(source->loop));
}

static struct source *dns_open(const struct source_settings *settings, struct err *err)
{
    struct dns_source *self = calloc(1, sizeof(*self));

    if (!self) {
        err_set(err, "pods: dns: out of memory");
        return NULL;
    }
    self->conf = settings->conf;
    describe(self);
    for (size_t f = 0; f < DNS_FAMILIES; f++)
        dns_ask_init(&self->asks[f], settings->loop, on_answer);
    loop_timer_init(&self->timer, settings->loop, LOOP_EARLY, on_due);
    loop_timer_set(&self->timer, loop_now_ns(settings->loop));
    return &self->source;
}

const struct source_kind source_dns = {.open = dns_open, .close = dns_close, .refresh = dns_refresh};
