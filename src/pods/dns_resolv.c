/* SPDX-License-Identifier: MIT */
/* /etc/resolv.conf, read by the C library's own reader into a form that needs no freeing. */
#include <config.h>

#include <resolv.h>
#include <stdio.h>
#include <string.h>

#include "dns_resolv.h"

#define DNS_PORT 53

static void set_server(struct dns_server *server, const struct addr *addr, uint16_t port)
{
    if (addr->family == 6) {
        server->addr.v6.sin6_family = AF_INET6;
        server->addr.v6.sin6_port = htons(port);
        memcpy(&server->addr.v6.sin6_addr, addr->bytes, 16);
        server->len = sizeof(server->addr.v6);
    } else {
        server->addr.v4.sin_family = AF_INET;
        server->addr.v4.sin_port = htons(port);
        memcpy(&server->addr.v4.sin_addr, addr->bytes, 4);
        server->len = sizeof(server->addr.v4);
    }
}

/* The library keeps IPv4 servers in one array, IPv6 servers behind pointers in another, a place each. */
static void read_servers(struct dns_resolv *resolv, const struct __res_state *state)
{
    for (int i = 0; i < state->nscount && resolv->n_servers < DNS_SERVERS_MAX; i++) {
        struct dns_server *server = &resolv->servers[resolv->n_servers];

        if (state->nsaddr_list[i].sin_family == AF_INET) {
            server->addr.v4 = state->nsaddr_list[i];
            server->len = sizeof(server->addr.v4);
        } else if (state->_u._ext.nsaddrs[i]) {
            server->addr.v6 = *state->_u._ext.nsaddrs[i];
            server->len = sizeof(server->addr.v6);
        } else {
            continue;
        }
        resolv->n_servers++;
    }
}

static void read_search(struct dns_resolv *resolv, const struct __res_state *state)
{
    for (size_t i = 0; i < DNS_SEARCH_MAX && state->dnsrch[i]; i++) {
        size_t len = strlen(state->dnsrch[i]);

        if (len > 0 && state->dnsrch[i][len - 1] == '.')
            len--;
        if (len > 0 && len <= DNS_NAME_MAX)
            memcpy(resolv->search[resolv->n_search++], state->dnsrch[i], len);
    }
}

int dns_resolv_read(struct dns_resolv *resolv, const char *server, struct err *err)
{
    struct __res_state state = {.options = 0};
    uint16_t port = DNS_PORT;
    struct addr addr;

    memset(resolv, 0, sizeof(*resolv));
    if (res_ninit(&state) != 0)
        return err_set(err, "/etc/resolv.conf: cannot be read");
    if (server && addr_parse_port(&addr, &port, server) == 0)
        set_server(&resolv->servers[resolv->n_servers++], &addr, port);
    else if (!server)
        read_servers(resolv, &state);
    read_search(resolv, &state);
    resolv->ndots = (int)state.ndots;
    resolv->timeout_ms = state.retrans * 1000;
    resolv->attempts = state.retry;
    res_nclose(&state);
    return resolv->n_servers > 0 ? 0 : err_set(err, "there is no name server to ask");
}

static size_t count_dots(const char *name)
{
    size_t n = 0;

    for (; *name; name++)
        n += *name == '.';
    return n;
}

size_t dns_candidates(const struct dns_resolv *resolv, const char *name,
                      char candidates[DNS_CANDIDATES_MAX][DNS_NAME_MAX + 1])
{
    size_t len = strlen(name), n = 0;
    bool absolute = len > 0 && name[len - 1] == '.', first;

    len -= absolute;
    if (len == 0 || len > DNS_NAME_MAX)
        return 0;
    first = absolute || count_dots(name) >= (size_t)resolv->ndots;
    if (first)
        snprintf(candidates[n++], DNS_NAME_MAX + 1, "%.*s", (int)len, name);
    for (size_t i = 0; i < resolv->n_search && !absolute; i++)
        if (len + 1 + strlen(resolv->search[i]) <= DNS_NAME_MAX)
            snprintf(candidates[n++], DNS_NAME_MAX + 1, "%s.%s", name, resolv->search[i]);
    if (!first)
        snprintf(candidates[n++], DNS_NAME_MAX + 1, "%s", name);
    return n;
}

const char *dns_server_format(const struct dns_server *server, char out[DNS_SERVER_TEXT_BYTES])
{
    struct addr addr = {.family = server->addr.any.sa_family == AF_INET6 ? 6 : 4};
    char text[ADDR_TEXT_BYTES];

    if (addr.family == 6) {
        memcpy(addr.bytes, &server->addr.v6.sin6_addr, 16);
        snprintf(out, DNS_SERVER_TEXT_BYTES, "[%s]:%u", addr_format(&addr, text), ntohs(server->addr.v6.sin6_port));
    } else {
        memcpy(addr.bytes, &server->addr.v4.sin_addr, 4);
        snprintf(out, DNS_SERVER_TEXT_BYTES, "%s:%u", addr_format(&addr, text), ntohs(server->addr.v4.sin_port));
    }
    return out;
}
