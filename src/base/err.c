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

/* Adds what fits. */
static void append(struct err *err, const char *text)
{
    size_t used = strlen(err->text);

    snprintf(err->text + used, sizeof(err->text) - used, "%.*s", (int)(sizeof(err->text) - 1 - used), text);
}

int err_set_errno(struct err *err, int errnum, const char *fmt, ...)
{
    va_list args;

    if (err) {
        va_start(args, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
        append(err, ": ");
        append(err, strerror(errnum));
    }
    return -1;
}

int err_context(struct err *err, const char *fmt, ...)
{
    struct err old;
    va_list args;

    if (err) {
        old = *err;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
        append(err, ": ");
        append(err, old.text);
    }
    return -1;
}

void err_clear(struct err *err)
{
    if (err)
        err->text[0] = '\0';
}
