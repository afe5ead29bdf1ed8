/* SPDX-License-Identifier: MIT */
/* What goes to a terminal, made harmless; cells are kept until all are known, since the widest decides. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/must.h>

#include "term.h"

#define CELL_BYTES 1024 /* as shown; more is cut */

struct term_cell {
    char *text;
    size_t width;
    enum term_colour colour;
};

bool term_has_colours(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(no && no[0]) && term && term[0] && strcmp(term, "dumb") != 0;
}

void term_add(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= ' ' && c <= '~')
            buf_add_char(out, *text);
        else
            buf_addf(out, "\\x%02x", c);
    }
}

void term_add_coloured(struct buf *out, const char *text, enum term_colour colour, bool colours)
{
    static const char *const codes[TERM_COLOURS] = {
        [TERM_GOOD] = "\033[32m", [TERM_WARN] = "\033[33m", [TERM_BAD] = "\033[31m",
        [TERM_FAINT] = "\033[2m", [TERM_BOLD] = "\033[1m",
    };
    const char *code = colours ? codes[colour] : NULL;

    if (code)
        buf_add_str(out, code);
    term_add(out, text);
    if (code)
        buf_add_str(out, "\033[0m");
}

/* ---- tables ---- */

void term_table_init(struct term_table *table, size_t columns)
{
    must(columns > 0 && columns <= TERM_COLUMNS_MAX);
    *table = (struct term_table){.columns = columns};
}

void term_table_release(struct term_table *table)
{
    for (size_t i = 0; i < table->cells; i++)
        free(table->cell[i].text);
    free(table->cell);
    *table = (struct term_table){.columns = table->columns};
}

static struct term_cell *next_cell(struct term_table *table)
{
    if (table->cells == table->room) {
        size_t room = table->room ? 2 * table->room : 64;
        struct term_cell *cell = realloc(table->cell, room * sizeof(*cell));

        if (!cell)
            return NULL;
        table->cell = cell;
        table->room = room;
    }
    return &table->cell[table->cells];
}

void term_table_add(struct term_table *table, const char *text, enum term_colour colour)
{
    struct term_cell *cell = table->failed ? NULL : next_cell(table);
    struct buf shown;

    if (!cell) {
        table->failed = true;
        return;
    }
    buf_init(&shown, CELL_BYTES);
    term_add(&shown, text[0] ? text : "-");
    shown.failed = shown.data == NULL; /* what fits is shown */
    buf_str(&shown);
    *cell = (struct term_cell){.text = shown.data, .width = shown.len, .colour = colour};
    if (shown.data)
        table->cells++;
    else
        table->failed = true;
}

void term_table_write(const struct term_table *table, struct buf *out, bool colours)
{
    size_t widths[TERM_COLUMNS_MAX] = {0};

    for (size_t i = 0; i < table->cells; i++)
        if (table->cell[i].width > widths[i % table->columns])
            widths[i % table->columns] = table->cell[i].width;
    for (size_t i = 0; i < table->cells; i++) {
        const struct term_cell *cell = &table->cell[i];
        size_t column = i % table->columns;

        term_add_coloured(out, cell->text, cell->colour, colours);
        if (column == table->columns - 1)
            buf_add_char(out, '\n');
        else
            buf_addf(out, "%*s", (int)(widths[column] - cell->width) + 2, "");
    }
}
