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

/*
 * Around a function of which gcc's analyzer (`make analyze`) says wrongly that it leaks, with the reason beside it. gcc 12
 * loses sight of a block that is stored where a pointer of the caller's leads, at an index that it does not know. What
 * leaks there in truth is LeakSanitizer's to find, in the unit tests. Only gcc knows the warning.
 */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 10
#define ANALYZER_LEAKS_OFF _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wanalyzer-malloc-leak\"")
#define ANALYZER_LEAKS_ON _Pragma("GCC diagnostic pop")
#else
#define ANALYZER_LEAKS_OFF
#define ANALYZER_LEAKS_ON
#endif

#endif
