/* SPDX-License-Identifier: MIT */
/*
 * Files whose change is a SIGHUP (`watch_files`). Which they are, conf_files() says; the set follows each
 * configuration that could be read, also one that then failed. What the source reads anew by itself (the
 * token and CA of a ServiceAccount) is not among them.
 */
#include <config.h>

#include <string.h>

#include "master_private.h"

static void tell_trouble(struct master *master)
{
    const char *trouble = filewatch_trouble(master->files);

    if (trouble[0] && strcmp(trouble, master->files_trouble.text) != 0)
        log_warn("changes of files may go unnoticed: send SIGHUP", LOG_STR("reason", trouble));
    err_set(&master->files_trouble, "%s", trouble);
}

/* A file that is gone is no new configuration: what was read from it stays in force. */
static void on_news(void *arg, const struct filewatch_news *news)
{
    struct master *master = arg;

    if (master->phase != MASTER_RUNNING)
        return;
    tell_trouble(master);
    for (size_t i = 0; i < news->n_gone; i++)
        log_warn("a watched file is gone: keeping what was read from it", LOG_STR("file", news->gone[i]));
    for (size_t i = 0; i < news->n_changed; i++)
        log_info("a file has changed: reloading", LOG_STR("file", news->changed[i]));
    if (news->n_changed > 0)
        reload_begin(master);
}

int watch_init(struct master *master, struct err *err)
{
    master->files = filewatch_new(master->loop, on_news, master, err);
    return master->files ? 0 : -1;
}

void watch_release(struct master *master)
{
    filewatch_free(master->files);
    master->files = NULL;
}

void watch_note(struct master *master)
{
    filewatch_note(master->files);
}

void watch_follow(struct master *master, const struct conf *conf)
{
    const char *paths[CONF_MAX_FILES];
    size_t n = conf->watch_files || master->current->conf.watch_files ? conf_files(conf, paths) : 0;

    if (!conf->file && master->current->conf.file)
        return; /* the one of before is watched on: it may come back */
    _Static_assert(CONF_MAX_FILES <= FILEWATCH_FILES_MAX, "all can be watched");
    filewatch_set(master->files, paths, n);
    tell_trouble(master);
}

void watch_settle(struct master *master)
{
    if (!master->current->conf.watch_files)
        filewatch_set(master->files, NULL, 0);
}
