/* SPDX-License-Identifier: MIT */
/* The table of paths, and the errors that all of them share. */
#include <config.h>

#include <string.h>

#include <syncer/base/macros.h>

#include "api_private.h"

/* In this order, so that each side is a piece of it. */
#define SYNCED 1 /* first: not for administrators */
#define HEALTH 3 /* then: for everybody; the rest is for administrators */
static const struct http_route routes[] = {
    {"/v1/synced", api_synced, "is the token on every other pod?"},
    {"/readyz", api_readyz, "200 once a list of pods has been read"},
    {"/livez", api_livez, "200 as long as a worker answers"},
    {"/health", api_health, "{\"status\":\"Up\"}"},
    {"/v1/pods", api_pods, "the pods that are known, with their last results"},
    {"/v1/status", api_status, "master, workers, source, verdicts"},
    {"/metrics", api_metrics, "what is counted and measured, for Prometheus"},
    {"/", api_root, "302 to the page"},
#define PAGE(name, path, type, file) {path, api_page, "for browsers"},
#include "pages.def"
#undef PAGE
};

struct http_router api_router(struct api *api, enum api_side side)
{
    struct http_router router = {.routes = routes, .n = ARRAY_LEN(routes), .app = api, .on_error = api_on_error};

    if (side == API_LISTEN)
        router.n = SYNCED + HEALTH;
    if (side == API_ADMIN) {
        router.routes += SYNCED;
        router.n -= SYNCED;
    }
    return router;
}

static const struct {
    const char *name;
    int status;
    enum scoreboard_metric metric;
} errors[API_ERRORS] = {
    [API_BAD_REQUEST] = {"bad-request", 400, METRIC_ERRORS_BAD_REQUEST},
    [API_NOT_ALLOWED] = {"not-allowed", 403, METRIC_ERRORS_NOT_ALLOWED},
    [API_NO_POD_LIST] = {"no-pod-list", 503, METRIC_ERRORS_NO_POD_LIST},
    [API_NO_PODS] = {"no-pods", 503, METRIC_ERRORS_NO_PODS},
    [API_TOO_MANY_PODS] = {"too-many-pods", 503, METRIC_ERRORS_TOO_MANY_PODS},
    [API_OVERLOADED] = {"overloaded", 503, METRIC_ERRORS_OVERLOADED},
    [API_DRAINING] = {"draining", 503, METRIC_ERRORS_DRAINING},
};

const char *api_error_name(enum api_error error)
{
    return errors[error].name;
}

void api_refuse(struct http_exchange *x, struct api *api, enum api_error error, const char *detail)
{
    scoreboard_add(api->board, errors[error].metric, 1);
    api_log_error(api, x, error, detail);
    http_exchange_set_result(x, errors[error].name);
    http_answer_begin(x, errors[error].status);
    http_answer_field(x, "X-Token-Error", errors[error].name);
    if (http_exchange_id(x)[0])
        http_answer_field(x, "X-Request-ID", http_exchange_id(x));
    http_answer_field(x, "Cache-Control", "no-store");
    if (errors[error].status == 503)
        http_answer_field(x, "Retry-After", "1");
    http_answer_end_problem(x, detail);
}

static bool is_check(const struct http_exchange *x)
{
    static const char path[] = "/v1/synced";
    size_t len;
    const char *asked = http_exchange_path(x, &len);

    return len == strlen(path) && memcmp(asked, path, len) == 0;
}

/* A request that the server refused may have been meant for a check: then the gateway must find the reason where it looks
 * for it. Where another path was meant, the field does no harm. */
void api_on_error(struct http_exchange *x, int status, const char *detail, void *app)
{
    struct api *api = app;
    enum api_error error = status == 503 ? API_OVERLOADED : API_BAD_REQUEST;

    if (status == 404 || ((status == 405 || status == 501) && !is_check(x)))
        return;
    scoreboard_add(api->board, errors[error].metric, 1);
    api_log_error(api, x, error, detail);
    http_exchange_set_result(x, errors[error].name);
    http_answer_field(x, "X-Token-Error", errors[error].name);
    if (error == API_OVERLOADED)
        http_answer_field(x, "Retry-After", "1");
}

const struct podtable_snapshot *api_hold_table(struct http_exchange *x, const struct api *api)
{
    const struct podtable_snapshot *snapshot;

    podtable_reader_snapshot(api->table, &snapshot); /* without memory: an older one */
    snapshot = podtable_snapshot_hold(api->table);
    if (!snapshot)
        api_not_now(x, "too many clients are reading older lists of pods; try again later");
    return snapshot;
}

void api_end_json(struct http_exchange *x, struct buf *json)
{
    http_answer_field(x, "Cache-Control", "no-store");
    http_answer_end_buf(x, "application/json", json);
}
