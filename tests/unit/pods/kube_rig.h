/* SPDX-License-Identifier: MIT */
/* What the tests of the Kubernetes source share: recordings of real API servers, and objects out of a text. */
#ifndef SYNCER_TESTS_UNIT_PODS_KUBE_RIG_H
#define SYNCER_TESTS_UNIT_PODS_KUBE_RIG_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/fd.h>
#include <syncer/base/macros.h>

#include "../../../src/pods/kube_list.h"
#include "../../../src/pods/kube_objects.h"

static const char *const kube_versions[] = {"v1.20", "v1.36"};
static const char *const kube_phases[] = {"1-settled", "2-rolling", "3-rolled", "4-undone", "5-zero"};

/* tests/fixtures/kube/NAME; the caller releases it. */
static inline struct buf kube_recording(const char *name)
{
    const char *top = getenv("SYNCER_SRCDIR");
    struct err err = {""};
    char path[512];
    struct buf text;

    cr_assert(top, "SYNCER_SRCDIR should be the source tree");
    snprintf(path, sizeof(path), "%s/tests/fixtures/kube/%s", top, name);
    buf_init(&text, KUBE_OBJECT_MAX_BYTES);
    cr_assert_eq(fd_read_file(path, &text, &err), 0, "%s", err.text);
    return text;
}

/* The recording VERSION-PHASE-WHAT.json; the caller releases it. */
static inline struct buf kube_recorded(size_t version, size_t phase, const char *what)
{
    char name[64];

    snprintf(name, sizeof(name), "%s-%s-%s.json", kube_versions[version], kube_phases[phase], what);
    return kube_recording(name);
}

/* A document of that text, which must be JSON and stay; the caller frees it. */
static inline struct json_doc *kube_doc(const char *text, size_t len)
{
    struct json_doc *doc = json_doc_new(KUBE_OBJECT_MAX_VALUES);
    struct err err = {""};

    cr_assert(doc);
    cr_assert_eq(json_doc_parse(doc, text, len, &err), 0, "%s: %.200s", err.text, text);
    return doc;
}

#endif
