/* SPDX-License-Identifier: MIT */
/* setgroups, setresgid, setresuid: in this order, since each needs what the next gives up (credentials(7)). */
#include <config.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <syncer/base/privileges.h>

#define ID_MAX 0xfffffffeUL /* (uid_t)-1 means "leave it" */
#define NAME_BYTES 64

static int parse_id(const char *text, unsigned long *id)
{
    if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
        return -1;
    *id = strtoul(text, NULL, 10);
    return *id <= ID_MAX ? 0 : -1;
}

static int find_user(const char *name, struct user_ids *out, struct err *err)
{
    unsigned long id;
    const struct passwd *entry = getpwnam(name);

    *out = (struct user_ids){0};
    if (entry) {
        out->uid = entry->pw_uid;
        out->gid = entry->pw_gid;
        out->name = entry->pw_name;
        return 0;
    }
    if (parse_id(name, &id) < 0)
        return err_set(err, "there is no user \"%s\"", name);
    entry = getpwuid((uid_t)id);
    out->uid = (uid_t)id;
    out->gid = entry ? entry->pw_gid : (gid_t)id;
    return 0;
}

static int find_group(const char *name, struct user_ids *out, struct err *err)
{
    const struct group *entry = getgrnam(name);
    unsigned long id;

    out->name = NULL;
    if (entry)
        out->gid = entry->gr_gid;
    else if (parse_id(name, &id) == 0)
        out->gid = (gid_t)id;
    else
        return err_set(err, "there is no group \"%s\"", name);
    return 0;
}

int privileges_find(const char *text, struct user_ids *out, struct err *err)
{
    const char *colon = strchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : strlen(text);
    char name[NAME_BYTES];

    if (len == 0 || len >= sizeof(name))
        return err_set(err, "\"%.60s\" should be a user, or USER:GROUP", text);
    memcpy(name, text, len);
    name[len] = '\0';
    if (find_user(name, out, err) < 0 || (colon && find_group(colon + 1, out, err) < 0))
        return -1;
    return out->uid != 0 && out->gid != 0 ? 0 : err_set(err, "\"%.60s\" should not be root", text);
}

static int set_groups(const struct user_ids *ids)
{
    return ids->name ? initgroups(ids->name, ids->gid) : setgroups(0, NULL);
}

int privileges_drop(const struct user_ids *ids, struct err *err)
{
    if (set_groups(ids) < 0 || setresgid(ids->gid, ids->gid, ids->gid) < 0 ||
        setresuid(ids->uid, ids->uid, ids->uid) < 0)
        return err_set_errno(err, errno, "user");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0)
        return err_set_errno(err, errno, "user: no_new_privs");
    if (setuid(0) == 0)
        return err_set(err, "user: root could be taken back");
    return 0;
}
