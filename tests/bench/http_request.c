/* SPDX-License-Identifier: MIT */
/*
 * What it costs to read a request head: what nginx sends by contrib/nginx/ask.conf, and the same with the fields of a
 * browser. In CPU time; `valgrind --tool=callgrind` on it counts instructions.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <syncer/base/must.h>
#include <syncer/wire/http_request.h>

#include "figure.h"

#define ROUNDS 100000
#define NGINX                                                                                       \
    "GET /v1/synced HTTP/1.1\r\nHost: syncer\r\nX-Request-ID: 4f1c0e5d2b7a4c8e9f3a6b1d0c5e7f92\r\n" \
    "X-Auth-Token: 6f1d2c3b4a5968778695a4b3c2d1e0f00f1e2d3c4b5a69788796a5b4c3d2e1f0\r\n"            \
    "X-Nginx-Origin: gateway-6c8f9d7b5d-x2x8k\r\n"
#define BROWSER                                                                                            \
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"               \
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"    \
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nUpgrade-Insecure-Requests: " \
    "1\r\n"                                                                                                \
    "Referer: https://gateway.example.org/login\r\nCookie: theme=dark; lang=en\r\nSec-Fetch-Mode: "        \
    "navigate\r\n"

static void measure(const char *name, const char *head)
{
    static const struct http_request_limits limits = {8192, 24576, HTTP_REQUEST_MAX_FIELDS};
    static struct http_request req;
    size_t len = strlen(head);
    clock_t began = clock();

    for (int i = 0; i < ROUNDS; i++) {
        http_request_init(&req);
        must(http_request_parse(&req, head, len, &limits) == HTTP_DONE);
    }
    printf("%s: %zu bytes, %u fields\n", name, len, req.n_fields);
    figure(name, (double)(clock() - began) * (1e9 / CLOCKS_PER_SEC) / ROUNDS, "ns", "");
}

int main(void)
{
    measure("head_of_nginx", NGINX "\r\n");
    measure("head_of_browser", NGINX BROWSER "\r\n");
    return 0;
}
