/* SPDX-License-Identifier: MIT */
/* Queries and answers, byte by byte; each answer lies at the end of a page, so that a byte read too far is a crash. */
#include <config.h>
#include <criterion/criterion.h>
#include <stdio.h>

#include <syncer/base/macros.h>

#include "../wire/guarded.h"
#include "dns_rig.h"

TestSuite(dns_message, .timeout = 20);

static const uint8_t ip1[] = {127, 0, 0, 1}, ip2[] = {10, 1, 2, 3};
static const uint8_t ip6[16] = {0xfd, 0, [15] = 7};

static struct dns_question question = {.id = 0xabcd, .family = DNS_IPV4, .name = "gw.example"};
static struct dns_answer answer;

static enum dns_outcome read_rig(const struct dns_rig *rig)
{
    dns_answer_read(&answer, &question, (const uint8_t *)guarded(rig->bytes, rig->len), rig->len);
    return answer.outcome;
}

static const char *text(size_t i)
{
    static char out[ADDR_TEXT_BYTES];

    return addr_format(&answer.addrs[i], out);
}

Test(dns_message, query)
{
    static const uint8_t expected[] = "\xab\xcd\x01\0\0\1\0\0\0\0\0\0\2gw\7example\0\0\x1c\0\1";
    struct dns_question asked = question;
    uint8_t out[DNS_QUERY_MAX];

    asked.family = DNS_IPV6;
    cr_assert_eq(dns_query_write(&asked, out), (int)sizeof(expected) - 1);
    cr_expect_arr_eq(out, expected, sizeof(expected) - 1);
    memset(asked.name, 'a', DNS_NAME_MAX); /* a label of more than 63 */
    cr_expect_eq(dns_query_write(&asked, out), -1);
    for (size_t i = 63; i < DNS_NAME_MAX; i += 64)
        asked.name[i] = '.';
    cr_expect_eq(dns_query_write(&asked, out), 12 + DNS_NAME_MAX + 2 + 4, "the longest name there is");
}

Test(dns_message, addresses)
{
    struct dns_rig rig;

    rig_begin(&rig, &question);
    rig_record(&rig, NULL, 1, 30, ip1, 4);
    rig_record(&rig, "GW.Example", 1, 5, ip2, 4); /* names have no case */
    cr_assert_eq(read_rig(&rig), DNS_FOUND);
    cr_assert_eq(answer.n, 2);
    cr_expect_str_eq(text(0), "127.0.0.1");
    cr_expect_str_eq(text(1), "10.1.2.3");
    cr_expect_eq(answer.ttl_s, 5);
}

Test(dns_message, addresses_of_ipv6)
{
    static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 1, 2, 3};
    struct dns_rig rig;

    question.family = DNS_IPV6;
    rig_begin(&rig, &question);
    rig_record(&rig, NULL, 28, 30, ip6, 16);
    rig_record(&rig, NULL, 28, 30, mapped, 16);
    cr_assert_eq(read_rig(&rig), DNS_FOUND);
    cr_expect_str_eq(text(0), "fd00::7");
    cr_expect(answer.addrs[1].family == 4 && strcmp(text(1), "10.1.2.3") == 0);
}

Test(dns_message, only_what_belongs_to_the_name)
{
    struct dns_rig rig;

    rig_begin(&rig, &question);
    rig_record(&rig, "other.example", 1, 1, ip1, 4);
    rig_record(&rig, NULL, 28, 1, ip6, 16);        /* not asked for */
    rig_record(&rig, NULL, 16, 1, "\1x", 2);       /* TXT */
    rig_record(&rig, NULL, 46, 1, "signature", 9); /* RRSIG */
    cr_expect_eq(read_rig(&rig), DNS_NO_DATA);
    rig_record(&rig, NULL, 1, 9, ip2, 4);
    cr_assert(read_rig(&rig) == DNS_FOUND && answer.n == 1 && answer.ttl_s == 9);
    cr_expect_str_eq(text(0), "10.1.2.3");
    rig.bytes[rig.len - 4 - 2 - 4 - 1] = 3; /* class CHAOS */
    cr_expect_eq(read_rig(&rig), DNS_NO_DATA);
}

Test(dns_message, aliases)
{
    struct dns_rig rig;

    rig_begin(&rig, &question);
    rig_record(&rig, "c.example", 1, 30, ip1, 4); /* the order of records means nothing */
    rig_alias(&rig, "b.example", "c.example", 4);
    rig_alias(&rig, NULL, "b.example", 20);
    cr_assert(read_rig(&rig) == DNS_FOUND && answer.n == 1 && answer.ttl_s == 4);
    rig_begin(&rig, &question);
    rig_alias(&rig, NULL, "elsewhere.example", 20);
    cr_expect_eq(read_rig(&rig), DNS_NO_DATA);
    rig_begin(&rig, &question);
    rig_alias(&rig, NULL, "", 20);
    cr_expect_eq(read_rig(&rig), DNS_NO_DATA, "the root has no address");
}

Test(dns_message, aliases_that_do_not_end)
{
    char from[32], to[32];
    struct dns_rig rig;

    rig_begin(&rig, &question);
    rig_alias(&rig, NULL, question.name, 1);
    cr_expect_eq(read_rig(&rig), DNS_MALFORMED);
    for (int n = DNS_ALIASES_MAX; n <= DNS_ALIASES_MAX + 1; n++) {
        rig_begin(&rig, &question);
        for (int i = 0; i < n; i++) {
            snprintf(from, sizeof(from), "%d.example", i);
            snprintf(to, sizeof(to), "%d.example", i + 1);
            rig_alias(&rig, i > 0 ? from : NULL, to, 1);
        }
        rig_record(&rig, to, 1, 1, ip1, 4);
        cr_expect_eq(read_rig(&rig), n == DNS_ALIASES_MAX ? DNS_FOUND : DNS_MALFORMED, "%d", n);
    }
}

