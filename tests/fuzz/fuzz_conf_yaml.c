/* SPDX-License-Identifier: MIT */
/* Configuration files: refused with a reason, or read; and what was read is printed so that it reads back the
 * same. */
#include <config.h>

#include <syncer/conf/conf.h>

#include "fuzz.h"

#define PRINT_MAX (8 << 20)

static void read_back(const struct conf *conf)
{
    struct buf once, twice;
    struct err err = {""};
    struct conf back;

    buf_init(&once, PRINT_MAX);
    buf_init(&twice, PRINT_MAX);
    conf_print(conf, &once);
    HOLDS(!once.failed && conf_init(&back, NULL) == 0);
    HOLDS(conf_read_text(&back, "printed", once.data, once.len, &err) == 0);
    conf_print(&back, &twice);
    HOLDS(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    conf_free(&back);
    buf_release(&once);
    buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_notes notes = {.n = 0};
    struct err err = {""};
    struct conf conf;

    HOLDS(conf_init(&conf, &err) == 0);
    if (conf_read_text(&conf, "fuzz", (const char *)data, size, &err) == 0) {
        read_back(&conf);
        if (conf_check(&conf, size & 1, &notes, &err) == 0)
            read_back(&conf);
        else
            HOLDS(err.text[0] != '\0');
        HOLDS(notes.n <= CONF_MAX_NOTES);
    } else {
        HOLDS(strncmp(err.text, "fuzz:", 5) == 0);
    }
    conf_free(&conf);
    return 0;
}
