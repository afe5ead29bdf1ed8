/* SPDX-License-Identifier: MIT */
/* Feeds each file of a target's corpus to it, in the order of their names. TAP; a broken rule aborts. */
#include <config.h>

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/buf.h>
#include <syncer/base/fd.h>

#include "fuzz.h"

#define FILE_MAX (1 << 20)

static int no_dots(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay(const char *folder, const char *name)
{
    char path[2 * PATH_MAX];
    struct err err = {""};
    struct buf buf;
    char *data;
    int rc;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    buf_init(&buf, FILE_MAX);
    rc = fd_read_file(path, &buf, &err);
    if (rc == 0) {
        data = exact_copy(buf.data, buf.len);
        LLVMFuzzerTestOneInput((const uint8_t *)data, buf.len);
        free(data);
    } else {
        printf("# %s\n", err.text);
    }
    buf_release(&buf);
    return rc;
}

int main(void)
{
    const char *top = getenv("SYNCER_SRCDIR");
    struct dirent **entries = NULL;
    char folder[PATH_MAX];
    int n, failures = 0;

    snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/" FUZZ_NAME, top ? top : ".");
    n = scandir(folder, &entries, no_dots, alphasort);
    if (n <= 0) {
        printf("Bail out! %s: no corpus (SYNCER_SRCDIR should be the source tree)\n", folder);
        return 99;
    }
    printf("1..%d\n", n);
    for (int i = 0; i < n; i++) {
        int rc;

        fprintf(stderr, "# %s\n", entries[i]->d_name); /* the last one named is the one that broke */
        rc = replay(folder, entries[i]->d_name);
        printf("%sok %d - %s\n", rc == 0 ? "" : "not ", i + 1, entries[i]->d_name);
        fflush(stdout);
        failures += rc != 0;
        free(entries[i]);
    }
    free(entries);
    return failures ? 1 : 0;
}
