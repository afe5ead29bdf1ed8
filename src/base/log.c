/* SPDX-License-Identifier: MIT */
/*
 * The log of a process: which lines are wanted, and the bounded buffer that they wait in. How a line looks is
 * in log_line.c, how it gets out in log_sink.c.
 */
#include <config.h>

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/clock.h>
#include <syncer/base/log.h>

#include "log_line.h"
#include "log_sink.h"

/* What a turn may log before lines are dropped; static, so that the log works when memory is out. */
#define BUFFER_BYTES ((size_t)64 * 1024)

static struct {
    const char *process;
    pid_t pid; /* 0: not asked for yet; a call to the kernel for each line would be a tenth of its cost */
    enum log_level level;
    enum log_format format;
    size_t start, len; /* the bytes that wait */
    bool urgent;       /* one of them should not wait */
    int64_t flushed_ns;
    uint64_t dropped; /* lines, in all */
    uint64_t untold;  /* lines dropped that no line has told of yet */
    char data[BUFFER_BYTES];
} state = {.process = "syncer", .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT};

void log_open(const char *process)
{
    state.process = process;
    state.pid = getpid();
    log_sink_open();
}

void log_configure(enum log_level level, enum log_format format)
{
    state.level = level;
    state.format = format;
}

bool log_enabled(enum log_level level)
{
    return level <= state.level;
}

uint64_t log_dropped(void)
{
    return state.dropped;
}

/* Puts the line into the buffer. False if there is no room for all of it. */
static bool buffer_line(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
    struct log_head head = {
        .level = level, .process = state.process, .wall_ms = clock_wall_ms(), .pid = state.pid ? state.pid : getpid()};
    char line[LOG_LINE_BYTES];
    size_t len = log_line_format(line, state.format, &head, msg, fields, n);

    if (len > BUFFER_BYTES - state.len)
        return false;
    if (len > BUFFER_BYTES - state.start - state.len) {
        memmove(state.data, state.data + state.start, state.len);
        state.start = 0;
    }
    memcpy(state.data + state.start + state.len, line, len);
    state.len += len;
    return true;
}

/* Tells of the dropped lines, in their place: before any line that comes after them. False while there is no
 * room. */
static bool tell_of_dropped(void)
{
    struct log_field lines = LOG_INT("lines", state.untold);

    if (state.untold > 0 && !buffer_line(LOG_LEVEL_WARN, "log lines dropped: reader too slow", &lines, 1))
        return false;
    state.untold = 0;
    return true;
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
    state.urgent = state.urgent || level <= LOG_LEVEL_WARN;
    if (!tell_of_dropped() || !buffer_line(level, msg, fields, n)) {
        state.dropped++;
        state.untold++;
    }
}

/* How much of the buffer goes into the next write: whole lines up to PIPE_BUF, which pipes take as one, so
 * that lines of several processes never mix. A line is shorter than that. */
static size_t next_piece(void)
{
    const char *from = state.data + state.start;
    const char *end;

    if (state.len <= PIPE_BUF)
        return state.len;
    end = memrchr(from, '\n', PIPE_BUF);
    return end ? (size_t)(end - from) + 1 : PIPE_BUF;
}

static void forget(size_t n)
{
    state.start += n;
    state.len -= n;
    if (state.len == 0)
        state.start = 0;
}

/* Nobody reads any more: what waits will never get out, and would only keep the buffer full. */
static void give_up(void)
{
    for (size_t i = 0; i < state.len; i++)
        state.dropped += state.data[state.start + i] == '\n';
    forget(state.len);
}

void log_flush(void)
{
    while (state.len > 0) {
        ssize_t done = log_sink_write(state.data + state.start, next_piece());

        if (done < 0)
            give_up();
        if (done <= 0)
            return;
        forget((size_t)done);
        tell_of_dropped();
    }
}

int64_t log_flush_lazily(int64_t now_ns)
{
    if (state.len == 0)
        return 0;
    if (!state.urgent && state.len < PIPE_BUF && now_ns - state.flushed_ns < LOG_DELAY_NS)
        return state.flushed_ns + LOG_DELAY_NS;
    state.urgent = false;
    state.flushed_ns = now_ns;
    log_flush();
    return state.len > 0 ? now_ns + LOG_DELAY_NS : 0; /* the reader is slow */
}

void log_close(int max_ms)
{
    int64_t end = clock_now_ns() + max_ms * NS_PER_MS;
    int64_t left = 0;

    log_flush();
    while (state.len > 0 && (left = end - clock_now_ns()) > 0) {
        log_sink_wait((int)((left + NS_PER_MS - 1) / NS_PER_MS));
        log_flush();
    }
    log_sink_close();
}

bool log_limit_pass(struct log_limit *limit, int64_t now_ns, uint32_t per_second)
{
    if (now_ns - limit->second_ns >= NS_PER_S) {
        limit->second_ns = now_ns;
        limit->count = 0;
    }
    if (limit->count < per_second) {
        limit->count++;
        return true;
    }
    if (limit->held < UINT32_MAX)
        limit->held++;
    return false;
}

int64_t log_limit_over_ns(const struct log_limit *limit)
{
    return limit->second_ns + NS_PER_S;
}

uint32_t log_limit_take(struct log_limit *limit)
{
    uint32_t held = limit->held;

    limit->held = 0;
    return held;
}
