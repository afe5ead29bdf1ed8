/* SPDX-License-Identifier: MIT */
/* UTF-8 as RFC 3629 has it: what the log and the JSON reader and writer accept of text from outside. */
#ifndef SYNCER_BASE_UTF8_H
#define SYNCER_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The length (1-4) of the character at `s` and its code point; 0 if the first of these `n` bytes (n > 0) begin none: no
 * overlong forms, no surrogates, at most U+10FFFF. Any process. */
size_t utf8_decode(const char *s, size_t n, uint32_t *code);

/* Writes `code` (no surrogate, at most U+10FFFF) and returns its length. */
size_t utf8_encode(uint32_t code, char out[4]);

#endif
