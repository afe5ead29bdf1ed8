/* SPDX-License-Identifier: MIT */
/* What a check's request says: each field and parameter once, and by its grammar. What is done about it is synced.c's. */
#include <config.h>

#include <string.h>

#include <syncer/base/macros.h>
#include <syncer/base/random.h>
#include <syncer/wire/url.h>

#include "synced.h"

#define TOKEN_MAX 4096
#define RELATED_MIN 8

const char *synced_read_token(struct http_exchange *x, const char **token, size_t *len)
{
    unsigned n = http_exchange_field(x, "x-auth-token", token, len);

    if (n == 0)
        return "X-Auth-Token is missing: it should carry the session token";
    if (n > 1)
        return "X-Auth-Token is there more than once";
    if (*len == 0 || *len > TOKEN_MAX)
        return "X-Auth-Token should have 1 to 4096 bytes";
    for (size_t i = 0; i < *len; i++)
        if (!http_is_cookie_octet((unsigned char)(*token)[i]))
            return "X-Auth-Token holds a byte that no cookie value may have (RFC 6265 section 4.1.1)";
    return NULL;
}

static bool is_alnum_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A DNS-1123 subdomain: labels of 1 to 63 of a-z, 0-9 and, not at their ends, "-". */
static bool is_dns_name(const char *name, size_t len)
{
    size_t start = 0;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && name[i] != '.') {
            if (!is_alnum_lower(name[i]) && name[i] != '-')
                return false;
            continue;
        }
        if (i == start || i - start > 63 || name[start] == '-' || name[i - 1] == '-')
            return false;
        start = i + 1;
    }
    return true;
}

/* A value that was made from the token would carry it into the log. Short ones meet by chance. */
static bool is_related(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len >= RELATED_MIN && b_len >= RELATED_MIN && (memmem(a, a_len, b, b_len) || memmem(b, b_len, a, a_len));
}

const char *synced_read_origin(struct synced *s, const char *token, size_t token_len)
{
    const char *value;
    size_t len;
    struct addr addr;
    unsigned n = http_exchange_field(s->x, "x-nginx-origin", &value, &len);

    if (n == 0)
        return "X-Nginx-Origin is missing: it should name the pod that stored the token, or be \"-\"";
    if (n > 1)
        return "X-Nginx-Origin is there more than once";
    if (len == 0 || len > CHECK_ORIGIN_MAX)
        return "X-Nginx-Origin should have 1 to 253 bytes";
    if (!(len == 1 && value[0] == '-') && addr_parse(&addr, value, len) < 0 && !is_dns_name(value, len))
        return "X-Nginx-Origin should be a pod's name (DNS-1123, lower case), an IP address or \"-\"";
    if (is_related(value, len, token, token_len))
        return "X-Nginx-Origin holds the token: it should name the pod that stored it";
    memcpy(s->origin, value, len);
    s->origin[len] = '\0';
    return NULL;
}

static bool is_request_id(const char *value, size_t len)
{
    if (len == 0 || len > HTTP_EXCHANGE_ID_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alnum_lower(value[i]) && !(value[i] >= 'A' && value[i] <= 'Z') && !strchr("._:/+=@-", value[i]))
            return false;
    return true;
}

void synced_read_request_id(struct http_exchange *x, const char *token, size_t token_len)
{
    char made[RANDOM_HEX_BYTES(16)];
    const char *value;
    size_t len;

    if (http_exchange_field(x, "x-request-id", &value, &len) == 1 && is_request_id(value, len) &&
        !is_related(value, len, token, token_len)) {
        http_exchange_set_id(x, value, len);
    } else {
        random_hex(made, 16);
        http_exchange_set_id(x, made, strlen(made));
    }
}

static bool is_lower_hex(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
            return false;
    return true;
}

static bool all_zero(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s[i] != '0')
            return false;
    return true;
}

/* W3C Trace Context, section 3.2: version 00, trace-id and parent-id not all zero. */
static bool is_traceparent(const char *v, size_t len)
{
    return len == TRACEPARENT_BYTES && memcmp(v, "00-", 3) == 0 && v[35] == '-' && v[52] == '-' &&
           is_lower_hex(v + 3, 32) && is_lower_hex(v + 36, 16) && is_lower_hex(v + 53, 2) && !all_zero(v + 3, 32) &&
           !all_zero(v + 36, 16);
}

void synced_read_traceparent(struct synced *s)
{
    const char *value;
    size_t len;

    if (http_exchange_field(s->x, "traceparent", &value, &len) == 1 && is_traceparent(value, len)) {
        memcpy(s->traceparent, value, len);
        s->traceparent[len] = '\0';
    }
}

/* What a query may say: each parameter once, with one of its values, spelled so. */
static const struct {
    const char *name;
    const char *values[3];
} params[] = {
    {"strict", {"0", "1", "majority"}},
    {"verbose", {"0", "1"}},
    {"expect", {"present", "absent"}},
};

static bool is_text(const char *s, size_t len, const char *text)
{
    return text && strlen(text) == len && memcmp(s, text, len) == 0;
}

/* The index of the value in *value. */
static const char *read_param(const struct url_param *param, size_t *which, int *value)
{
    static const char *const wrong[] = {
        "strict should be 0, 1 or majority",
        "verbose should be 0 or 1",
        "expect should be present or absent",
    };

    for (*which = 0; *which < ARRAY_LEN(params); ++*which) {
        if (!is_text(param->name, param->name_len, params[*which].name))
            continue;
        for (*value = 0; *value < (int)ARRAY_LEN(params[0].values); ++*value)
            if (is_text(param->value, param->value_len, params[*which].values[*value]))
                return NULL;
        return wrong[*which];
    }
    return "a query parameter is none of strict, verbose and expect";
}

const char *synced_read_query(struct synced *s)
{
    const struct slice query = http_exchange_request(s->x)->query;
    const char *text = http_exchange_bytes(s->x) + query.off, *wrong;
    int values[ARRAY_LEN(params)] = {0};
    bool seen[ARRAY_LEN(params)] = {false};
    struct url_param param;
    size_t pos = 0, which;
    int value;

    while (url_query_next(text, query.len, &pos, &param)) {
        wrong = read_param(&param, &which, &value);
        if (wrong)
            return wrong;
        if (seen[which])
            return "a query parameter is there more than once";
        seen[which] = true;
        values[which] = value;
    }
    s->strict = (enum strict)values[0];
    s->verbose = values[1] == 1;
    s->expect_absent = values[2] == 1;
    return NULL;
}
