/* SPDX-License-Identifier: MIT */
/* Randomness from the kernel, and a keyed hash by which one token can be told from another without showing it. */
#ifndef SYNCER_BASE_RANDOM_H
#define SYNCER_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills `out` from getrandom(2); aborts if the kernel refuses, which it does not after boot. */
void random_bytes(void *out, size_t n);

/* Uniform in 0 .. bound-1, from a fast generator seeded once a process by random_bytes(). For jitter and for drawing
 * peers, never for a secret. bound > 0. */
uint32_t random_below(uint32_t bound);

#define RANDOM_HEX_BYTES(n) (2 * (n) + 1)
/* `n` random bytes as lower-case hex with a NUL. */
void random_hex(char *out, size_t n);

#define KEYED_HASH_BYTES 17
/* 64 bits of HMAC-SHA-256 under a key drawn once a process, as hex with a NUL. */
void keyed_hash(const void *data, size_t n, char out[KEYED_HASH_BYTES]);

/* 64 bits by which equal data are found: SipHash-2-4 under a key drawn once a process. Never to be shown. */
uint64_t keyed_number(const void *data, size_t n);

#endif
