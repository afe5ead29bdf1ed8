/* SPDX-License-Identifier: MIT */
/* Which names a name stands for, and whom to ask. */
#include <config.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include <syncer/base/macros.h>

#include "../../../src/pods/dns_resolv.h"

TestSuite(dns_resolv, .timeout = 10);

/* All candidates with a blank between. */
static const char *candidates(const struct dns_resolv *resolv, const char *name)
{
    static char out[DNS_CANDIDATES_MAX * (DNS_NAME_MAX + 2)];
    char names[DNS_CANDIDATES_MAX][DNS_NAME_MAX + 1];
    size_t n = dns_candidates(resolv, name, names);

    out[0] = '\0';
    for (size_t i = 0; i < n; i++)
        sprintf(out + strlen(out), "%s%s", i > 0 ? " " : "", names[i]);
    return out;
}

Test(dns_resolv, candidates)
{
    static const struct {
        int ndots;
        const char *name, *expected;
    } rows[] = {
        {5, "gw.ns.svc", "gw.ns.svc.ns.svc.c.local gw.ns.svc.svc.c.local gw.ns.svc.c.local gw.ns.svc"},
        {5, "gw", "gw.ns.svc.c.local gw.svc.c.local gw.c.local gw"},
        {1, "gw", "gw.ns.svc.c.local gw.svc.c.local gw.c.local gw"},
        {0, "gw", "gw gw.ns.svc.c.local gw.svc.c.local gw.c.local"},
        {2, "gw.ns.svc", "gw.ns.svc gw.ns.svc.ns.svc.c.local gw.ns.svc.svc.c.local gw.ns.svc.c.local"},
        {3, "gw.ns.svc", "gw.ns.svc.ns.svc.c.local gw.ns.svc.svc.c.local gw.ns.svc.c.local gw.ns.svc"},
        {5, "gw.ns.svc.", "gw.ns.svc"},
        {5, "", ""},
        {5, ".", ""},
    };
    struct dns_resolv resolv = {.search = {"ns.svc.c.local", "svc.c.local", "c.local"}, .n_search = 3};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        resolv.ndots = rows[i].ndots;
        cr_expect_str_eq(candidates(&resolv, rows[i].name), rows[i].expected, "row %zu: %s", i,
                         candidates(&resolv, rows[i].name));
    }
    resolv.n_search = 0;
    cr_expect_str_eq(candidates(&resolv, "gw.ns.svc"), "gw.ns.svc");
}

Test(dns_resolv, candidates_that_are_too_long_are_left_out)
{
    struct dns_resolv resolv = {.search = {"c.local"}, .n_search = 1, .ndots = 5};
    char name[DNS_NAME_MAX + 3], names[DNS_CANDIDATES_MAX][DNS_NAME_MAX + 1];

    memset(name, 'a', sizeof(name));
    name[DNS_NAME_MAX - 8] = '\0'; /* with .c.local just not too long */
    cr_expect_eq(dns_candidates(&resolv, name, names), 2);
    cr_expect_eq(strlen(names[0]), DNS_NAME_MAX);
    name[DNS_NAME_MAX - 8] = 'a';
    name[DNS_NAME_MAX - 7] = '\0';
    cr_expect_eq(dns_candidates(&resolv, name, names), 1);
    name[DNS_NAME_MAX - 7] = 'a';
    name[DNS_NAME_MAX] = '.';
    name[DNS_NAME_MAX + 1] = '\0';
    cr_expect_eq(dns_candidates(&resolv, name, names), 1, "the dot at the end is not counted");
    name[DNS_NAME_MAX] = 'a';
    cr_expect_eq(dns_candidates(&resolv, name, names), 0);
}

Test(dns_resolv, reads_what_the_library_has)
{
    struct dns_resolv resolv, again;
    struct err err = {""};
    char text[DNS_SERVER_TEXT_BYTES];

    setenv("LOCALDOMAIN", "a.example b.example. c.example", 1);
    setenv("RES_OPTIONS", "ndots:4 timeout:3 attempts:1", 1);
    cr_assert_eq(dns_resolv_read(&resolv, NULL, &err), 0, "%s", err.text);
    cr_expect_geq(resolv.n_servers, 1);
    cr_expect(resolv.ndots == 4 && resolv.timeout_ms == 3000 && resolv.attempts == 1);
    cr_expect_str_eq(candidates(&resolv, "gw"), "gw.a.example gw.b.example gw.c.example gw");
    memset(&again, 0xff, sizeof(again));
    cr_assert_eq(dns_resolv_read(&again, NULL, &err), 0);
    cr_expect_eq(memcmp(&resolv, &again, sizeof(again)), 0, "it can be compared");
    cr_assert_eq(dns_resolv_read(&resolv, "[fd00::a]:5353", &err), 0);
    cr_assert_eq(resolv.n_servers, 1);
    cr_expect_str_eq(dns_server_format(&resolv.servers[0], text), "[fd00::a]:5353");
    cr_assert_eq(dns_resolv_read(&resolv, "10.0.0.1", &err), 0);
    cr_expect_str_eq(dns_server_format(&resolv.servers[0], text), "10.0.0.1:53");
}
