/* SPDX-License-Identifier: MIT */
/* What json_check.c and json_stream.c spend their time with: the bytes of strings. */
#ifndef SYNCER_WIRE_JSON_PLAIN_H
#define SYNCER_WIRE_JSON_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that do not stand for themselves within a string: control characters, the quote, the backslash. */
static const bool json_special[256] = {[0 ... 0x1f] = true, ['"'] = true, ['\\'] = true};

/* How many bytes from `s` on do. A table, since strings are short here: 8 bytes in the middle. */
static inline size_t json_plain(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && !json_special[(unsigned char)s[i]])
        i++;
    return i;
}

#endif
