/* SPDX-License-Identifier: MIT */
/* The two clocks, and the two ways in which a wall-clock time is written. Neither depends on the locale or on TZ. */
#include <config.h>

#include <string.h>
#include <time.h>

#include <syncer/base/clock.h>

/* 9999-12-31T23:59:59.999Z: both formats have four digits for the year. */
#define LAST_WALL_MS INT64_C(253402300799999)

int64_t clock_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / NS_PER_MS;
}

/* Splits the time, brought into 1970 .. 9999, into its parts; returns the milliseconds. */
static int split(int64_t wall_ms, struct tm *tm)
{
    time_t seconds;

    if (wall_ms < 0)
        wall_ms = 0;
    if (wall_ms > LAST_WALL_MS)
        wall_ms = LAST_WALL_MS;
    seconds = (time_t)(wall_ms / 1000);
    gmtime_r(&seconds, tm);
    return (int)(wall_ms % 1000);
}

/* Writes `value` in exactly `digits` digits. */
static char *put(char *out, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

static char *put_time(char *out, const struct tm *tm)
{
    out = put(out, tm->tm_hour, 2);
    *out++ = ':';
    out = put(out, tm->tm_min, 2);
    *out++ = ':';
    return put(out, tm->tm_sec, 2);
}

void clock_http_date(int64_t wall_ms, char out[CLOCK_HTTP_DATE_BYTES])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm;

    split(wall_ms, &tm);
    memcpy(out, days + 3 * (size_t)tm.tm_wday, 3);
    memcpy(out + 3, ", ", 2);
    out = put(out + 5, tm.tm_mday, 2);
    *out++ = ' ';
    memcpy(out, months + 3 * (size_t)tm.tm_mon, 3);
    out[3] = ' ';
    out = put(out + 4, tm.tm_year + 1900, 4);
    *out++ = ' ';
    out = put_time(out, &tm);
    memcpy(out, " GMT", 5);
}

void clock_iso(int64_t wall_ms, char out[CLOCK_ISO_BYTES])
{
    struct tm tm;
    int ms = split(wall_ms, &tm);

    out = put(out, tm.tm_year + 1900, 4);
    *out++ = '-';
    out = put(out, tm.tm_mon + 1, 2);
    *out++ = '-';
    out = put(out, tm.tm_mday, 2);
    *out++ = 'T';
    out = put_time(out, &tm);
    *out++ = '.';
    out = put(out, ms, 3);
    memcpy(out, "Z", 2);
}
