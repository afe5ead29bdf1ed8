/* SPDX-License-Identifier: MIT */
/* One value at a time: from text into struct conf and back. Which text belongs to which key is the readers' business. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "key.h"

const struct key keys[] = {
#define CONF_STRING(key, def, doc) {#key, KEY_STRING, offsetof(struct conf, key), 0, 0, 0, def},
#define CONF_INT(key, def, min, max, doc) {#key, KEY_INT, offsetof(struct conf, key), def, min, max, NULL},
#define CONF_AUTO(key, min, max, doc) {#key, KEY_AUTO, offsetof(struct conf, key), 0, min, max, NULL},
#define CONF_MS(key, def, min, max, doc) {#key, KEY_MS, offsetof(struct conf, key##_ms), def, min, max, NULL},
#define CONF_AUTO_MS(key, min, max, doc) {#key, KEY_AUTO_MS, offsetof(struct conf, key##_ms), 0, min, max, NULL},
#define CONF_LIST(key, def, doc) {#key, KEY_LIST, offsetof(struct conf, key), 0, 0, 0, def},
#define CONF_BOOL(key, def, doc) {#key, KEY_BOOL, offsetof(struct conf, key), def, 0, 0, NULL},
#define CONF_ENUM(key, names, def, doc) {#key, KEY_ENUM, offsetof(struct conf, key), def, 0, 0, names},
#include <syncer/conf/keys.def>
};
const size_t n_keys = ARRAY_LEN(keys);

const struct key *key_find(const char *name)
{
    for (size_t i = 0; i < n_keys; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* Levenshtein's distance, where two neighbours that have changed places are one mistake; three rows, in turn. Long names are
 * not near to anything. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][33], n = strlen(b), i;

    if (n >= ARRAY_LEN(rows[0]))
        return n;
    for (size_t j = 0; j <= n; j++)
        rows[0][j] = j;
    for (i = 1; a[i - 1]; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[(i + 2) % 3][n];
}

const char *key_nearest(const char *name)
{
    size_t best = 4;
    const char *found = NULL;

    for (size_t i = 0; i <= n_keys; i++) {
        const char *known = i < n_keys ? keys[i].name : "static";
        size_t d = distance(name, known);

        if (d < best && 2 * d < strlen(known)) {
            best = d;
            found = known;
        }
    }
    return found;
}

int key_parse_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
    int64_t n = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || n > INT32_MAX)
            return -1;
        n = n * 10 + (*text - '0');
    }
    *out = n;
    return n >= min && n <= max ? 0 : -1;
}

static int set_string(char **field, const char *text, struct err *err)
{
    char *copy;

    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return err_set(err, "has a control character");
    if (!*text)
        return err_set(err, "is empty");
    copy = strdup(text);
    if (!copy)
        return err_set(err, "out of memory");
    free(*field);
    *field = copy;
    return 0;
}

/* "150", "150ms", "2s", "1m". */
static int set_ms(int64_t *field, const struct key *key, const char *text, struct err *err)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"", 1}};
    size_t digits = strspn(text, "0123456789");
    char number[16];
    int64_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(units) && digits > 0 && digits < sizeof(number); i++) {
        if (strcmp(text + digits, units[i].unit) != 0)
            continue;
        memcpy(number, text, digits);
        number[digits] = '\0';
        if (key_parse_int(number, 0, INT32_MAX, &n) != 0 || n * units[i].ms < key->min || n * units[i].ms > key->max)
            break;
        *field = n * units[i].ms;
        return 0;
    }
    return err_set(err,
                   "\"%.40s\" should be %sa time from %" PRId64 "ms to %" PRId64 "ms, such as 150ms or 2s (a bare "
                   "number is milliseconds)",
                   text, key->type == KEY_AUTO_MS ? "auto or " : "", key->min, key->max);
}

void key_clear_list(struct conf *conf, const struct key *key)
{
    struct conf_list *list = (void *)((char *)conf + key->offset);

    while (list->n > 0)
        free(list->items[--list->n]);
}

int key_add_to_list(struct conf *conf, const struct key *key, const char *text, struct err *err)
{
    struct conf_list *list = (void *)((char *)conf + key->offset);
    char *copy = NULL;

    if (list->n == CONF_LIST_MAX)
        return err_set(err, "has more than %d values", CONF_LIST_MAX);
    if (set_string(&copy, text, err) != 0)
        return -1;
    list->items[list->n++] = copy;
    return 0;
}

