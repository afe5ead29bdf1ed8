/* SPDX-License-Identifier: MIT */
/*
 * The door to libyaml, for the readers of files: one event after the other, as much of YAML as they need.
 * Documents are one mapping each. JSON is YAML too.
 */
#ifndef SYNCER_CONF_YAML_READER_H
#define SYNCER_CONF_YAML_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <syncer/base/err.h>

enum yaml_kind {
    YAML_IS_FAILED, /* no valid YAML: the error names its line already */
    YAML_IS_SCALAR,
    YAML_IS_LIST,
    YAML_IS_LIST_END,
    YAML_IS_MAP,
    YAML_IS_MAP_END,
    YAML_IS_ALIAS,
    YAML_IS_BORDER, /* of the document or the stream */
};

struct yaml_reader {
    struct yaml_state *state;
    const char *name; /* of the file, in errors; borrowed */
    struct err *err;  /* never NULL once it is initialized */
    struct err own;   /* where nobody wants to know */

    /* The present event. */
    enum yaml_kind kind;
    unsigned long line; /* from 1 */
    const char *text;   /* YAML_IS_SCALAR: NUL-terminated; wiped by the next step */
    size_t len;
    bool plain;  /* without quotes */
    bool marked; /* with an anchor or a tag */
};

/* `text` is borrowed for the reader's life. 0, or -1 if memory is out: there is nothing to release then. */
int yaml_reader_init(struct yaml_reader *r, const char *name, const char *text, size_t len, struct err *err);
void yaml_reader_release(struct yaml_reader *r);

/* To the document's mapping, whose first key is next. 1, 0 if the document is empty, -1 with "NAME:LINE:
 * ...". */
int yaml_reader_begin(struct yaml_reader *r);
/* From the mapping's end: there is nothing behind it. 0, or -1 with "NAME:LINE: ...". */
int yaml_reader_end(struct yaml_reader *r);

/* The next event. 0, or -1 with "NAME:LINE: ...". */
int yaml_reader_next(struct yaml_reader *r);

/* Passes over the value that the present event begins, whatever it is, to its last event. 0, or as _next(). */
int yaml_reader_skip(struct yaml_reader *r);

/* Whether the present event is a value left empty: null, ~ or nothing at all. */
bool yaml_reader_is_null(const struct yaml_reader *r);

/* The present scalar, until the next step. NULL if it is none, or none that is used here: the reason says
 * what is there instead, without a line. */
const char *yaml_reader_scalar(struct yaml_reader *r);

/* Puts "NAME:LINE: " in front of the reason. Always returns -1. */
int yaml_reader_at_line(const struct yaml_reader *r);

#endif
