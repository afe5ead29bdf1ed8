/* SPDX-License-Identifier: MIT */
/*
 * Random numbers of two kinds: the kernel's for identifiers and keys, a fast generator for jitter and drawing lots.
 * State and key belong to the process; a child that is forked without exec goes on with its parent's.
 */
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <syncer/base/must.h>
#include <syncer/base/random.h>
#include <syncer/base/siphash.h>

void random_bytes(void *out, size_t n)
{
    char *to = out;

    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);

        must(got > 0 || errno == EINTR);
        if (got > 0) {
            to += got;
            n -= (size_t)got;
        }
    }
}

static uint32_t rotate(uint32_t x, int bits)
{
    return (x << bits) | (x >> (32 - bits));
}

/* xoshiro128** by Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2018). */
static uint32_t next_number(void)
{
    static uint32_t s[4];
    static bool seeded;
    uint32_t result, t;

    while (!seeded) {
        random_bytes(s, sizeof(s));
        seeded = (s[0] | s[1] | s[2] | s[3]) != 0; /* the one state that it never leaves */
    }
    result = rotate(s[1] * 5, 7) * 9;
    t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return result;
}

/* Lemire, "Fast random integer generation in an interval" (2019): the high half of a product, with those low halves
 * thrown away that would make some results likelier than others. */
uint32_t random_below(uint32_t bound)
{
    uint64_t product;
    uint32_t unfair;

    must(bound > 0);
    unfair = -bound % bound; /* 2^32 mod bound */
    do
        product = (uint64_t)next_number() * bound;
    while ((uint32_t)product < unfair);
    return (uint32_t)(product >> 32);
}

static void to_hex(char *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

void random_hex(char *out, size_t n)
{
    /* The bytes go into the second half of their own text: each is read before its place is written over. */
    unsigned char *bytes = (unsigned char *)out + n;

    random_bytes(bytes, n);
    to_hex(out, bytes, n);
}

void keyed_hash(const void *data, size_t n, char out[KEYED_HASH_BYTES])
{
    static unsigned char key[32];
    static bool drawn;
    unsigned char hash[EVP_MAX_MD_SIZE] = {0}; /* stays zero if OpenSSL is out of memory: no hash, and no token */

    if (!drawn) {
        random_bytes(key, sizeof(key));
        drawn = true;
    }
    HMAC(EVP_sha256(), key, sizeof(key), data, n, hash, NULL);
    to_hex(out, hash, (KEYED_HASH_BYTES - 1) / 2);
}

uint64_t keyed_number(const void *data, size_t n)
{
    static uint64_t key[2];

    while ((key[0] | key[1]) == 0)
        random_bytes(key, sizeof(key));
    return siphash(key, data, n);
}
