/* SPDX-License-Identifier: MIT */
/*
 * Memory that libcurl and OpenSSL asked for and did not get. What they report then differs from call to call, and the same
 * codes may be the other side's doing (a handshake that it spoils is "out of memory", too), so it is seen where it happens:
 * both get their memory through here. Master and worker.
 */
#ifndef SYNCER_NET_MEMORY_H
#define SYNCER_NET_MEMORY_H

#include <stdint.h>

#include <syncer/base/err.h>

/* First of all that is done with either library, once a process; initializes libcurl (curl_global_cleanup() ends it). 0, or
 * -1 with the reason. */
int memory_watch(struct err *err);

/* How often memory was refused until now. Whoever compares before and after knows whether a failure is one of ours. */
uint64_t memory_refused(void);

#endif
