/* SPDX-License-Identifier: MIT */
/*
 * Root is given up when sockets, shared memory and credentials are open, and before there is any child: so
 * master and workers are one user's. What later reloads and new workers must read is looked at now, as that
 * user.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include <syncer/base/privileges.h>

#include "master_private.h"

static int check_access(const struct conf *conf, struct err *err)
{
    const char *paths[CONF_MAX_FILES];
    size_t n = conf_files(conf, paths);

    for (size_t i = 0; i < n; i++)
        if (faccessat(AT_FDCWD, paths[i], R_OK, AT_EACCESS) < 0)
            return err_set(err, "user: %s cannot read %s, as new workers and reloads must: %s", conf->user, paths[i],
                           strerror(errno));
    if (faccessat(AT_FDCWD, "/proc/self/exe", X_OK, AT_EACCESS) < 0)
        return err_set(err, "user: %s cannot execute this program, as new workers must: %s", conf->user,
                       strerror(errno));
    return 0;
}

int user_become(const struct conf *conf, int *exit_code, struct err *err)
{
    struct user_ids ids;

    *exit_code = EX_CONFIG;
    if (!conf->user)
        return 0;
    if (privileges_find(conf->user, &ids, err) < 0)
        return err_context(err, "user");
    if (geteuid() != 0) {
        if (geteuid() != ids.uid)
            log_warn("user is left as it is: only root may become another one", LOG_STR("user", conf->user),
                     LOG_INT("uid", geteuid()));
        return 0;
    }
    if (privileges_drop(&ids, err) < 0) {
        *exit_code = EX_OSERR;
        return -1;
    }
    if (conf->core_dumps) /* a change of user forbids them */
        prctl(PR_SET_DUMPABLE, 1UL, 0UL, 0UL, 0UL);
    return check_access(conf, err);
}
