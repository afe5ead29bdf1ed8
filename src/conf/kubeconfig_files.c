/* SPDX-License-Identifier: MIT */
/* From paths to texts. What was read is wiped: it holds the secrets of all users. */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/conf/kubeconfig.h>

#define PATH_MAX_BYTES 4096

struct files {
    struct kubeconfig_text texts[KUBECONFIG_MAX_FILES];
    struct buf names[KUBECONFIG_MAX_FILES], contents[KUBECONFIG_MAX_FILES];
    size_t n;
};

static int add_file(struct files *files, const char *path, size_t len, struct err *err)
{
    struct buf *name = &files->names[files->n], *content = &files->contents[files->n];

    if (files->n == KUBECONFIG_MAX_FILES)
        return err_set(err, "more than %d files", KUBECONFIG_MAX_FILES);
    buf_init(name, PATH_MAX_BYTES);
    buf_init(content, KUBECONFIG_MAX_BYTES);
    files->n++;
    buf_add(name, path, len);
    if (name->failed)
        return err_set(err, "too long a path");
    if (fd_read_file(buf_str(name), content, err) != 0)
        return -1;
    files->texts[files->n - 1] = (struct kubeconfig_text){name->data, buf_str(content), content->len};
    return 0;
}

static int parse_files(struct kubeconfig *kubeconfig, struct files *files, int rc, struct err *err)
{
    kubeconfig_init(kubeconfig);
    if (rc == 0)
        rc = kubeconfig_parse(kubeconfig, files->texts, files->n, err);
    while (files->n > 0) {
        buf_release(&files->names[--files->n]);
        buf_wipe(&files->contents[files->n]);
    }
    return rc;
}

int kubeconfig_read(struct kubeconfig *kubeconfig, const char *path, struct err *err)
{
    struct files files = {.n = 0};

    return parse_files(kubeconfig, &files, add_file(&files, path, strlen(path), err), err);
}

static bool is_absent(const char *path, size_t len)
{
    char copied[PATH_MAX_BYTES];

    if (len == 0 || len >= sizeof(copied))
        return len == 0;
    memcpy(copied, path, len);
    copied[len] = '\0';
    return access(copied, F_OK) != 0 && errno == ENOENT;
}

int kubeconfig_read_list(struct kubeconfig *kubeconfig, const char *paths, struct err *err)
{
    struct files files = {.n = 0};
    const char *path = paths;
    size_t len;
    int rc = 0;

    for (; rc == 0 && path; path = path[len] ? path + len + 1 : NULL) {
        len = strcspn(path, ":");
        if (!is_absent(path, len))
            rc = add_file(&files, path, len, err);
    }
    if (rc == 0 && files.n == 0)
        rc = err_set(err, "%.300s: there is no such file", paths);
    return parse_files(kubeconfig, &files, rc, err);
}
