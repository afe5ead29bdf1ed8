/* SPDX-License-Identifier: MIT */
/*
 * DNS messages (RFC 1035), as far as the dns source needs them: a question for the addresses of a name, and
 * what an answer to it says. Pure: no I/O, no clock. Names and records are read by the C library's
 * ns_initparse() and ns_parserr().
 */
#ifndef SYNCER_SRC_PODS_DNS_MESSAGE_H
#define SYNCER_SRC_PODS_DNS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <syncer/base/addr.h>

#define DNS_NAME_MAX 253
#define DNS_QUERY_MAX 288 /* header 12, name 255, type and class 4, rounded up */
#define DNS_MESSAGE_MAX 65535
/* A record has 15 bytes at least (RFC 1035 section 3.2.1, owner the root, an IPv4 address): no message has
 * more. */
#define DNS_ADDRS_MAX (DNS_MESSAGE_MAX / 15)
#define DNS_ALIASES_MAX 8 /* CNAMEs in a row */

enum dns_family { DNS_IPV4, DNS_IPV6, DNS_FAMILIES };

struct dns_question {
    uint16_t id;
    enum dns_family family;
    char name[DNS_NAME_MAX + 1]; /* absolute, without the dot at its end; letters, digits, - _ . */
};

enum dns_outcome {
    DNS_FOUND,     /* addrs, n > 0 */
    DNS_NO_DATA,   /* the name exists, without an address of the family */
    DNS_NO_NAME,   /* NXDOMAIN */
    DNS_REFUSED,   /* the server can't or won't say: rcode */
    DNS_TRUNCATED, /* to be asked again by TCP */
    DNS_FOREIGN,   /* no answer to this question: to be passed over */
    DNS_MALFORMED, /* error */
};

struct dns_answer {
    enum dns_outcome outcome;
    int rcode;
    const char *error; /* DNS_MALFORMED: the rule that is broken; static */
    uint32_t ttl_s;    /* DNS_FOUND: the smallest of all records used */
    size_t n;
    struct addr addrs[DNS_ADDRS_MAX]; /* in the order of the message; valid up to n */
};

/* Writes the query; how many bytes, or -1 if the name is none. */
int dns_query_write(const struct dns_question *question, uint8_t out[DNS_QUERY_MAX]);

/* Reads `len` bytes as an answer to `question`. */
void dns_answer_read(struct dns_answer *answer, const struct dns_question *question, const uint8_t *message,
                     size_t len);

/* "SERVFAIL" and so on; "RCODE n" is beyond it. Static. */
const char *dns_rcode_name(int rcode);

#endif
