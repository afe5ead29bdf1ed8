/* SPDX-License-Identifier: MIT */
/* Questions to a running syncer: net/fetch.h, waited for, and the words for what goes wrong. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <syncer/base/macros.h>

#include "ask.h"

#define DEFAULT_URL "http://127.0.0.1:8080"
#define DEFAULT_TIMEOUT_MS 10000
#define BODY_MAX ((size_t)32 * 1024 * 1024) /* 8,192 pods need some 4 MB */
#define JSON_VALUES_MAX 1000000

/* ---- where ---- */

static bool is_authority(const char *text)
{
    size_t len = strcspn(text, "/?#@ ");

    return len > 0 && (text[len] == '\0' || (text[len] == '/' && text[len + 1] == '\0'));
}

static int set_tcp(struct ask_place *place, const char *scheme, const char *authority)
{
    int len = (int)strcspn(authority, "/");

    if (!is_authority(authority))
        return -1;
    len = snprintf(place->base, sizeof(place->base), "%s://%.*s", scheme, len, authority);
    return len < (int)sizeof(place->base) ? 0 : -1;
}

int ask_place_parse(struct ask_place *place, const char *url, struct err *err)
{
    int rc = -1;

    *place = (struct ask_place){.unix_socket = ""};
    snprintf(place->shown, sizeof(place->shown), "%s", url);
    if (strlen(url) >= sizeof(place->shown)) {
        rc = -1;
    } else if (strncmp(url, "unix:/", 6) == 0) {
        snprintf(place->base, sizeof(place->base), "http://localhost");
        snprintf(place->unix_socket, sizeof(place->unix_socket), "%s", url + 5);
        rc = 0;
    } else if (strncasecmp(url, "http://", 7) == 0) {
        rc = set_tcp(place, "http", url + 7);
    } else if (strncasecmp(url, "https://", 8) == 0) {
        rc = set_tcp(place, "https", url + 8);
    } else if (!strstr(url, "://") && strchr(url, ':')) {
        rc = set_tcp(place, "http", url);
    }
    return rc == 0 ? 0
                   : err_set(err,
                             "\"%.100s\" should be http://HOST:PORT, https://HOST:PORT or unix:/PATH, without a path "
                             "behind the port",
                             url);
}

static int find_places(struct asker *asker, const struct ctl_options *options, struct err *err)
{
    const char *url = options->value[OPT_URL], *admin = options->value[OPT_ADMIN_URL];
    const char *env = getenv("SYNCER_URL"), *admin_env = getenv("SYNCER_ADMIN_URL");

    url = url ? url : env && env[0] ? env : NULL;
    admin = admin ? admin : admin_env && admin_env[0] ? admin_env : NULL;
    asker->given = url != NULL;
    asker->admin_given = admin != NULL;
    if (ask_place_parse(&asker->place, url ? url : DEFAULT_URL, err) < 0)
        return err_context(err, options->value[OPT_URL] ? "--url" : "SYNCER_URL");
    asker->admin = asker->place;
    if (admin && ask_place_parse(&asker->admin, admin, err) < 0)
        return err_context(err, options->value[OPT_ADMIN_URL] ? "--admin-url" : "SYNCER_ADMIN_URL");
    return 0;
}

/* ---- life ---- */

static bool is_https(const struct ask_place *place)
{
    return strncmp(place->base, "https:", 6) == 0;
}

int ask_init(struct asker *asker, const struct ctl_options *options, struct err *err)
{
    struct trust_settings trust = {
        .verify = !options->value[OPT_INSECURE],
        .ca_file = options->value[OPT_CA],
        .cert_file = options->value[OPT_CERT],
        .key_file = options->value[OPT_KEY],
    };

    *asker = (struct asker){.server_name = options->value[OPT_SERVER_NAME]};
    asker->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    if (find_places(asker, options, err) < 0)
        return -1;
    if ((is_https(&asker->place) || is_https(&asker->admin)) && !(asker->trust = trust_new(&trust, err)))
        return -1;
    asker->loop = loop_new(err);
    if (!asker->loop)
        return -1;
    asker->fetcher = fetcher_new(asker->loop, CTL_USER_AGENT, err);
    return asker->fetcher ? 0 : -1;
}

void ask_release(struct asker *asker)
{
    fetcher_free(asker->fetcher);
    trust_free(asker->trust);
    loop_free(asker->loop);
    *asker = (struct asker){.fetcher = NULL};
}

/* ---- a question ---- */

struct question {
    struct loop *loop;
    struct ask_answer *answer;
    struct fetch_result result;
};

static void keep(const char *line, size_t len, const char *name, char *out, size_t room)
{
    size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return;
    line += n + 1;
    len -= n + 1;
    while (len > 0 && *line == ' ') {
        line++;
        len--;
    }
    snprintf(out, room, "%.*s", (int)len, line);
}

static void on_field(void *arg, const char *line, size_t len)
{
    struct ask_answer *answer = ((struct question *)arg)->answer;

    keep(line, len, "X-Token-Status", answer->verdict, sizeof(answer->verdict));
    keep(line, len, "X-Token-Pods", answer->pods, sizeof(answer->pods));
    keep(line, len, "X-Token-Sync-Ms", answer->sync_ms, sizeof(answer->sync_ms));
    keep(line, len, "X-Token-Error", answer->error, sizeof(answer->error));
    keep(line, len, "X-Request-ID", answer->request_id, sizeof(answer->request_id));
}

