/* SPDX-License-Identifier: MIT */
/* The few macros that every file may use. */
#ifndef SYNCER_BASE_MACROS_H
#define SYNCER_BASE_MACROS_H

#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define FALLTHROUGH __attribute__((fallthrough))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* The struct that holds `member`, from a pointer to that member. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
