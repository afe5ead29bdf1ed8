/* SPDX-License-Identifier: MIT */
/* IP addresses as binary values: parsed once, compared as bytes, never resolved. IPv4-mapped IPv6 becomes IPv4. */
#ifndef SYNCER_BASE_ADDR_H
#define SYNCER_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_TEXT_BYTES 46 /* INET6_ADDRSTRLEN */

struct addr {
    uint8_t family;    /* 0 = none, 4 or 6 */
    uint8_t bytes[16]; /* network order; for IPv4 the first 4, the rest zero */
};

/* Parses exactly `len` bytes of an IP literal (no brackets, no zone, no port). 0 or -1. */
int addr_parse(struct addr *addr, const char *text, size_t len);

bool addr_equal(const struct addr *a, const struct addr *b);

/* As text, IPv6 without brackets and shortened as RFC 5952 says; "-" for none. Returns out. */
const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_BYTES]);

#endif
