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

/* Of an address in network order: 4 bytes, or 16. */
void addr_set_v4(struct addr *addr, const void *bytes);
void addr_set_v6(struct addr *addr, const void *bytes);

/* Parses exactly `len` bytes of an IP literal (no brackets, no zone, no port). 0 or -1. */
int addr_parse(struct addr *addr, const char *text, size_t len);

/* "10.0.0.1", "10.0.0.1:53", "::1", "[::1]", "[::1]:53". `*port` is left alone where there is none. 0 or -1. */
int addr_parse_port(struct addr *addr, uint16_t *port, const char *text);

/* All addresses with the same first `bits`. */
struct addr_range {
    struct addr addr;
    unsigned bits; /* of an IPv4 address 0 to 32, of an IPv6 one 0 to 128 */
};

/* "10.0.0.0/8", "fd00::/8" (RFC 4632 section 3.1, RFC 4291 section 2.3), or an address alone. 0, or -1; *low_bits tells
 * that all was right but bits behind the prefix, which should be zero. */
int addr_range_parse(struct addr_range *range, const char *text, bool *low_bits);
bool addr_range_has(const struct addr_range *range, const struct addr *addr);

bool addr_equal(const struct addr *a, const struct addr *b);

/* As text, IPv6 without brackets and shortened as RFC 5952 says; "-" for none. Returns out. */
const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_BYTES]);

#endif
