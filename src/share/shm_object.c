/* SPDX-License-Identifier: MIT */
/*
 * POSIX shared memory that lives as long as somebody has it open or mapped, and no longer: its name exists
 * for the few microseconds in which the second, read-only descriptor is opened. What lies in it is left to
 * the callers.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <syncer/base/fd.h>
#include <syncer/base/random.h>

#include "shm_object.h"

#define NAME_PREFIX "/syncer-"
#define NAME_RANDOM_BYTES 16

static int open_nameless(struct shm_object *object, struct err *err)
{
    char name[sizeof(NAME_PREFIX) - 1 + RANDOM_HEX_BYTES(NAME_RANDOM_BYTES)] = NAME_PREFIX;
    int rc = 0;

    random_hex(name + sizeof(NAME_PREFIX) - 1, NAME_RANDOM_BYTES);
    object->fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600); /* shm_open sets FD_CLOEXEC itself */
    if (object->fd < 0)
        return err_set_errno(err, errno, "shared memory: cannot be made");
    object->fd_ro = shm_open(name, O_RDONLY, 0);
    if (object->fd_ro < 0)
        rc = err_set_errno(err, errno, "shared memory: cannot be opened for reading");
    if (shm_unlink(name) < 0 && rc == 0)
        rc = err_set_errno(err, errno, "shared memory: its name cannot be removed");
    return rc;
}

/* tmpfs gives pages at the first write otherwise, and SIGBUS when it has none left. A signal can end the call
 * early. */
static int allocate(int fd, size_t bytes, struct err *err)
{
    int rc;

    do
        rc = posix_fallocate(fd, 0, (off_t)bytes);
    while (rc == EINTR);
    if (rc != 0)
        return err_set_errno(err, rc, "shared memory: %zu bytes (is /dev/shm too small?)", bytes);
    return 0;
}

static int map(struct shm_object *object, int fd, int prot, struct err *err)
{
    void *at = mmap(NULL, object->bytes, prot, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return err_set_errno(err, errno, "shared memory: %zu bytes cannot be mapped", object->bytes);
    object->map = at;
    return 0;
}

int shm_object_create(struct shm_object *object, size_t bytes, struct err *err)
{
    *object = (struct shm_object){.bytes = bytes, .fd = -1, .fd_ro = -1};
    if (open_nameless(object, err) == 0 && allocate(object->fd, bytes, err) == 0 &&
        map(object, object->fd, PROT_READ | PROT_WRITE, err) == 0)
        return 0;
    shm_object_release(object);
    return -1;
}

int shm_object_attach(struct shm_object *object, int fd, int prot, size_t least, struct err *err)
{
    struct stat st;

    *object = (struct shm_object){.fd = -1, .fd_ro = -1};
    if (fstat(fd, &st) < 0)
        return err_set_errno(err, errno, "shared memory: descriptor %d", fd);
    if (!S_ISREG(st.st_mode))
        return err_set(err, "shared memory: descriptor %d is no memory object", fd);
    if (st.st_size < 0 || (uintmax_t)st.st_size < least)
        return err_set(err, "shared memory: %jd bytes, at least %zu needed", (intmax_t)st.st_size, least);
    object->bytes = (size_t)st.st_size;
    return map(object, fd, prot, err);
}

void shm_object_release(struct shm_object *object)
{
    if (object->map)
        munmap(object->map, object->bytes);
    object->map = NULL;
    fd_close(&object->fd);
    fd_close(&object->fd_ro);
}
