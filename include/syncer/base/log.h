/* SPDX-License-Identifier: MIT */
/*
 * The log of a process: one line an event to stderr, as logfmt or JSON, every value quoted and escaped as
 * needed. Lines go to a bounded buffer and out with one non-blocking write a turn (log_flush as the loop's
 * turn hook); when it is full, lines are dropped and counted, and the count is logged when there is room
 * again. A stalled reader never stops a loop. Descriptor 2 is not made non-blocking itself, since others
 * share it: it is opened anew through /proc/self/fd/2, or written by send(MSG_DONTWAIT) where it is a socket,
 * or by poll + writes of at most PIPE_BUF.
 *
 * Only main, master, worker, api and http/access log. Never pass a token.
 *
 *     log_warn("pod answers with a redirect", LOG_STR("pod", name), LOG_INT("code", 302));
 *     ts=2026-01-31T08:49:37.123Z level=warn proc=worker pid=17 msg="pod answers with a redirect" \
 *     pod=gw-1 code=302
 */
#ifndef SYNCER_BASE_LOG_H
#define SYNCER_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <syncer/base/macros.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key; /* NULL: the field is left out */
    const char *str; /* NULL: the number counts */
    size_t len;      /* of str */
    int64_t num;
    bool thousandths; /* the number is one of thousandths: 1234 is written 1.234 */
};

/* A string; NULL is logged as an empty one. */
static inline struct log_field log_str_field(const char *key, const char *str)
{
    return (struct log_field){.key = key, .str = str ? str : "", .len = str ? strlen(str) : 0};
}
#define LOG_STR(k, s) log_str_field((k), (s))
/* A string that is left out, key and all, when it is NULL or empty. */
static inline struct log_field log_opt_field(const char *key, const char *str)
{
    return log_str_field(str && *str ? key : NULL, str);
}
#define LOG_OPT(k, s) log_opt_field((k), (s))
#define LOG_BYTES(k, s, n) ((struct log_field){.key = (k), .str = (s), .len = (n)})
#define LOG_INT(k, n) ((struct log_field){.key = (k), .num = (int64_t)(n)})
/* A number that is left out when it is 0. */
static inline struct log_field log_some_field(const char *key, int64_t num)
{
    return (struct log_field){.key = num != 0 ? key : NULL, .num = num};
}
#define LOG_SOME(k, n) log_some_field((k), (int64_t)(n))
/* A time of `us` microseconds, written in ms. */
#define LOG_MS(k, us) ((struct log_field){.key = (k), .num = (int64_t)(us), .thousandths = true})

#define LOG_AT(level, msg, ...)                                                     \
    do {                                                                            \
        if (log_enabled(level)) {                                                   \
            const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__};            \
            log_write((level), (msg), log_fields_ + 1, ARRAY_LEN(log_fields_) - 1); \
        }                                                                           \
    } while (0)
#define log_error(msg, ...) LOG_AT(LOG_LEVEL_ERROR, msg, ##__VA_ARGS__)
#define log_warn(msg, ...) LOG_AT(LOG_LEVEL_WARN, msg, ##__VA_ARGS__)
#define log_info(msg, ...) LOG_AT(LOG_LEVEL_INFO, msg, ##__VA_ARGS__)
#define log_debug(msg, ...) LOG_AT(LOG_LEVEL_DEBUG, msg, ##__VA_ARGS__)

/* `process`: "master" or "worker", a literal. Until it is called, lines go out as "syncer". */
void log_open(const char *process);
void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n);

/* One non-blocking write of what is buffered. */
void log_flush(void);

/* The same for the end of each turn of a loop that may log much: errors, warnings and what fills a write go out at once,
 * other lines at most LOG_DELAY_NS after the last write, together, since the write costs more than a line. Returns when to
 * call again, or 0 if nothing waits. */
#define LOG_DELAY_NS INT64_C(10000000)
int64_t log_flush_lazily(int64_t now_ns);

/* At the end of a process: tries for at most `max_ms` to get everything out. */
void log_close(int max_ms);

/* Lines dropped since the start of the process. */
uint64_t log_dropped(void);

/* At most `per_second` lines for one reason. Those that are held back are counted; the owner tells of them by
 * a line of their own when the second is over (log_limit_over_ns()), whether or not another one follows. */
struct log_limit {
    int64_t second_ns; /* when the present second began */
    uint32_t count;    /* lines that went out in it */
    uint32_t held;     /* back, and not told of yet */
};
/* True if this line may go out. */
bool log_limit_pass(struct log_limit *limit, int64_t now_ns, uint32_t per_second);
int64_t log_limit_over_ns(const struct log_limit *limit);
/* How many were held back; from now on they are told of. */
uint32_t log_limit_take(struct log_limit *limit);

#endif
