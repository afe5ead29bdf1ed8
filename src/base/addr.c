/* SPDX-License-Identifier: MIT */
/* IP literals to bytes and back. Leaves names, ports, brackets and zones to those who know what they mean. */
#include <config.h>

#include <arpa/inet.h>
#include <string.h>

#include <syncer/base/addr.h>

/* ::ffff:0:0/96 (RFC 4291 section 2.5.5.2): the same host as the IPv4 address in the last four bytes. */
static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int addr_parse(struct addr *addr, const char *text, size_t len)
{
    char literal[ADDR_TEXT_BYTES];
    uint8_t bytes[16];

    *addr = (struct addr){0};
    if (len >= sizeof(literal) || memchr(text, '\0', len))
        return -1;
    memcpy(literal, text, len);
    literal[len] = '\0';
    if (inet_pton(AF_INET, literal, addr->bytes) == 1) {
        addr->family = 4;
        return 0;
    }
    if (inet_pton(AF_INET6, literal, bytes) != 1)
        return -1;
    if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        addr->family = 4;
        memcpy(addr->bytes, bytes + sizeof(mapped_prefix), 4);
    } else {
        addr->family = 6;
        memcpy(addr->bytes, bytes, sizeof(bytes));
    }
    return 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static char *put_octet(char *out, unsigned octet)
{
    if (octet >= 100)
        *out++ = (char)('0' + octet / 100);
    if (octet >= 10)
        *out++ = (char)('0' + octet / 10 % 10);
    *out++ = (char)('0' + octet % 10);
    return out;
}

/* inet_ntop() prints with the machinery of printf: a fifth of an access log's line. */
static void format_v4(const uint8_t bytes[4], char *out)
{
    for (int i = 0; i < 4; i++) {
        out = put_octet(out, bytes[i]);
        *out++ = i < 3 ? '.' : '\0';
    }
}

const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_BYTES])
{
    if (addr->family == 4)
        format_v4(addr->bytes, out);
    else if (addr->family != 6 || !inet_ntop(AF_INET6, addr->bytes, out, ADDR_TEXT_BYTES))
        memcpy(out, "-", 2);
    return out;
}
