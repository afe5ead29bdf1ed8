/* SPDX-License-Identifier: MIT */
/*
 * A name server's answers: nothing is read too far, what is found belongs to the question, and only an answer to it is one.
 * The first byte says the family; id and name of the question are the message's own, so that records are reached.
 */
#include <config.h>

#include <resolv.h>
#include <stdio.h>

#include "../../src/pods/dns_message.h"

#include "fuzz.h"

static void question_of(struct dns_question *question, const uint8_t *message, size_t len)
{
    char name[1025];

    snprintf(question->name, sizeof(question->name), "gw.example");
    if (len < 12)
        return;
    question->id = (uint16_t)(message[0] << 8 | message[1]);
    if (dn_expand(message, message + len, message + 12, name, sizeof(name)) > 0 && name[0] &&
        strlen(name) <= DNS_NAME_MAX)
        memcpy(question->name, name, strlen(name) + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_answer answer, again;
    struct dns_question question = {.family = size > 0 && data[0] & 1 ? DNS_IPV6 : DNS_IPV4};
    size_t len = size > 0 ? size - 1 : 0;
    uint8_t *message = (uint8_t *)exact_copy(data + (size > 0), len), query[DNS_QUERY_MAX];

    question_of(&question, message, len);
    HOLDS(dns_query_write(&question, query) <= (int)sizeof(query));
    dns_answer_read(&answer, &question, message, len);
    HOLDS((answer.outcome == DNS_FOUND) == (answer.n > 0) || answer.outcome == DNS_MALFORMED);
    HOLDS(answer.n <= DNS_ADDRS_MAX && answer.n * 15 <= len);
    HOLDS((answer.outcome == DNS_MALFORMED) == (answer.error != NULL));
    HOLDS(answer.outcome != DNS_FOUND || answer.ttl_s <= INT32_MAX);
    for (size_t i = 0; i < answer.n; i++)
        HOLDS(answer.addrs[i].family == 4 || (answer.addrs[i].family == 6 && question.family == DNS_IPV6));
    question.id ^= 1;
    dns_answer_read(&again, &question, message, len);
    HOLDS(again.outcome == DNS_FOREIGN && again.n == 0);
    free(message);
    return 0;
}
