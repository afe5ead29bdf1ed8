/* SPDX-License-Identifier: MIT */
/* Pods as tests need them. */
#ifndef SYNCER_TESTS_UNIT_SHARE_PODS_H
#define SYNCER_TESTS_UNIT_SHARE_PODS_H

#include <stdio.h>
#include <string.h>

#include <syncer/share/podtable.h>

/* A ready pod that counts. `address` NULL = none yet. */
static inline struct podtable_pod pod(uint64_t id, const char *name, const char *address)
{
    struct podtable_pod pod = {.id = id, .port = 8443, .state = PODTABLE_READY, .counts = true};

    snprintf(pod.name, sizeof(pod.name), "%s", name);
    if (address)
        addr_parse(&pod.addr, address, strlen(address));
    return pod;
}

#endif
