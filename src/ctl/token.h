/* SPDX-License-Identifier: MIT */
/* The token: from a file, the environment or standard input; never from the command line, never to any output. */
#ifndef SYNCER_CTL_TOKEN_H
#define SYNCER_CTL_TOKEN_H

#include <syncer/base/buf.h>
#include <syncer/base/err.h>

#define TOKEN_MAX 4096 /* SPEC of X-Auth-Token: 1 to 4096 cookie-octets (RFC 6265 section 4.1.1) */

/* Of `file` ("-": standard input), else of SYNCER_TOKEN, else of standard input, without its newline; a terminal is asked
 * without echo. 0, or -1 with the reason. `out` is wiped by the caller in any case. */
int token_read(const char *file, struct buf *out, struct err *err);

#endif
