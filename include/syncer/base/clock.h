/* SPDX-License-Identifier: MIT */
/* Time. Monotonic time is int64_t nanoseconds of CLOCK_MONOTONIC: the same clock in all processes of one machine. */
#ifndef SYNCER_BASE_CLOCK_H
#define SYNCER_BASE_CLOCK_H

#include <stdint.h>
#include <stddef.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

int64_t clock_now_ns(void);

/* Wall-clock time since the epoch in ms: for people only, never for a deadline. */
int64_t clock_wall_ms(void);

#define CLOCK_HTTP_DATE_BYTES 30
/* IMF-fixdate (RFC 9110 section 5.6.7), such as "Sun, 06 Nov 1994 08:49:37 GMT"; independent of the locale. */
void clock_http_date(int64_t wall_ms, char out[CLOCK_HTTP_DATE_BYTES]);

#define CLOCK_ISO_BYTES 25
/* RFC 3339 in UTC with ms, such as "2026-01-31T08:49:37.123Z". */
void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_BYTES]);

#endif
