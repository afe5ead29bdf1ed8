/* SPDX-License-Identifier: MIT */
/* The three questions of whoever watches over the process. */
#include <config.h>

#include <string.h>

#include "api_private.h"

static void answer(struct http_exchange *x, const char *json)
{
    http_answer_begin(x, 200);
    http_answer_field(x, "Cache-Control", "no-store");
    http_answer_end(x, "application/json", json, strlen(json));
}

void api_health(struct http_exchange *x, void *app)
{
    (void)app;
    answer(x, "{\"status\":\"Up\"}");
}

void api_livez(struct http_exchange *x, void *app)
{
    (void)app;
    answer(x, "{\"status\":\"live\"}");
}

void api_not_now(struct http_exchange *x, const char *why)
{
    http_answer_begin(x, 503);
    http_answer_field(x, "Cache-Control", "no-store");
    http_answer_field(x, "Retry-After", "1");
    http_answer_end_problem(x, why);
}

void api_readyz(struct http_exchange *x, void *app)
{
    const struct api *api = app;

    if (api->draining)
        api_not_now(x, "draining: this instance is about to end");
    else if (podtable_read_age(api->table, loop_now_ns(api->loop)) < 0)
        api_not_now(x, "no list of pods has been read yet: see the log for what the pod source says");
    else
        answer(x, "{\"status\":\"ready\"}");
}
