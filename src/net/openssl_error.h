/* SPDX-License-Identifier: MIT */
/* OpenSSL's queue of errors, for a person. The first error is where it began; what stands behind it says less
 * and less. */
#ifndef SYNCER_NET_OPENSSL_ERROR_H
#define SYNCER_NET_OPENSSL_ERROR_H

#include <syncer/base/err.h>

/* The first error's reason, a static text; NULL if there is none. */
const char *openssl_reason(void);

/* Always -1, with "SETTING: FILE: REASON", or "FILE: REASON" where setting is NULL. Clears the queue. */
int openssl_file_failed(struct err *err, const char *setting, const char *file);

/* Before OpenSSL opens the file by its name, which it would do with a FIFO until somebody writes: 0, or -1 with "SETTING:
 * FILE: not a regular file". NULL, and what is not there, is left to OpenSSL. */
int openssl_file_check(struct err *err, const char *setting, const char *file);

#endif
