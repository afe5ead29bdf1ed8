/* SPDX-License-Identifier: MIT */
/* DNS messages written by hand, for the tests of the dns source. */
#ifndef SYNCER_TESTS_UNIT_PODS_DNS_RIG_H
#define SYNCER_TESTS_UNIT_PODS_DNS_RIG_H

#include <stdint.h>
#include <string.h>

#include "../../../src/pods/dns_message.h"

struct dns_rig {
    uint8_t bytes[DNS_MESSAGE_MAX + 1];
    size_t len;
};

static inline void rig_16(struct dns_rig *rig, unsigned value)
{
    rig->bytes[rig->len++] = (uint8_t)(value >> 8);
    rig->bytes[rig->len++] = (uint8_t)value;
}

/* Labels of a name; "" is the root. */
static inline void rig_name(struct dns_rig *rig, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");

        rig->bytes[rig->len++] = (uint8_t)len;
        memcpy(rig->bytes + rig->len, name, len);
        rig->len += len;
        name += len + (name[len] == '.');
    }
    rig->bytes[rig->len++] = 0;
}

/* The header of an answer without an error, and the question echoed. Counts are set by rig_record(). */
static inline void rig_begin(struct dns_rig *rig, const struct dns_question *question)
{
    rig->len = 0;
    rig_16(rig, question->id);
    rig_16(rig, 0x8180); /* response, recursion desired and available */
    rig_16(rig, 1);
    rig_16(rig, 0);
    rig_16(rig, 0);
    rig_16(rig, 0);
    rig_name(rig, question->name);
    rig_16(rig, question->family == DNS_IPV4 ? 1 : 28);
    rig_16(rig, 1);
}

static inline void rig_or_flags(struct dns_rig *rig, unsigned flags)
{
    rig->bytes[2] |= (uint8_t)(flags >> 8);
    rig->bytes[3] |= (uint8_t)flags;
}

/* A record of the answer section; owner NULL: the question's name, by a pointer. */
static inline void rig_record(struct dns_rig *rig, const char *owner, unsigned type, uint32_t ttl, const void *data,
                              size_t len)
{
    unsigned count = (unsigned)(rig->bytes[6] << 8 | rig->bytes[7]) + 1;

    rig->bytes[6] = (uint8_t)(count >> 8);
    rig->bytes[7] = (uint8_t)count;
    if (owner)
        rig_name(rig, owner);
    else
        rig_16(rig, 0xc00c);
    rig_16(rig, type);
    rig_16(rig, 1);
    rig_16(rig, ttl >> 16);
    rig_16(rig, ttl & 0xffff);
    rig_16(rig, (unsigned)len);
    memcpy(rig->bytes + rig->len, data, len);
    rig->len += len;
}

/* owner NULL: the question's name. */
static inline void rig_alias(struct dns_rig *rig, const char *owner, const char *target, uint32_t ttl)
{
    struct dns_rig name = {.len = 0};

    rig_name(&name, target);
    rig_record(rig, owner, 5, ttl, name.bytes, name.len);
}

#endif
