/* SPDX-License-Identifier: MIT */
/*
 * A question to a running syncer, and its answer: one at a time, waited for. What goes wrong is told with what to look at.
 * Everything is bounded: time, the answer's size, its fields.
 */
#ifndef SYNCER_CTL_ASK_H
#define SYNCER_CTL_ASK_H

#include <stdint.h>

#include <syncer/base/buf.h>
#include <syncer/base/err.h>
#include <syncer/base/loop.h>
#include <syncer/net/fetch.h>
#include <syncer/wire/json_read.h>

#include "options.h"

#define CTL_USER_AGENT "syncerctl/" PACKAGE_VERSION /* of whatever syncerctl asks, servers and pods alike */
#define ASK_URL_BYTES 512

/* Where a syncer listens. */
struct ask_place {
    char base[ASK_URL_BYTES];        /* "http://127.0.0.1:8080", to put a path behind */
    char unix_socket[ASK_URL_BYTES]; /* "" = TCP */
    char shown[ASK_URL_BYTES];       /* as a person wrote it */
};

/* "http://HOST[:PORT]", "https://HOST[:PORT]", "HOST:PORT" or "unix:/PATH". 0, or -1 with what would be right. */
int ask_place_parse(struct ask_place *place, const char *url, struct err *err);

struct asker {
    struct loop *loop;
    struct fetcher *fetcher;
    struct trust *trust; /* NULL: no place is https */
    const char *server_name;
    struct ask_place place, admin;
    bool given, admin_given; /* the person named them; else they are the defaults */
    int64_t timeout_ms;      /* of one question */
};

/* 0, or -1 with the reason; ask_release() in any case. Strings of `options` are borrowed. */
int ask_init(struct asker *asker, const struct ctl_options *options, struct err *err);
void ask_release(struct asker *asker);

enum ask_end {
    ASK_ANSWERED,
    ASK_UNREACHABLE, /* no connection; by waiting it may come */
    ASK_FAILED,      /* TLS, another protocol, an answer that is broken or too long */
};

struct ask_answer {
    enum ask_end end;
    int status;                                                          /* HTTP's; 0 = none */
    char verdict[16], pods[32], sync_ms[24], error[32], request_id[136]; /* X-Token-..., X-Request-ID; "" = none */
    char type[80];                                                       /* Content-Type */
    struct buf body;
    struct json_doc *json; /* of the body; NULL if it is none. Root is value 0 */
};

/* GET `path` of place or admin with `fields` (as in fetch.h). Returns answer->end; the reason is set unless ASK_ANSWERED.
 * ask_answer_release() in any case. */
enum ask_end ask(struct asker *asker, const struct ask_place *place, const char *path, const char *const *fields,
                 struct ask_answer *answer, struct err *err);
void ask_answer_release(struct ask_answer *answer);

/* An answer to a question for one of the administrator's paths: 0 if it is a JSON object with 200, else -1 with the reason and
 * what to look at. */
int ask_expect_object(const struct ask_place *place, const char *path, const struct ask_answer *answer,
                      struct err *err);

/* Of a problem document (RFC 9457) the detail; "" if there is none. */
void ask_detail(const struct ask_answer *answer, char *out, size_t room);

#endif
