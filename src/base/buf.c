/* SPDX-License-Identifier: MIT */
/*
 * The growing buffer. Growth is geometric up to the owner's limit, always with one byte to spare for the NUL of
 * buf_str(), and never by realloc(): that could leave an unwiped copy of a token behind in freed memory.
 */
#include <config.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/buf.h>
#include <syncer/base/must.h>

#define FIRST_ROOM_BYTES 128

void buf_init(struct buf *buf, size_t limit)
{
    /* One byte is kept for the NUL, so a limit of SIZE_MAX ("none") must not overflow. */
    *buf = (struct buf){.limit = limit < SIZE_MAX ? limit : SIZE_MAX - 1};
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->limit);
}

void buf_wipe(struct buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->room);
    buf_release(buf);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* Moves the content to memory of at least `need` bytes. `need` is at most limit + 1. 0, or -1 out of memory. */
static int grow(struct buf *buf, size_t need)
{
    size_t room = buf->room > 0 ? buf->room : FIRST_ROOM_BYTES;
    char *data;

    while (room < need)
        room = room > (buf->limit + 1) / 2 ? buf->limit + 1 : room * 2;
    data = malloc(room);
    if (!data)
        return -1;
    if (buf->data) {
        memcpy(data, buf->data, buf->len);
        explicit_bzero(buf->data, buf->room);
        free(buf->data);
    }
    buf->data = data;
    buf->room = room;
    return 0;
}

char *buf_reserve(struct buf *buf, size_t n)
{
    if (buf->failed)
        return NULL;
    if (n > buf->limit - buf->len || (buf->len + n + 1 > buf->room && grow(buf, buf->len + n + 1) != 0)) {
        buf->failed = true;
        return NULL;
    }
    return buf->data + buf->len;
}

void buf_add(struct buf *buf, const void *data, size_t n)
{
    char *to = buf_reserve(buf, n);

    if (to && n > 0) {
        memcpy(to, data, n);
        buf->len += n;
    }
}

void buf_add_str(struct buf *buf, const char *str)
{
    buf_add(buf, str, strlen(str));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_add_number(struct buf *buf, uint64_t n)
{
    char digits[20]; /* of UINT64_MAX */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    buf_add(buf, digits + at, sizeof(digits) - at);
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
    size_t spare = buf->room - buf->len;
    va_list args, again;
    int n;

    if (buf->failed)
        return;
    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(buf->data ? buf->data + buf->len : NULL, spare, fmt, args);
    if (n < 0)
        buf->failed = true;
    else if (buf_reserve(buf, (size_t)n)) {
        if ((size_t)n >= spare) /* the first pass only measured */
            vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void buf_drop_front(struct buf *buf, size_t n)
{
    must(n <= buf->len);
    buf->len -= n;
    if (n > 0 && buf->len > 0)
        memmove(buf->data, buf->data + n, buf->len);
}

const char *buf_str(struct buf *buf)
{
    if (buf->failed || !buf->data)
        return "";
    buf->data[buf->len] = '\0';
    return buf->data;
}
