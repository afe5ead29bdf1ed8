/* SPDX-License-Identifier: MIT */
/*
 * DNS messages. Header and question are looked at by hand, since a truncated message need not be whole behind
 * them; the records by the C library's parser, which checks all lengths before anything is used.
 */
#include <config.h>

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>

#include <syncer/base/macros.h>

#include "dns_message.h"

#define HEADER_BYTES 12
#define FLAG_RESPONSE 0x8000
#define FLAG_TRUNCATED 0x0200
#define MASK_OPCODE 0x7800
#define MASK_RCODE 0x000f

static const struct {
    ns_type type;
    size_t bytes; /* of an address */
} families[DNS_FAMILIES] = {[DNS_IPV4] = {ns_t_a, 4}, [DNS_IPV6] = {ns_t_aaaa, 16}};

static uint16_t get16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

const char *dns_rcode_name(int rcode)
{
    static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};

    return rcode >= 0 && (size_t)rcode < ARRAY_LEN(names) ? names[rcode] : "an unknown RCODE";
}

/* ---- the query ---- */

int dns_query_write(const struct dns_question *question, uint8_t out[DNS_QUERY_MAX])
{
    struct __res_state state = {.options = RES_RECURSE};
    int len = res_nmkquery(&state, ns_o_query, question->name, ns_c_in, families[question->family].type, NULL, 0, NULL,
                           out, DNS_QUERY_MAX);

    if (len < HEADER_BYTES)
        return -1;
    out[0] = (uint8_t)(question->id >> 8); /* the library's own is no secret */
    out[1] = (uint8_t)question->id;
    return len;
}

/* ---- the answer ---- */

static bool same_name(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0; /* ASCII: the program never leaves the C locale */
}

/* Whether the question section is `question`, echoed. */
static bool is_echoed(const struct dns_question *question, const uint8_t *message, size_t len)
{
    char name[NS_MAXDNAME];
    int used = dn_expand(message, message + len, message + HEADER_BYTES, name, sizeof(name));
    const uint8_t *behind = message + HEADER_BYTES + (used > 0 ? used : 0);

    return used > 0 && message + len - behind >= 4 && same_name(name, question->name) &&
           get16(behind) == families[question->family].type && get16(behind + 2) == ns_c_in;
}

/* What header and question say; DNS_FOUND if the records are to be read. */
static enum dns_outcome judge_head(const struct dns_question *question, const uint8_t *message, size_t len, int *rcode)
{
    unsigned flags, questions;
    bool failed;

    if (len < HEADER_BYTES || get16(message) != question->id)
        return DNS_FOREIGN;
    flags = get16(message + 2);
    questions = get16(message + 4);
    *rcode = (int)(flags & MASK_RCODE);
    failed = *rcode != ns_r_noerror && *rcode != ns_r_nxdomain;
    if (!(flags & FLAG_RESPONSE) || (flags & MASK_OPCODE) != 0)
        return DNS_FOREIGN;
    /* A server that could not even read the query need not echo it. */
    if (!(questions == 0 && failed) && (questions != 1 || !is_echoed(question, message, len)))
        return DNS_FOREIGN;
    if (failed)
        return DNS_REFUSED;
    return flags & FLAG_TRUNCATED ? DNS_TRUNCATED : DNS_FOUND;
}

static void add_addr(struct dns_answer *answer, enum dns_family family, const uint8_t *bytes)
{
    struct addr *addr = &answer->addrs[answer->n++];

    if (family == DNS_IPV4)
        addr_set_v4(addr, bytes);
    else
        addr_set_v6(addr, bytes);
}

static int malformed(struct dns_answer *answer, const char *error)
{
    answer->outcome = DNS_MALFORMED;
    answer->error = error;
    return -1;
}

static void note_ttl(struct dns_answer *answer, uint32_t ttl_s)
{
    if (ttl_s > INT32_MAX)
        ttl_s = 0; /* RFC 2181 section 8 */
    if (ttl_s < answer->ttl_s)
        answer->ttl_s = ttl_s;
}

/* One record that belongs to the name looked for. An alias goes to `alias`. */
static int take_record(struct dns_answer *answer, enum dns_family family, ns_msg *msg, const ns_rr *rr,
                       char alias[NS_MAXDNAME])
{
    if (ns_rr_type(*rr) == families[family].type) {
        if (ns_rr_rdlen(*rr) != families[family].bytes)
            return malformed(answer, "an address has another length than its family");
        if (answer->n == DNS_ADDRS_MAX)
            return malformed(answer, "more addresses than a message can hold");
        add_addr(answer, family, ns_rr_rdata(*rr));
    } else if (ns_rr_type(*rr) == ns_t_cname) {
        if (dn_expand(ns_msg_base(*msg), ns_msg_end(*msg), ns_rr_rdata(*rr), alias, NS_MAXDNAME) != ns_rr_rdlen(*rr))
            return malformed(answer, "an alias that is no name");
    } else {
        return 0;
    }
    note_ttl(answer, ns_rr_ttl(*rr));
    return 0;
}

/* All records of `name`. "" in `alias`: it is none. */
static int read_records(struct dns_answer *answer, enum dns_family family, ns_msg *msg, const char *name,
                        char alias[NS_MAXDNAME])
{
    ns_rr rr;

    alias[0] = '\0';
    for (int i = 0; i < ns_msg_count(*msg, ns_s_an); i++) {
        if (ns_parserr(msg, ns_s_an, i, &rr) != 0)
            return malformed(answer, "a record that cannot be read");
        if (ns_rr_class(rr) == ns_c_in && same_name(ns_rr_name(rr), name) &&
            take_record(answer, family, msg, &rr, alias) < 0)
            return -1;
    }
    return 0;
}

static void read_answer(struct dns_answer *answer, const struct dns_question *question, ns_msg *msg)
{
    char name[NS_MAXDNAME], alias[NS_MAXDNAME];

    memcpy(name, question->name, strlen(question->name) + 1);
    for (int aliases = 0; aliases <= DNS_ALIASES_MAX; aliases++) {
        if (read_records(answer, question->family, msg, name, alias) < 0)
            return;
        if (answer->n > 0 || !alias[0]) {
            answer->outcome = answer->n > 0 ? DNS_FOUND : DNS_NO_DATA;
            return;
        }
        memcpy(name, alias, sizeof(name));
    }
    malformed(answer, "aliases that do not end");
}

void dns_answer_read(struct dns_answer *answer, const struct dns_question *question, const uint8_t *message, size_t len)
{
    ns_msg msg;

    answer->n = 0;
    answer->error = NULL;
    answer->rcode = 0;
    answer->ttl_s = INT32_MAX;
    answer->outcome = judge_head(question, message, len, &answer->rcode);
    if (answer->outcome != DNS_FOUND)
        return;
    if (len > DNS_MESSAGE_MAX || ns_initparse(message, (int)len, &msg) != 0)
        malformed(answer, "its sections do not fill the message");
    else if (answer->rcode == ns_r_nxdomain)
        answer->outcome = DNS_NO_NAME;
    else
        read_answer(answer, question, &msg);
}