/* "a,b,c", as it stands in the environment. */
static int set_list(struct conf *conf, const struct key *key, const char *text, struct err *err)
{
    char item[256];

    key_clear_list(conf, key);
    while (text) {
        size_t len = strcspn(text, ",");

        if (len >= sizeof(item))
            return err_set(err, "has a value of more than %zu bytes", sizeof(item) - 1);
        memcpy(item, text, len);
        item[len] = '\0';
        if (key_add_to_list(conf, key, item, err) != 0)
            return -1;
        text = text[len] ? text + len + 1 : NULL;
    }
    return 0;
}

static int set_enum(int *field, const char *names, const char *text, struct err *err)
{
    const char *name = names;

    for (int i = 0; name; i++) {
        size_t len = strcspn(name, "|");

        if (strlen(text) == len && memcmp(text, name, len) == 0) {
            *field = i;
            return 0;
        }
        name = name[len] ? name + len + 1 : NULL;
    }
    return err_set(err, "\"%.40s\" should be one of %s", text, names);
}

static int set_bool(bool *field, const char *text, struct err *err)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return err_set(err, "\"%.40s\" should be true or false", text);
    *field = text[0] == 't';
    return 0;
}

int key_set(struct conf *conf, const struct key *key, const char *text, struct err *err)
{
    void *field = (char *)conf + key->offset;
    int64_t n = 0;

    switch (key->type) {
    case KEY_STRING:
        return set_string(field, text, err);
    case KEY_BOOL:
        return set_bool(field, text, err);
    case KEY_LIST:
        return set_list(conf, key, text, err);
    case KEY_ENUM:
        return set_enum(field, key->text, text, err);
    case KEY_AUTO_MS:
        if (strcmp(text, "auto") != 0)
            return set_ms(field, key, text, err);
        *(int64_t *)field = 0;
        return 0;
    case KEY_MS:
        return set_ms(field, key, text, err);
    case KEY_AUTO:
    case KEY_INT:
        break;
    }
    if ((key->type != KEY_AUTO || strcmp(text, "auto") != 0) && key_parse_int(text, key->min, key->max, &n) != 0)
        return err_set(err, "\"%.40s\" should be %sa whole number from %" PRId64 " to %" PRId64, text,
                       key->type == KEY_AUTO ? "auto or " : "", key->min, key->max);
    *(int64_t *)field = n;
    return 0;
}

void key_print_quoted(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}

static bool print_list(struct buf *out, const struct conf_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        buf_add_str(out, i == 0 ? "[" : ", ");
        key_print_quoted(out, list->items[i]);
    }
    buf_add_str(out, list->n > 0 ? "]" : "");
    return list->n > 0;
}

static void print_enum(struct buf *out, const char *names, int index)
{
    for (; index > 0; index--)
        names += strcspn(names, "|") + 1;
    buf_add(out, names, strcspn(names, "|"));
}

bool key_print(const struct conf *conf, const struct key *key, struct buf *out)
{
    const void *field = (const char *)conf + key->offset;

    switch (key->type) {
    case KEY_STRING:
        if (!*(char *const *)field)
            return false;
        key_print_quoted(out, *(char *const *)field);
        break;
    case KEY_LIST:
        return print_list(out, field);
    case KEY_BOOL:
        buf_add_str(out, *(const bool *)field ? "true" : "false");
        break;
    case KEY_ENUM:
        print_enum(out, key->text, *(const int *)field);
        break;
    case KEY_AUTO_MS:
        if (*(const int64_t *)field == 0)
            buf_add_str(out, "auto");
        else
            buf_addf(out, "%" PRId64 "ms", *(const int64_t *)field);
        break;
    case KEY_MS:
        buf_addf(out, "%" PRId64 "ms", *(const int64_t *)field);
        break;
    case KEY_AUTO:
    case KEY_INT:
        if (key->type == KEY_AUTO && *(const int64_t *)field == 0)
            buf_add_str(out, "auto");
        else
            buf_addf(out, "%" PRId64, *(const int64_t *)field);
        break;
    }
    return true;
}
