/* SPDX-License-Identifier: MIT */
/* SipHash-2-4 (Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012): a keyed hash for tables. Pure. */
#ifndef SYNCER_BASE_SIPHASH_H
#define SYNCER_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Who does not know the key can't choose data that collide. */
uint64_t siphash(const uint64_t key[2], const void *data, size_t n);

#endif
