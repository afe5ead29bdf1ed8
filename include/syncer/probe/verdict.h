/* SPDX-License-Identifier: MIT */
/* What the numbers of a check come to. Pure. Any process. */
#ifndef SYNCER_PROBE_VERDICT_H
#define SYNCER_PROBE_VERDICT_H

#include <stddef.h>

enum verdict { VERDICT_SYNCED, VERDICT_PARTIALY, VERDICT_NOT_SYNCED, VERDICT_TIMEOUT, VERDICTS };

/* As in X-Token-Status: "Synced", "Partialy" (so spelled), "NotSynced", "Timeout". */
const char *verdict_name(enum verdict verdict);

/* Of `peers`, `expected` are in the state that was asked for and `unfinished` have given no final answer. With no peers at
 * all it is Synced: whether that may be said is the caller's to know. */
enum verdict verdict_of(size_t peers, size_t expected, size_t unfinished);

#endif
