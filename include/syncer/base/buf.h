/* SPDX-License-Identifier: MIT */
/*
 * A growing byte buffer with a limit that its owner sets. Appending beyond the limit or out of memory marks the buffer
 * as failed, changes nothing else, and every later append does nothing, so that a row of appends needs one check at its
 * end. Never aborts.
 */
#ifndef SYNCER_BASE_BUF_H
#define SYNCER_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <syncer/base/macros.h>

struct buf {
    char *data;   /* NULL until the first append; not NUL-terminated unless buf_str() was called */
    size_t len;   /* bytes in use */
    size_t room;  /* bytes allocated */
    size_t limit; /* len never passes it */
    bool failed;  /* an append did not fit or memory was out */
};

/* An empty buffer that allocates nothing yet. */
void buf_init(struct buf *buf, size_t limit);

/* Frees the memory; the buffer is as after buf_init(). */
void buf_release(struct buf *buf);

/* As buf_release(), but overwrites the bytes first: for buffers that held a token. */
void buf_wipe(struct buf *buf);

/* Forgets the content and the failure, keeps the memory. */
void buf_clear(struct buf *buf);

/* Room for `n` more bytes; returns where they go, or NULL (buffer failed). The caller adds to len what it wrote. */
char *buf_reserve(struct buf *buf, size_t n);

void buf_add(struct buf *buf, const void *data, size_t n);
void buf_add_str(struct buf *buf, const char *str);
void buf_add_char(struct buf *buf, char c);
void buf_add_number(struct buf *buf, uint64_t n); /* in decimal; several times as fast as buf_addf() */
void buf_addf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Removes `n` bytes from the front (memmove). n <= len. */
void buf_drop_front(struct buf *buf, size_t n);

/* The content as a C string (a NUL is put behind, not counted in len); "" if empty or failed. Borrowed. */
const char *buf_str(struct buf *buf);

#endif
