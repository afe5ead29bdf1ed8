/* SPDX-License-Identifier: MIT */
/* What a worker is made of: the configuration turned into the settings of each layer, from the pods upwards. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <syncer/base/clock.h>
#include <syncer/base/fd.h>
#include <syncer/base/log.h>
#include <syncer/base/random.h>
#include <syncer/share/control.h>

#include "worker_private.h"

#define REQUEST_HEAD_MAX 8192
#define ADMIN_CONNECTIONS 256 /* a worker: health probes, scrapers, some people */
#define SPARE_CLIENTS 2       /* more than the average of the workers are no reason to leave the next to others */
#define SHAKE_LINES 10        /* a second in the log */
#define UNASKED_LINES_PER_SECOND 1
#define STARVED_LINES_PER_SECOND 1
#define UNPROTECTED_LINES_PER_SECOND 10
#define MAX_OPENING 8 /* cold connects at a time: each costs a handshake */
#define UNVERIFIED_MAX_AGE_NS \
    (INT64_C(300) * NS_PER_S) /* an old address may be somebody else's, and nothing would tell */

/* ---- what the pods do, for a person ---- */

/* Every worker finds out by itself; the line in the log is the master's (master/podhealth.c). */
static void on_down(void *arg, const struct pool_pod *pod, const char *reason)
{
    struct worker *worker = arg;

    log_debug("pod takes no connection: its probes fail at once until an attempt in the background succeeds",
              LOG_STR("pod", pool_pod_name(pod)), LOG_STR("reason", reason));
    scoreboard_note_result(worker->board, pool_pod_id(pod), SCOREBOARD_DOWN, 0, loop_now_ns(worker->loop));
    control_send_down(worker->heritage.control_fd, pool_pod_name(pod), reason);
}

static void on_up(void *arg, const struct pool_pod *pod)
{
    struct worker *worker = arg;

    log_debug("pod takes connections again", LOG_STR("pod", pool_pod_name(pod)));
    scoreboard_note_result(worker->board, pool_pod_id(pod), SCOREBOARD_NO_RESULT, 0, loop_now_ns(worker->loop));
}

static void on_unasked(void *arg, const struct pool_pod *pod)
{
    struct worker *worker = arg;

    /* Each is counted by a metric; such a pod does it with every answer. */
    if (log_limit_pass(&worker->unasked, loop_now_ns(worker->loop), UNASKED_LINES_PER_SECOND))
        log_warn("pod sent what nobody had asked for: the connection is closed", LOG_STR("pod", pool_pod_name(pod)),
                 LOG_SOME("not_told_before", log_limit_take(&worker->unasked)));
}

static void on_unprotected(void *arg, const struct pool_pod *pod)
{
    struct worker *worker = arg;
    bool fails = worker->conf.control_probe == CONF_CONTROL_FAIL;

    if (!log_limit_pass(&worker->unprotected, loop_now_ns(worker->loop), UNPROTECTED_LINES_PER_SECOND))
        return; /* where the path is wrong, it is so on all pods; /v1/pods and a metric have each */
    log_error(fails ? "pod says 200 to a token that nobody has: it counts as failed until it refuses one"
                    : "pod says 200 to a token that nobody has: every token looks present there, and checks say so",
              LOG_STR("pod", pool_pod_name(pod)), LOG_STR("path", worker->conf.path),
              LOG_SOME("not_told_before", log_limit_take(&worker->unprotected)));
}

static void on_protected(void *arg, const struct pool_pod *pod)
{
    (void)arg;
    log_info("pod refuses a token that nobody has again", LOG_STR("pod", pool_pod_name(pod)));
}

/* ---- what clients do, counted ---- */

static void on_accepted(void *arg)
{
    struct worker *worker = arg;

    scoreboard_add(worker->board, METRIC_CONNECTIONS_ACCEPTED, 1);
    scoreboard_set(worker->board, METRIC_CONNECTIONS_OPEN, http_server_connections(worker->server));
}

