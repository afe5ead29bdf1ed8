/* SPDX-License-Identifier: MIT */
/* Input that ends at the end of a page, with none behind it: reading one byte too far is a crash, not luck. */
#ifndef SYNCER_TESTS_UNIT_WIRE_GUARDED_H
#define SYNCER_TESTS_UNIT_WIRE_GUARDED_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARDED_PAGES 32

/* Copies `len` bytes to the end of the guarded area and returns where they begin. The area is made once. */
static inline char *guarded(const void *data, size_t len)
{
    static char *area;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = GUARDED_PAGES * page;

    if (!area) {
        area = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED || mprotect(area + size, page, PROT_NONE) != 0)
            _exit(99);
    }
    if (len > size)
        _exit(98);
    if (len > 0)
        memmove(area + size - len, data, len);
    return area + size - len;
}

#endif
