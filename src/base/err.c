/* SPDX-License-Identifier: MIT */
/*
 * Why an operation failed, as text for a person. All text is made in a buffer of its own and copied at the end, so that
 * an argument may be the very text that is replaced.
 */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <syncer/base/err.h>

/* Sets "A: B". What does not fit is cut. */
static void set_pair(struct err *err, const char *a, const char *b)
{
    const char *parts[] = {a, ": ", b};
    char text[ERR_TEXT_BYTES];
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t n = strnlen(parts[i], sizeof(text) - 1 - len);

        memcpy(text + len, parts[i], n);
        len += n;
    }
    text[len] = '\0';
    memcpy(err->text, text, len + 1);
}

int err_set(struct err *err, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list args;

    if (err) {
        va_start(args, fmt);
        vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        memcpy(err->text, text, strlen(text) + 1);
    }
    return -1;
}

int err_set_errno(struct err *err, int errnum, const char *fmt, ...)
{
    char text[ERR_TEXT_BYTES];
    va_list args;

    if (err) {
        va_start(args, fmt);
        vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        set_pair(err, text, strerror(errnum));
    }
    return -1;
}

int err_context(struct err *err, const char *fmt, ...)
{
    char context[ERR_TEXT_BYTES];
    va_list args;

    if (err) {
        va_start(args, fmt);
        vsnprintf(context, sizeof(context), fmt, args);
        va_end(args);
        set_pair(err, context, err->text);
    }
    return -1;
}

void err_clear(struct err *err)
{
    if (err)
        err->text[0] = '\0';
}
