/* SPDX-License-Identifier: MIT */
/*
 * One line of the log as text: pure, no I/O and no clock. For log.c only.
 *
 * Whatever the values hold, the line has one newline, at its end, and is valid UTF-8; as JSON it is one valid object.
 * A line that would pass LOG_LINE_BYTES is cut: the value at hand ends in "...", the fields behind it are left out and
 * `cut` is added as the last field.
 */
#ifndef SYNCER_SRC_BASE_LOG_LINE_H
#define SYNCER_SRC_BASE_LOG_LINE_H

#include <syncer/base/log.h>

#define LOG_LINE_BYTES 2048

struct log_head {
    enum log_level level;
    const char *process;
    int64_t wall_ms;
    int64_t pid;
};

/* Returns the length, newline included; no NUL behind. */
size_t log_line_format(char out[LOG_LINE_BYTES], enum log_format format, const struct log_head *head, const char *msg,
                       const struct log_field *fields, size_t n);

#endif
