/* SPDX-License-Identifier: MIT */
/* A pod's answers: nothing is read too far, and verdict and length do not depend on how the bytes were cut. */
#include <config.h>

#include <syncer/wire/http_response.h>

#include "fuzz.h"

#define BODY_LIMIT 1000

/* Feeds all bytes; cuts NULL = at once. Returns how it ended; *total is what belongs to the answer. */
static enum http_progress feed(struct http_response *resp, const char *data, size_t size, struct cuts *cuts,
                               size_t *total)
{
    enum http_progress progress = HTTP_MORE;
    size_t end = 0, used;

    http_response_init(resp, BODY_LIMIT);
    *total = 0;
    while (progress == HTTP_MORE && end < size) {
        char *window;

        end += cuts ? cuts_next(cuts, size - end) : size;
        window = exact_copy(data + *total, end - *total);
        used = 0;
        progress = http_response_parse(resp, window, end - *total, &used);
        HOLDS(used <= end - *total);
        *total += used;
        HOLDS(progress != HTTP_MORE || !resp->head_done || *total == end);
        free(window);
    }
    return progress;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cuts cuts = cuts_of(data, size);
    struct http_response whole, cut;
    size_t total, cut_total;
    enum http_progress progress = feed(&whole, (const char *)data, size, NULL, &total);
    enum http_progress cut_progress = feed(&cut, (const char *)data, size, &cuts, &cut_total);

    HOLDS(progress == cut_progress);
    if (progress == HTTP_BAD) {
        HOLDS(whole.error && cut.error && strcmp(whole.error, cut.error) == 0);
        return 0;
    }
    HOLDS(total == cut_total && whole.head_done == cut.head_done);
    if (whole.head_done) {
        HOLDS(whole.status == cut.status && whole.status >= 200 && whole.status <= 599 && whole.minor == cut.minor);
        HOLDS(whole.keep_alive == cut.keep_alive && whole.body.read == cut.body.read);
        HOLDS(whole.body.read <= BODY_LIMIT);
    }
    if (progress == HTTP_MORE) {
        progress = http_response_end(&whole);
        HOLDS(progress != HTTP_MORE && http_response_end(&cut) == progress);
        /* Only a body that ends with the connection is completed by its end. */
        HOLDS(progress == HTTP_BAD || (whole.head_done && !whole.keep_alive));
    }
    return 0;
}
