/* SPDX-License-Identifier: MIT */
/*
 * The reason of a failure, for a person: set once where it happened, given context on the way up
 * ("config.yaml:3: port: ..."). A fixed buffer: it can be made when memory is out. Text beyond it is cut.
 * Every function takes NULL for "nobody wants to know".
 */
#ifndef SYNCER_BASE_ERR_H
#define SYNCER_BASE_ERR_H

#include <syncer/base/macros.h>

#define ERR_TEXT_BYTES 512

struct err {
    char text[ERR_TEXT_BYTES]; /* NUL-terminated; "" = no error */
};

/* Sets the text. Always returns -1, so that a caller can `return err_set(...)`. */
int err_set(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* As err_set(), with ": " and strerror(errnum) behind. */
int err_set_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "CONTEXT: " in front of the text. Always returns -1. */
int err_context(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Empties the text. */
void err_clear(struct err *err);

#endif
