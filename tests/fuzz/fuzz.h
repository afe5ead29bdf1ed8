/* SPDX-License-Identifier: MIT */
/*
 * What fuzz targets share. A target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput(). It is linked
 * twice: with libFuzzer (--enable-fuzzers, `make fuzz`), and with replay.c, which feeds it corpus/NAME/ in
 * every `make check`.
 */
#ifndef SYNCER_TESTS_FUZZ_FUZZ_H
#define SYNCER_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for any input. */
#define HOLDS(cond) ((cond) ? (void)0 : abort())

/* A heap copy of exactly that size, so that a sanitizer sees the first byte read too far. Freed by the
 * caller. */
static inline char *exact_copy(const void *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);

    HOLDS(copy);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

/* Where to cut an input, drawn from the input itself so that a crash can be repeated. */
struct cuts {
    uint64_t state;
};

static inline struct cuts cuts_of(const uint8_t *data, size_t size)
{
    struct cuts cuts = {UINT64_C(0x9e3779b97f4a7c15)};

    for (size_t i = 0; i < size; i++)
        cuts.state = (cuts.state ^ data[i]) * UINT64_C(0x100000001b3);
    cuts.state |= 1;
    return cuts;
}

/* The next piece's length: 1 to 32 bytes, never beyond `left` (> 0). xorshift. */
static inline size_t cuts_next(struct cuts *cuts, size_t left)
{
    size_t n;

    cuts->state ^= cuts->state << 13;
    cuts->state ^= cuts->state >> 7;
    cuts->state ^= cuts->state << 17;
    n = (size_t)(cuts->state % 32) + 1;
    return n < left ? n : left;
}

#endif
