/* SPDX-License-Identifier: MIT */
/* What doctor makes of facts: what must change, what should be looked at, and what is well. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/ctl/doctor.h"

static struct doctor doctor;

static void release(void)
{
    for (size_t i = 0; i < doctor.n; i++) {
        free(doctor.findings[i].text);
        free(doctor.findings[i].remedy);
    }
    free(doctor.findings);
    doctor = (struct doctor){.findings = NULL};
}

TestSuite(doctor, .timeout = 10, .fini = release);

static bool said(enum doctor_level level, const char *text)
{
    for (size_t i = 0; i < doctor.n; i++)
        if (doctor.findings[i].level == level && strstr(doctor.findings[i].text, text))
            return true;
    return false;
}

static size_t count(enum doctor_level level)
{
    size_t n = 0;

    for (size_t i = 0; i < doctor.n; i++)
        n += doctor.findings[i].level == level;
    return n;
}

Test(doctor, patience)
{
    doctor_say_patience(&doctor, 1200, 1000);
    cr_expect_eq(count(DOCTOR_GOOD), 1);
    doctor_say_patience(&doctor, 1199, 1000);
    cr_expect(said(DOCTOR_BAD, "1199 ms, less than 1.2 x zone_sync_interval (1000 ms)"));
    cr_expect(doctor.findings[1].remedy && !doctor.findings[0].remedy);
}

Test(doctor, pods)
{
    struct doctor_pod pods[] = {
        {.name = "a", .state = "ready", .counts = true},
        {.name = "b", .state = "unready"},
        {.name = "c", .state = "unready"},
        {.name = "d", .state = "terminating"},
        {.name = "e", .state = "ready"},
        {.name = "f", .state = "elsewhere"},
    };

    doctor_say_pods(&doctor, "pods", pods, sizeof(pods) / sizeof(pods[0]));
    cr_expect(said(DOCTOR_WARN, "1 of 6 pods counts"));
    cr_expect(said(DOCTOR_WARN, "left out: b, c: is not ready"));
    cr_expect(said(DOCTOR_NOTE, "left out: d: is being deleted"));
    cr_expect(said(DOCTOR_NOTE, "left out: e: is of another revision"));
    cr_expect(said(DOCTOR_WARN, "left out: f: is in no known state"));
    release();
    doctor_say_pods(&doctor, "pods", pods + 1, 1);
    cr_expect(said(DOCTOR_BAD, "none of 1 pods counts"));
    release();
    doctor_say_pods(&doctor, "pods", pods, 0);
    cr_expect(said(DOCTOR_BAD, "the list of pods is empty"));
    release();
    pods[1].counts = true;
    doctor_say_pods(&doctor, "pods", pods, 2);
    cr_expect_eq(doctor.n, 1);
    cr_expect(said(DOCTOR_GOOD, "2 of 2 pods count"));
}

Test(doctor, certificates)
{
    struct doctor_certificates c;
    int64_t day = 86400;
    char name[16];

    doctor_certificates_init(&c);
    doctor_certificates_add(&c, "unknown", 0);
    doctor_say_certificates(&doctor, &c);
    cr_expect_eq(doctor.n, 0);
    doctor_certificates_add(&c, "good", c.now_s + 14 * day);
    doctor_certificates_add(&c, "better", c.now_s + 400 * day);
    doctor_say_certificates(&doctor, &c);
    cr_expect(doctor.n == 1 && said(DOCTOR_GOOD, "(good)"));
    doctor_certificates_add(&c, "soon", c.now_s + 14 * day - 1);
    doctor_certificates_add(&c, "over", c.now_s);
    release();
    doctor_say_certificates(&doctor, &c);
    cr_expect(said(DOCTOR_BAD, "less than 14 days left: soon; the first ends"));
    cr_expect(said(DOCTOR_BAD, "expired: over"));
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "gw-%d", i);
        doctor_certificates_add(&c, name, c.now_s - day);
    }
    release();
    doctor_say_certificates(&doctor, &c);
    cr_expect(said(DOCTOR_BAD, "expired: over, gw-0, gw-1, gw-2, gw-3 and 996 more"));
}

Test(doctor, probes)
{
    static struct explain_groups groups;
    struct peer peer = {.name = "gw-1", .result = "unprotected", .code = 200};

    doctor_say_probes(&doctor, "probes", &groups, 0);
    cr_expect_eq(doctor.n, 0);
    doctor_say_probes(&doctor, "probes", &groups, 3);
    cr_expect(said(DOCTOR_GOOD, "all 3 pods answer 401"));
    explain_groups_add(&groups, &peer);
    doctor_say_probes(&doctor, "probes", &groups, 3);
    cr_expect(said(DOCTOR_BAD, "pod gw-1 says 200 to any token"));
    cr_expect(doctor.findings[1].remedy && strstr(doctor.findings[1].remedy, "auth_jwt"));
}

Test(doctor, what_it_says_is_bounded)
{
    static char text[100000];

    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 5000; i++)
        doctor_say(&doctor, DOCTOR_BAD, "topic", text, "%s", text);
    cr_expect_eq(doctor.n, 500);
    cr_expect_lt(strlen(doctor.findings[0].text), 1200);
    cr_expect_not(doctor.failed);
}
