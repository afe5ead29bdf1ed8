/* SPDX-License-Identifier: MIT */
/* The words for a failure. Clearing the queue before a call whose errors matter is left to the callers. */
#include <config.h>

#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>

#include "openssl_error.h"

const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_error();

    return ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
}

int openssl_file_failed(struct err *err, const char *setting, const char *file)
{
    const char *reason = openssl_reason();

    err_set(err, "%s: %s", file, reason ? reason : "cannot be read");
    ERR_clear_error();
    return setting ? err_context(err, "%s", setting) : -1;
}

int openssl_file_check(struct err *err, const char *setting, const char *file)
{
    struct stat st;

    if (!file || stat(file, &st) != 0 || S_ISREG(st.st_mode))
        return 0;
    return err_set(err, "%s: %s: not a regular file", setting, file);
}
