/* SPDX-License-Identifier: MIT */
/* Families, samples, escapes, decimals. */
#include <config.h>

#include <inttypes.h>
#include <string.h>

#include <syncer/base/must.h>
#include <syncer/base/utf8.h>
#include <syncer/wire/prom.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A metric's name may hold colons too, but they are for rules. */
static bool is_name(const char *name)
{
    if (!is_letter(*name))
        return false;
    while (is_letter(*name) || (*name >= '0' && *name <= '9'))
        name++;
    return *name == '\0';
}

/* Bytes at the front that stand for themselves: nearly always all. */
static size_t plain_bytes(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\')
        i++;
    return i;
}

static void add_escaped(struct buf *out, const char *text, size_t len, bool quotes)
{
    char utf8[4];

    for (size_t i = 0; i < len;) {
        size_t plain = plain_bytes(text + i, len - i), took;
        uint32_t code = 0;

        buf_add(out, text + i, plain);
        i += plain;
        if (i == len)
            break;
        took = utf8_decode(text + i, len - i, &code);
        i += took ? took : 1;
        if (took && code == '\n')
            buf_add_str(out, "\\n");
        else if (took && (code == '\\' || (code == '"' && quotes)))
            buf_add(out, (const char[]){'\\', (char)code}, 2);
        else
            buf_add(out, utf8, utf8_encode(took ? code : 0xfffd, utf8));
    }
}

void prom_family(struct buf *out, const char *family, enum prom_type type, const char *help)
{
    static const char *const types[PROM_TYPES] = {"counter", "gauge", "histogram"};

    must(is_name(family) && type < PROM_TYPES);
    buf_add_str(out, "# HELP ");
    buf_add_str(out, family);
    buf_add_char(out, ' ');
    add_escaped(out, help, strlen(help), false);
    buf_add_str(out, "\n# TYPE ");
    buf_add_str(out, family);
    buf_add_char(out, ' ');
    buf_add_str(out, types[type]);
    buf_add_char(out, '\n');
}

void prom_begin(struct prom_writer *w, struct buf *out, const char *family, const char *suffix)
{
    *w = (struct prom_writer){.out = out};
    must(is_name(family));
    buf_add_str(out, family);
    buf_add_str(out, suffix);
}

static void separate(struct prom_writer *w)
{
    buf_add_char(w->out, w->labelled ? ',' : '{');
    w->labelled = true;
}

void prom_label(struct prom_writer *w, const char *name, const char *value, size_t len)
{
    must(is_name(name));
    separate(w);
    buf_add_str(w->out, name);
    buf_add(w->out, "=\"", 2);
    add_escaped(w->out, value, len, true);
    buf_add_char(w->out, '"');
}

void prom_labels(struct prom_writer *w, const char *labels)
{
    if (*labels == '\0')
        return;
    separate(w);
    buf_add_str(w->out, labels);
}

static uint64_t power_of_ten(unsigned digits)
{
    uint64_t power = 1;

    must(digits <= 9);
    while (digits-- > 0)
        power *= 10;
    return power;
}

/* Without zeros at the end. */
static void add_decimal(struct buf *out, uint64_t n, unsigned digits)
{
    uint64_t power = power_of_ten(digits), rest = n % power;

    buf_add_number(out, n / power);
    if (rest == 0)
        return;
    for (; rest % 10 == 0; rest /= 10)
        digits--;
    buf_addf(out, ".%0*" PRIu64, (int)digits, rest);
}

void prom_le(struct prom_writer *w, uint64_t us)
{
    separate(w);
    buf_add_str(w->out, "le=\"");
    add_decimal(w->out, us, 6);
    buf_add_char(w->out, '"');
}

void prom_number(struct prom_writer *w, uint64_t n)
{
    prom_decimal(w, n, 0);
}

void prom_decimal(struct prom_writer *w, uint64_t n, unsigned digits)
{
    if (w->labelled)
        buf_add_char(w->out, '}');
    buf_add_char(w->out, ' ');
    add_decimal(w->out, n, digits);
    buf_add_char(w->out, '\n');
}