/* Does this block's owner accept clients, by the same configuration? */
static bool is_colleague(const struct worker *worker, uint32_t block)
{
    struct scoreboard_owner owner;

    scoreboard_owner(worker->board, block, &owner);
    return owner.state == SCOREBOARD_READY && owner.generation == worker->heritage.generation;
}

/* By more than chance. */
static bool has_enough(void *arg)
{
    const struct worker *worker = arg;
    uint64_t own = scoreboard_value(worker->board, worker->heritage.block, METRIC_CONNECTIONS_OPEN), all = 0,
             workers = 0;

    for (uint32_t block = 1; block < scoreboard_blocks(worker->board); block++) {
        if (!is_colleague(worker, block))
            continue;
        all += scoreboard_value(worker->board, block, METRIC_CONNECTIONS_OPEN);
        workers++;
    }
    return own * workers > all + all / 16 + SPARE_CLIENTS * workers;
}

/* What others count has both doors in it: of the admin's nothing can be told. */
static bool others_have_room(void *arg, const struct http_door *door)
{
    const struct worker *worker = arg;

    if (door != &worker->door)
        return false;
    for (uint32_t block = 1; block < scoreboard_blocks(worker->board); block++)
        if (block != worker->heritage.block && is_colleague(worker, block) &&
            scoreboard_value(worker->board, block, METRIC_CONNECTIONS_OPEN) < door->max_connections)
            return true;
    return false;
}

static void on_refused(void *arg)
{
    struct worker *worker = arg;

    scoreboard_add(worker->board, METRIC_CONNECTIONS_REFUSED, 1);
}

static void on_starved(void *arg, int error)
{
    struct worker *worker = arg;

    if (log_limit_pass(&worker->starved, loop_now_ns(worker->loop), STARVED_LINES_PER_SECOND))
        log_error("clients wait or are let go: something is missing here", LOG_STR("reason", strerror(error)),
                  LOG_INT("connections", http_server_connections(worker->server)), LOG_INT("descriptors", fd_limit()),
                  LOG_SOME("not_told_before", log_limit_take(&worker->starved)));
}

static void on_shake_failed(void *arg, const struct addr *client, const char *reason)
{
    struct worker *worker = arg;
    char text[ADDR_TEXT_BYTES];

    if (log_limit_pass(&worker->shake_log, loop_now_ns(worker->loop), SHAKE_LINES))
        log_info("no TLS connection came about", LOG_STR("client", addr_format(client, text)),
                 LOG_STR("reason", reason), LOG_SOME("not_told_before", log_limit_take(&worker->shake_log)));
}

static void on_closed(void *arg)
{
    struct worker *worker = arg;

    scoreboard_set(worker->board, METRIC_CONNECTIONS_OPEN, http_server_connections(worker->server));
}

static void on_answered(void *arg, int status)
{
    static const enum scoreboard_metric classes[] = {METRIC_HTTP_2XX, METRIC_HTTP_3XX, METRIC_HTTP_4XX,
                                                     METRIC_HTTP_5XX};
    struct worker *worker = arg;

    if (status >= 200 && status <= 599)
        scoreboard_add(worker->board, classes[status / 100 - 2], 1);
}

/* ---- the parts ---- */

static int make_hub(struct worker *worker, struct err *err)
{
    const struct conf *conf = &worker->conf;
    struct trust_settings trust = {
        .verify = conf->tls_verify,
        .ca_file = conf->tls_ca,
        .cert_file = conf->tls_cert,
        .key_file = conf->tls_key,
    };
    struct link_hub_settings hub = {
        .tls = conf->scheme == CONF_SCHEME_HTTPS,
        .server_name = conf->tls_server_name ? conf->tls_server_name : conf->host,
        .max_opening = MAX_OPENING,
        .connect_timeout_ms = conf->connection_timeout_ms,
    };

    if (hub.tls && !(worker->trust = trust_new(&trust, err)))
        return -1;
    hub.trust = worker->trust;
    worker->hub = link_hub_new(worker->loop, &hub, err);
    return worker->hub ? 0 : -1;
}

