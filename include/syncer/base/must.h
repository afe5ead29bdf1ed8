/* SPDX-License-Identifier: MIT */
/*
 * must(): an invariant of our own data. It stays on in release: a broken invariant ends the process (abort, so the
 * master sees a signal and respawns a worker). Never for input, never for a failed allocation or system call.
 */
#ifndef SYNCER_BASE_MUST_H
#define SYNCER_BASE_MUST_H

#define must(cond) ((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))

/* Writes one line to stderr with write(2) and aborts. Any process. */
_Noreturn void must_failed(const char *cond, const char *file, int line);

#endif
