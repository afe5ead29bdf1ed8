/* SPDX-License-Identifier: MIT */
/*
 * What a person reads: text of others made harmless, colours, aligned columns. Names and reasons come from servers and
 * pods: nothing but printable ASCII of them reaches a terminal.
 */
#ifndef SYNCER_CTL_TERM_H
#define SYNCER_CTL_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include <syncer/base/buf.h>

enum term_colour { TERM_PLAIN, TERM_GOOD, TERM_WARN, TERM_BAD, TERM_FAINT, TERM_BOLD, TERM_COLOURS };

/* Whether to write colours: standard output is a terminal that knows them, and NO_COLOR is not set
 * (https://no-color.org). */
bool term_has_colours(void);

/* Appends `text`, every byte that is not printable ASCII as \xNN. */
void term_add(struct buf *out, const char *text);

/* The same within a colour; `colours` false: without. */
void term_add_coloured(struct buf *out, const char *text, enum term_colour colour, bool colours);

#define TERM_COLUMNS_MAX 12

/* Rows of cells, written when all are known. */
struct term_table {
    size_t columns, cells, room;
    struct term_cell *cell;
    bool failed; /* memory is out: what is written is not all */
};

void term_table_init(struct term_table *table, size_t columns);
void term_table_release(struct term_table *table);
/* The next cell, row by row; copied. "" shows as a dash. */
void term_table_add(struct term_table *table, const char *text, enum term_colour colour);
/* All rows, two blanks between columns, none behind the last. */
void term_table_write(const struct term_table *table, struct buf *out, bool colours);

#endif