Test(dns_message, what_is_no_answer_to_the_question)
{
    struct dns_question other[] = {question, question, question};
    struct dns_rig rig;

    other[0].id ^= 1;
    other[1].family = DNS_IPV6;
    snprintf(other[2].name, sizeof(other[2].name), "gw.example.org");
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        rig_begin(&rig, &other[i]);
        rig_record(&rig, NULL, 1, 1, ip1, 4);
        cr_expect_eq(read_rig(&rig), DNS_FOREIGN, "%zu", i);
    }
    rig_begin(&rig, &question);
    rig.bytes[2] = 0; /* a query */
    cr_expect_eq(read_rig(&rig), DNS_FOREIGN);
    rig_begin(&rig, &question);
    rig_or_flags(&rig, 0x2000); /* opcode 4 */
    cr_expect_eq(read_rig(&rig), DNS_FOREIGN);
    rig_begin(&rig, &question);
    rig.bytes[rig.len - 1] = 3; /* class */
    cr_expect_eq(read_rig(&rig), DNS_FOREIGN);
    rig.bytes[5] = 2; /* questions */
    cr_expect_eq(read_rig(&rig), DNS_FOREIGN);
    rig.len = 0;
    cr_expect_eq(read_rig(&rig), DNS_FOREIGN);
}

Test(dns_message, what_servers_say_instead)
{
    struct dns_rig rig;

    for (int rcode = 0; rcode < 16; rcode++) {
        rig_begin(&rig, &question);
        rig_or_flags(&rig, (unsigned)rcode);
        cr_expect_eq(read_rig(&rig), rcode == 0 ? DNS_NO_DATA : rcode == 3 ? DNS_NO_NAME : DNS_REFUSED, "%d", rcode);
        cr_expect_eq(answer.rcode, rcode);
        rig.len = 12;
        rig.bytes[5] = 0; /* the question is not echoed */
        cr_expect_eq(read_rig(&rig), rcode == 0 || rcode == 3 ? DNS_FOREIGN : DNS_REFUSED, "%d", rcode);
    }
    cr_expect_str_eq(dns_rcode_name(2), "SERVFAIL");
    cr_expect_str_eq(dns_rcode_name(15), "an unknown RCODE");
}

/* Whatever there is behind the question: a part of the list is no list. */
Test(dns_message, a_cut_answer)
{
    struct dns_rig rig;

    rig_begin(&rig, &question);
    rig_record(&rig, NULL, 1, 1, ip1, 4);
    rig_or_flags(&rig, 0x0200);
    cr_expect_eq(read_rig(&rig), DNS_TRUNCATED);
    rig.len -= 7;
    cr_expect_eq(read_rig(&rig), DNS_TRUNCATED);
}

Test(dns_message, ttl_with_its_highest_bit_is_zero)
{
    struct dns_rig rig;

    rig_begin(&rig, &question);
    rig_record(&rig, NULL, 1, 0x80000001, ip1, 4);
    cr_assert_eq(read_rig(&rig), DNS_FOUND);
    cr_expect_eq(answer.ttl_s, 0);
}

Test(dns_message, broken_records)
{
    struct dns_rig rig;

    rig_begin(&rig, &question);
    rig_record(&rig, NULL, 1, 1, ip6, 16);
    cr_expect_eq(read_rig(&rig), DNS_MALFORMED);
    cr_expect_str_eq(answer.error, "an address has another length than its family");
    rig_begin(&rig, &question);
    rig_record(&rig, NULL, 5, 1, "\x3f", 1);
    cr_expect_eq(read_rig(&rig), DNS_MALFORMED);
    rig_begin(&rig, &question);
    rig_record(&rig, NULL, 5, 1, "\1a\0xx", 5); /* more than a name */
    cr_expect_eq(read_rig(&rig), DNS_MALFORMED);
    rig_begin(&rig, &question);
    rig_record(&rig, NULL, 1, 1, ip1, 4);
    rig.bytes[rig.len++] = 0; /* behind the last section */
    cr_expect_eq(read_rig(&rig), DNS_MALFORMED);
}

/* Every length of a good answer, and a pointer at every place. */
Test(dns_message, no_byte_too_far)
{
    struct dns_rig whole, rig;

    rig_begin(&whole, &question);
    rig_alias(&whole, NULL, "b.example", 20);
    rig_record(&whole, "b.example", 1, 30, ip1, 4);
    cr_assert_eq(read_rig(&whole), DNS_FOUND);
    for (rig = whole; rig.len > 0;) {
        rig.len--;
        cr_expect_neq(read_rig(&rig), DNS_FOUND, "%zu", rig.len);
    }
    for (size_t i = 12; i < whole.len; i++)
        for (unsigned target = 0xc000; target < 0xc000 + whole.len + 2; target++) {
            rig = whole;
            rig.bytes[i] = (uint8_t)(target >> 8);
            if (i + 1 < rig.len)
                rig.bytes[i + 1] = (uint8_t)target;
            read_rig(&rig);
            cr_assert(answer.outcome != DNS_FOUND || answer.n == 1);
        }
}

/* As many as there can be: nothing is cut, nothing overflows. */
Test(dns_message, the_fullest_message)
{
    struct dns_rig rig;
    size_t n = 0;

    rig_begin(&rig, &question);
    for (; rig.len + 16 <= DNS_MESSAGE_MAX; n++)
        rig_record(&rig, NULL, 1, 1, ip1, 4);
    cr_assert_leq(n, DNS_ADDRS_MAX);
    cr_assert(read_rig(&rig) == DNS_FOUND && answer.n == n);
}