static void on_head(void *arg, int status, const char *content_type)
{
    struct ask_answer *answer = ((struct question *)arg)->answer;

    answer->status = status;
    snprintf(answer->type, sizeof(answer->type), "%s", content_type);
}

static int on_data(void *arg, const char *data, size_t len)
{
    struct ask_answer *answer = ((struct question *)arg)->answer;

    buf_add(&answer->body, data, len);
    return answer->body.failed ? -1 : 0;
}

static void on_done(void *arg, const struct fetch_result *result)
{
    struct question *question = arg;

    question->result = *result;
    loop_stop(question->loop);
}

static enum ask_end explain(const struct ask_place *place, const struct fetch_result *result,
                            const struct ask_answer *answer, struct err *err)
{
    const char *url = place->shown, *reason = result->reason;

    switch (result->end) {
    case FETCH_COMPLETE:
        return ASK_ANSWERED;
    case FETCH_NO_CONNECT:
        err_set(err, "%.200s: %s. Does syncer run, and listen there? --url and SYNCER_URL say where", url, reason);
        return ASK_UNREACHABLE;
    case FETCH_TLS:
        err_set(err, "%.150s: TLS: %.200s. --ca names the CA, --server-name the name expected; is it https at all?",
                url, reason);
        break;
    case FETCH_TIMEOUT:
        err_set(err, "%.200s: no whole answer in time: %s", url, reason);
        return ASK_UNREACHABLE;
    case FETCH_REFUSED:
        err_set(err, "%.200s: the answer is longer than %zu MB: is that syncer?", url, answer->body.limit >> 20);
        break;
    case FETCH_BROKEN:
        err_set(err, "%.150s: %.200s.%s", url, reason,
                is_https(place) ? " Is that syncer?"
                                : " Is that syncer? Where listen_tls_cert is set, the URL begins with https://");
        break;
    case FETCH_LOCAL:
        err_set(err, "%.200s: %s", url, reason);
        break;
    }
    return ASK_FAILED;
}

static void read_json(struct ask_answer *answer)
{
    if (strncmp(answer->type, "application/json", 16) != 0 &&
        strncmp(answer->type, "application/problem+json", 24) != 0)
        return;
    answer->json = json_doc_new(JSON_VALUES_MAX);
    if (answer->json && json_doc_parse(answer->json, answer->body.data, answer->body.len, NULL) == 0)
        return;
    json_doc_free(answer->json);
    answer->json = NULL;
}

enum ask_end ask(struct asker *asker, const struct ask_place *place, const char *path, const char *const *fields,
                 struct ask_answer *answer, struct err *err)
{
    static const struct fetch_events events = {
        .on_field = on_field, .on_head = on_head, .on_data = on_data, .on_done = on_done};
    struct question question = {.loop = asker->loop, .answer = answer};
    char url[ASK_URL_BYTES + 256];
    struct fetch_request request = {
        .url = url,
        .fields = fields,
        .trust = is_https(place) ? asker->trust : NULL,
        .server_name = is_https(place) ? asker->server_name : NULL,
        .unix_socket = place->unix_socket[0] ? place->unix_socket : NULL,
        .connect_timeout_ms = asker->timeout_ms,
        .timeout_ms = asker->timeout_ms,
    };
    struct fetch *handle = NULL;

    *answer = (struct ask_answer){.end = ASK_FAILED};
    buf_init(&answer->body, BODY_MAX);
    snprintf(url, sizeof(url), "%s%s", place->base, path);
    if (fetch_start(asker->fetcher, &request, &events, &question, &handle, err) < 0 || loop_run(asker->loop, err) < 0) {
        fetch_cancel(&handle);
        return answer->end;
    }
    answer->end = explain(place, &question.result, answer, err);
    if (answer->end == ASK_ANSWERED)
        read_json(answer);
    return answer->end;
}

void ask_answer_release(struct ask_answer *answer)
{
    json_doc_free(answer->json);
    buf_release(&answer->body);
    answer->json = NULL;
}

/* ---- what it says ---- */

void ask_detail(const struct ask_answer *answer, char *out, size_t room)
{
    out[0] = '\0';
    if (answer->json && json_str(answer->json, json_get(answer->json, 0, "detail"), out, room) < 0)
        out[0] = '\0';
}

int ask_expect_object(const struct ask_place *place, const char *path, const struct ask_answer *answer, struct err *err)
{
    char detail[256];

    ask_detail(answer, detail, sizeof(detail));
    if (answer->status == 200 && answer->json && json_type(answer->json, 0) == JSON_OBJECT)
        return 0;
    if (answer->status == 404 && answer->json)
        return err_set(
            err,
            "%.150s has no %s: with admin_listen set it answers only there. --admin-url and SYNCER_ADMIN_URL "
            "say where that is",
            place->shown, path);
    if (answer->status == 200 || !answer->json)
        return err_set(err, "%.150s%s: the answer (%d) is not syncer's. Is the URL right?", place->shown, path,
                       answer->status);
    return err_set(err, "%.150s%s: %d %s", place->shown, path, answer->status, detail);
}
