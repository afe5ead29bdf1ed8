/* SPDX-License-Identifier: MIT */
/* IP literals to bytes and back. Leaves names, ports, brackets and zones to those who know what they mean. */
#include <config.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/addr.h>

/* ::ffff:0:0/96 (RFC 4291 section 2.5.5.2): the same host as the IPv4 address in the last four bytes. */
static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void addr_set_v4(struct addr *addr, const void *bytes)
{
    *addr = (struct addr){.family = 4};
    memcpy(addr->bytes, bytes, 4);
}

void addr_set_v6(struct addr *addr, const void *bytes)
{
    if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        addr_set_v4(addr, (const uint8_t *)bytes + sizeof(mapped_prefix));
        return;
    }
    *addr = (struct addr){.family = 6};
    memcpy(addr->bytes, bytes, sizeof(addr->bytes));
}

int addr_parse(struct addr *addr, const char *text, size_t len)
{
    char literal[ADDR_TEXT_BYTES];
    uint8_t bytes[16];

    *addr = (struct addr){0};
    if (len >= sizeof(literal) || memchr(text, '\0', len))
        return -1;
    memcpy(literal, text, len);
    literal[len] = '\0';
    if (inet_pton(AF_INET, literal, bytes) == 1)
        addr_set_v4(addr, bytes);
    else if (inet_pton(AF_INET6, literal, bytes) == 1)
        addr_set_v6(addr, bytes);
    else
        return -1;
    return 0;
}

/* 1 to 65535, digits only. */
static int parse_port(uint16_t *port, const char *text)
{
    size_t len = strspn(text, "0123456789");
    long number = len > 0 && len <= 5 && !text[len] ? strtol(text, NULL, 10) : 0;

    if (number < 1 || number > UINT16_MAX)
        return -1;
    *port = (uint16_t)number;
    return 0;
}

int addr_parse_port(struct addr *addr, uint16_t *port, const char *text)
{
    const char *from = text, *end = text + strlen(text), *colon = strrchr(text, ':');

    if (text[0] == '[') {
        from++;
        end = strchr(from, ']');
        colon = end && end[1] == ':' ? end + 1 : NULL;
        if (!end || (end[1] && !colon) || !memchr(from, ':', (size_t)(end - from)))
            return -1;
    } else if (colon && colon == strchr(text, ':')) {
        end = colon;
    } else {
        colon = NULL; /* more than one: an IPv6 address */
    }
    if (addr_parse(addr, from, (size_t)(end - from)) != 0)
        return -1;
    return colon ? parse_port(port, colon + 1) : 0;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    uint8_t mask = (uint8_t)(0xff << (8 - bits % 8));

    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0;
}

static int parse_bits(const char *text, unsigned most, unsigned *bits)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 3 || text[digits] || (digits > 1 && text[0] == '0'))
        return -1;
    *bits = (unsigned)strtoul(text, NULL, 10);
    return *bits <= most ? 0 : -1;
}

int addr_range_parse(struct addr_range *range, const char *text, bool *low_bits)
{
    const char *slash = strchr(text, '/');
    struct addr zero = {0};
    unsigned most;

    *low_bits = false;
    if (addr_parse(&range->addr, text, slash ? (size_t)(slash - text) : strlen(text)) < 0)
        return -1;
    most = range->addr.family == 4 ? 32 : 128;
    range->bits = most;
    if (slash && parse_bits(slash + 1, most, &range->bits) < 0)
        return -1;
    memcpy(zero.bytes, range->addr.bytes, (range->bits + 7) / 8);
    if (range->bits % 8)
        zero.bytes[range->bits / 8] &= (uint8_t)(0xff << (8 - range->bits % 8));
    *low_bits = memcmp(zero.bytes, range->addr.bytes, sizeof(zero.bytes)) != 0;
    return *low_bits ? -1 : 0;
}

bool addr_range_has(const struct addr_range *range, const struct addr *addr)
{
    return range->addr.family == addr->family && same_prefix(range->addr.bytes, addr->bytes, range->bits);
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
