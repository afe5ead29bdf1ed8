/* SPDX-License-Identifier: MIT */
/* Who may ask: a client's address against the list of the configuration and the table of pods. */
#include <config.h>

#include <string.h>

#include <syncer/base/must.h>

#include "api_private.h"

void api_allow_init(struct api_allow *allow, char *const *values, size_t n)
{
    bool low_bits;

    *allow = (struct api_allow){0};
    for (size_t i = 0; i < n; i++) {
        if (strcmp(values[i], "any") == 0) {
            allow->any = true;
        } else if (strcmp(values[i], "pods") == 0) {
            allow->pods = true;
        } else {
            must(allow->n < API_ALLOW_MAX && addr_range_parse(&allow->ranges[allow->n], values[i], &low_bits) == 0);
            allow->n++;
        }
    }
}

/* Also one that is not ready yet, or that is going: it still serves logins. Of a pod that has ended the address stays in
 * its status for days, and may be somebody else's by then. */
static bool is_pod(const struct api *api, const struct addr *client)
{
    const struct podtable_snapshot *snapshot;
    const struct podtable_pod *pod;

    podtable_reader_snapshot(api->table, &snapshot); /* without memory: an older one */
    pod = podtable_find_addr(snapshot, client);
    return pod && pod->state != PODTABLE_FAILED;
}

bool api_allows(const struct api *api, const struct http_exchange *x)
{
    const struct addr *client = http_exchange_peer(x);

    if (api->allow.any || client->family == 0)
        return true;
    for (size_t i = 0; i < api->allow.n; i++)
        if (addr_range_has(&api->allow.ranges[i], client))
            return true;
    return api->allow.pods && is_pod(api, client);
}