static int make_pool(struct worker *worker, struct err *err)
{
    static const struct pool_events events = {.on_down = on_down, .on_up = on_up, .on_unasked = on_unasked};
    const struct conf *conf = &worker->conf;
    char head[REQUEST_HEAD_MAX];
    struct pool_settings settings = {
        .loop = worker->loop,
        .hub = worker->hub,
        .board = worker->board,
        .generation = worker->heritage.generation,
        .connection_timeout_ns = conf->connection_timeout_ms * NS_PER_MS,
        .host_keepalives = (uint32_t)conf->host_keepalives,
        .max_keepalives = (uint32_t)conf->max_keepalives,
        .max_probe_rate = (uint32_t)conf->max_probe_rate,
        .request_head = head,
    };
    int n =
        snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: syncer/%s\r\nCookie: %s=", conf->path,
                 conf->host, PACKAGE_VERSION, conf->cookie);

    if (n < 0 || (size_t)n >= sizeof(head))
        return err_set(err, "path, host and cookie are together longer than a probe's head may be (%d bytes)",
                       REQUEST_HEAD_MAX);
    worker->pool = pool_new(&settings, &events, worker, err);
    return worker->pool ? 0 : -1;
}

static int make_guard(struct worker *worker, struct err *err)
{
    static const struct guard_events events = {.on_unprotected = on_unprotected, .on_protected = on_protected};
    struct guard_settings settings = {
        .loop = worker->loop,
        .pool = worker->pool,
        .board = worker->board,
        .block = worker->heritage.block,
    };

    if (worker->conf.control_probe == CONF_CONTROL_OFF)
        return 0;
    worker->guard = guard_new(&settings, &events, worker, err);
    return worker->guard ? 0 : -1;
}

static int ask_refresh(void *arg, const char *name)
{
    struct worker *worker = arg;

    return control_send(worker->heritage.control_fd, CONTROL_REFRESH, name);
}

static int make_checker(struct worker *worker, struct err *err)
{
    const struct conf *conf = &worker->conf;
    bool verified = conf->scheme == CONF_SCHEME_HTTPS && conf->tls_verify;
    struct checker_settings settings = {
        .loop = worker->loop,
        .pool = worker->pool,
        .table = worker->table,
        .board = worker->board,
        .schedule =
            {
                .mode = conf->retry_mode == CONF_RETRY_SCOUT ? SCHEDULE_SCOUT : SCHEDULE_PARALLEL,
                .sync_timeout_ns = conf->sync_timeout_ms * NS_PER_MS,
                .patience_ns = conf_patience_ms(conf) * NS_PER_MS,
                .scout_interval_ns = conf->scout_interval_ms * NS_PER_MS,
                .waves = (uint32_t)conf->retries,
                .draw = random_below,
            },
        .request_deadline_ns = conf->request_deadline_ms * NS_PER_MS,
        .max_checks = (uint32_t)conf->max_checks,
        .origin_check = conf->origin_check == CONF_ORIGIN_CHECK_ON,
        .heed_control_probes = conf->control_probe == CONF_CONTROL_FAIL,
        .max_table_age_ns = verified || conf->pods == CONF_PODS_STATIC ? 0 : UNVERIFIED_MAX_AGE_NS,
        .ask_refresh = ask_refresh,
        .arg = worker,
    };

    worker->checker = checker_new(&settings, err);
    return worker->checker ? 0 : -1;
}

/* As the source itself says it to the log, as far as the configuration alone can tell. */
static void describe_source(struct worker *worker)
{
    const struct conf *conf = &worker->conf;
    const char *space = conf->namespace ? conf->namespace : "", *slash = conf->namespace ? "/" : "";
    char *text = worker->source;
    size_t room = sizeof(worker->source);

    switch ((enum conf_pods)conf->pods) {
    case CONF_PODS_KUBERNETES:
        snprintf(text, room, "kubernetes: deployment %.253s%s%.253s", space, slash, conf->deployment);
        break;
    case CONF_PODS_ENDPOINTSLICES:
        snprintf(text, room, "endpointslices: service %.253s%s%.253s", space, slash, conf->service);
        break;
    case CONF_PODS_DNS:
        snprintf(text, room, "dns: %.254s", conf->service);
        break;
    case CONF_PODS_STATIC:
    case CONF_PODS_AUTO: /* conf_check() has resolved it */
        snprintf(text, room, "static: %zu pods", conf->n_static_pods);
        break;
    }
}

