/* SPDX-License-Identifier: MIT */
/* The commands, each a function from the options to the exit code, and what they share. */
#ifndef SYNCER_CTL_COMMANDS_H
#define SYNCER_CTL_COMMANDS_H

#include "ask.h"
#include "options.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_PARTIALY = 1,
    CTL_NOT_YET = 1, /* wait */
    CTL_CHANGE = 1,  /* doctor */
    CTL_NOT_SYNCED = 2,
    CTL_TIMEOUT = 3,
    CTL_OTHER = 4,
};

int ctl_check(const struct ctl_options *options);
int ctl_pods(const struct ctl_options *options);
int ctl_status(const struct ctl_options *options);
int ctl_wait(const struct ctl_options *options);
int ctl_doctor(const struct ctl_options *options);

/* "syncerctl: REASON" on standard error, or {"error": REASON} on standard output; returns CTL_OTHER. */
int ctl_fail(const struct ctl_options *options, const struct err *err);

/* Writes and releases what was put together. CTL_OTHER if it could not be written or memory was out, else `code`. */
int ctl_write(struct buf *out, int code);

/* The body of an answer, which is JSON, with a newline behind. */
int ctl_write_json(const struct ask_answer *answer, int code);

/* One check. 0, or -1 with the reason: there is no verdict, *code (of ctl_exit) is CTL_OTHER, and *again tells whether another
 * try may help. `token` as of token_read(). */
int ctl_ask_check(struct asker *asker, const struct ctl_options *options, const struct buf *token,
                  struct ask_answer *answer, int *code, bool *again, struct err *err);

/* An answer to `path` of the administrator's. 0, or -1 with the reason. */
int ctl_ask_admin(struct asker *asker, const char *path, struct ask_answer *answer, struct err *err);

/* Milliseconds as a person reads them: "12 ms", "3.4 s", "5 min", "2 h", "3 d". */
#define CTL_AGE_BYTES 24
const char *ctl_age(int64_t ms, char out[CTL_AGE_BYTES]);

#endif