static struct api_shown shown(const struct conf *conf)
{
    static const char *const control_probes[] = {
        [CONF_CONTROL_WARN] = "warn", [CONF_CONTROL_FAIL] = "fail", [CONF_CONTROL_OFF] = "off"};

    return (struct api_shown){
        .patience_ms = conf_patience_ms(conf),
        .request_deadline_ms = conf->request_deadline_ms,
        .zone_sync_interval_ms = conf->zone_sync_interval_ms,
        .control_probe = control_probes[conf->control_probe],
        .scheme = conf->scheme == CONF_SCHEME_HTTPS ? "https" : "http",
        .server_name = conf->tls_server_name ? conf->tls_server_name : conf->host,
        .path = conf->path,
        .tls_verify = conf->tls_verify,
    };
}

static void make_doors(struct worker *worker)
{
    const struct conf *conf = &worker->conf;

    worker->router = api_router(&worker->api, conf->admin_listen.n > 0 ? API_LISTEN : API_ALL);
    worker->door = (struct http_door){
        .router = &worker->router, .max_connections = (uint32_t)conf->max_connections, .identity = worker->identity};
    worker->admin_router = api_router(&worker->api, API_ADMIN);
    worker->admin_door = (struct http_door){.router = &worker->admin_router, .max_connections = ADMIN_CONNECTIONS};
}

static int make_server(struct worker *worker, struct err *err)
{
    static const struct http_events events = {.on_accepted = on_accepted,
                                              .has_enough = has_enough,
                                              .others_have_room = others_have_room,
                                              .on_refused = on_refused,
                                              .on_closed = on_closed,
                                              .on_starved = on_starved,
                                              .on_answered = on_answered,
                                              .on_shake_failed = on_shake_failed};
    const struct conf *conf = &worker->conf;
    struct http_settings settings = {
        .client_timeout_ms = conf->client_timeout_ms,
        .keepalive_timeout_ms = conf->keepalive_timeout_ms,
        .access_log = conf->access_log,
    };

    if (conf->listen_tls_cert) {
        worker->identity = identity_new(conf->listen_tls_cert, conf->listen_tls_key, conf->listen_tls_client_ca, err);
        if (!worker->identity)
            return -1;
    }
    describe_source(worker);
    worker->api = (struct api){
        .loop = worker->loop,
        .pool = worker->pool,
        .checker = worker->checker,
        .table = worker->table,
        .board = worker->board,
        .version = PACKAGE_VERSION,
        .source = worker->source,
        .generation = worker->heritage.generation,
        .started_ns = worker->started_ns,
        .shown = shown(conf),
    };
    worker->api.synced_max_age_s = conf->synced_max_age_ms / 1000;
    api_allow_init(&worker->api.allow, conf->allow.items, conf->allow.n);
    api_init(&worker->api);
    make_doors(worker);
    worker->server = http_server_new(worker->loop, &settings, &events, worker, err);
    return worker->server ? 0 : -1;
}

int worker_make_parts(struct worker *worker, struct err *err)
{
    if (make_hub(worker, err) < 0 || make_pool(worker, err) < 0 || make_guard(worker, err) < 0 ||
        make_checker(worker, err) < 0)
        return -1;
    return make_server(worker, err);
}

void worker_free_parts(struct worker *worker)
{
    http_server_free(worker->server); /* whoever waits for an answer is let go, and with that all checks end */
    identity_free(worker->identity);
    if (worker->api.loop)
        api_release(&worker->api);
    checker_free(worker->checker);
    guard_free(worker->guard);
    pool_free(worker->pool);
    link_hub_free(worker->hub);
    trust_free(worker->trust);
}
