/* SPDX-License-Identifier: MIT */
/*
 * YAML events into entries. The three lists look alike:
 *
 *      clusters:                       contexts, users
 *      - name: one
 *        cluster:                      context, user
 *          server: https://...         the fields
 *
 * All entries are kept until the end, since the current context may stand behind them, and in another file.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "kubeconfig_entries.h"
#include "yaml_reader.h"

enum shape { SHAPE_TEXT, SHAPE_ANY };

static const struct {
    const char *list, *item;
} sections[KC_SECTIONS] = {
    [KC_CLUSTER] = {"clusters", "cluster"},
    [KC_CONTEXT] = {"contexts", "context"},
    [KC_USER] = {"users", "user"},
};

static const struct {
    enum kc_section section;
    enum shape shape;
    const char *name;
} fields[KC_FIELDS] = {
    [KC_SERVER] = {KC_CLUSTER, SHAPE_TEXT, "server"},
    [KC_TLS_SERVER_NAME] = {KC_CLUSTER, SHAPE_TEXT, "tls-server-name"},
    [KC_INSECURE] = {KC_CLUSTER, SHAPE_TEXT, "insecure-skip-tls-verify"},
    [KC_CA] = {KC_CLUSTER, SHAPE_TEXT, "certificate-authority"},
    [KC_CA_DATA] = {KC_CLUSTER, SHAPE_TEXT, "certificate-authority-data"},
    [KC_PROXY_URL] = {KC_CLUSTER, SHAPE_TEXT, "proxy-url"},
    [KC_CONTEXT_CLUSTER] = {KC_CONTEXT, SHAPE_TEXT, "cluster"},
    [KC_CONTEXT_USER] = {KC_CONTEXT, SHAPE_TEXT, "user"},
    [KC_NAMESPACE] = {KC_CONTEXT, SHAPE_TEXT, "namespace"},
    [KC_CERT] = {KC_USER, SHAPE_TEXT, "client-certificate"},
    [KC_CERT_DATA] = {KC_USER, SHAPE_TEXT, "client-certificate-data"},
    [KC_KEY] = {KC_USER, SHAPE_TEXT, "client-key"},
    [KC_KEY_DATA] = {KC_USER, SHAPE_TEXT, "client-key-data"},
    [KC_TOKEN] = {KC_USER, SHAPE_TEXT, "token"},
    [KC_TOKEN_FILE] = {KC_USER, SHAPE_TEXT, "tokenFile"},
    [KC_USERNAME] = {KC_USER, SHAPE_TEXT, "username"},
    [KC_PASSWORD] = {KC_USER, SHAPE_TEXT, "password"},
    [KC_IMPERSONATE] = {KC_USER, SHAPE_TEXT, "as"},
    [KC_EXEC] = {KC_USER, SHAPE_ANY, "exec"},
    [KC_AUTH_PROVIDER] = {KC_USER, SHAPE_ANY, "auth-provider"},
};

const char *kc_field_name(enum kc_field field)
{
    return fields[field].name;
}

/* ---- memory ---- */

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static void release_entry(struct kc_entry *entry)
{
    wipe(&entry->name);
    for (size_t i = 0; i < KC_FIELDS; i++)
        wipe(&entry->values[i].text);
}

void kc_entries_release(struct kc_entries *entries)
{
    wipe(&entries->current_context.text);
    while (entries->n > 0)
        release_entry(&entries->items[--entries->n]);
    free(entries->items);
    entries->items = NULL;
}

/* ---- values ---- */

/* `key` is what the error calls it. */
static int bad(struct yaml_reader *r, const char *key)
{
    err_context(r->err, "%s", key);
    return yaml_reader_at_line(r);
}

static int take(struct yaml_reader *r, char **to, const char *text)
{
    *to = strdup(text);
    return *to ? 0 : err_set(r->err, "%s: out of memory", r->name);
}

/* The present value, a scalar, "" and null are none. */
static int read_text(struct yaml_reader *r, const char *key, struct kc_value *value)
{
    const char *text;

    if (yaml_reader_is_null(r))
        return 0;
    text = yaml_reader_scalar(r);
    if (!text)
        return bad(r, key);
    value->file = r->name;
    value->line = r->line;
    return *text ? take(r, &value->text, text) : 0;
}

/* The present value, whatever it is: only that it is there. */
static int read_any(struct yaml_reader *r, struct kc_value *value)
{
    if (yaml_reader_is_null(r))
        return 0;
    value->file = r->name;
    value->line = r->line;
    return take(r, &value->text, "") == 0 ? yaml_reader_skip(r) : -1;
}

/* ---- mappings ---- */

struct mapping {
    struct yaml_reader *r;
    /* Reads the value of `key`, which is the present event, to its last event; passes over what it does not
     * know. */
    int (*read)(struct mapping *mapping, const char *key);
    struct kc_entries *entries;
    struct kc_entry *entry;
    unsigned seen; /* a bit a known key: which one is up to `read` */
};

#define KEY_BYTES 64 /* longer than any that we know */

/* The present event is the mapping's beginning. */
static int read_mapping(struct mapping *mapping)
{
    struct yaml_reader *r = mapping->r;
    char key[KEY_BYTES];

    for (;;) {
        const char *text;

        if (yaml_reader_next(r) != 0)
            return -1;
        if (r->kind == YAML_IS_MAP_END)
            return 0;
        text = yaml_reader_scalar(r);
        if (!text)
            return bad(r, "a key");
        key[0] = '\0';
        if (r->len < sizeof(key))
            memcpy(key, text, r->len + 1);
        if (yaml_reader_next(r) != 0 || mapping->read(mapping, key) != 0)
            return -1;
    }
}

static int see(struct mapping *mapping, unsigned bit, const char *key)
{
    if (mapping->seen & 1U << bit) {
        err_set(mapping->r->err, "is there twice");
        return bad(mapping->r, key);
    }
    mapping->seen |= 1U << bit;
    return 0;
}

static int read_field(struct mapping *mapping, const char *key)
{
    _Static_assert(KC_FIELDS <= 32, "a bit a field");
    for (unsigned i = 0; i < KC_FIELDS; i++) {
        struct kc_value *value = &mapping->entry->values[i];

        if (fields[i].section != mapping->entry->section || strcmp(fields[i].name, key) != 0)
            continue;
        if (see(mapping, i, key) != 0)
            return -1;
        return fields[i].shape == SHAPE_ANY ? read_any(mapping->r, value) : read_text(mapping->r, key, value);
    }
    return yaml_reader_skip(mapping->r);
}

/* The fields of an entry; null is none. */
static int read_fields(struct mapping *item, const char *key)
{
    struct mapping body = {.r = item->r, .read = read_field, .entry = item->entry};

    if (yaml_reader_is_null(item->r))
        return 0;
    if (item->r->kind == YAML_IS_MAP)
        return read_mapping(&body);
    err_set(item->r->err, "should be a mapping of keys to values");
    return bad(item->r, key);
}

static int read_item(struct mapping *item, const char *key)
{
    struct kc_value name = {.text = NULL};
    int rc;

    if (strcmp(key, "name") == 0) {
        rc = see(item, 0, key) == 0 ? read_text(item->r, key, &name) : -1;
        item->entry->name = name.text ? name.text : item->entry->name;
        return rc;
    }
    if (strcmp(key, sections[item->entry->section].item) == 0)
        return see(item, 1, key) == 0 ? read_fields(item, key) : -1;
    return yaml_reader_skip(item->r);
}

/* ---- lists ---- */

/* Room for one more, empty. NULL with the reason. */
static struct kc_entry *new_entry(struct kc_entries *entries, struct yaml_reader *r)
{
    struct kc_entry *items;

    if (entries->n == KUBECONFIG_MAX_ENTRIES) {
        err_set(r->err, "%s:%lu: more than %d clusters, contexts and users", r->name, r->line, KUBECONFIG_MAX_ENTRIES);
        return NULL;
    }
    if ((entries->n & (entries->n - 1)) == 0) { /* full: a power of two each time */
        items = realloc(entries->items, (entries->n > 0 ? 2 * entries->n : 1) * sizeof(*items));
        if (!items) {
            err_set(r->err, "%s: out of memory", r->name);
            return NULL;
        }
        entries->items = items;
    }
    entries->items[entries->n] = (struct kc_entry){.file = r->name};
    return &entries->items[entries->n++];
}

/* Two of one name in one file: which of them would count? */
static bool is_second(const struct kc_entries *entries, const struct kc_entry *entry)
{
    for (const struct kc_entry *other = entries->items; other < entry; other++)
        if (other->section == entry->section && other->file == entry->file && strcmp(other->name, entry->name) == 0)
            return true;
    return false;
}

/* No leak: new_entry() keeps the list in `entries`, and kc_entries_release() frees it. */
ANALYZER_LEAKS_OFF
static int add_item(struct kc_entries *entries, struct yaml_reader *r, enum kc_section section)
{
    struct mapping item = {.r = r, .read = read_item};
    unsigned long line = r->line;
    const char *reason = NULL;

    if (r->kind != YAML_IS_MAP) {
        err_set(r->err, "should be a mapping {name, %s}", sections[section].item);
        return bad(r, sections[section].list);
    }
    item.entry = new_entry(entries, r);
    if (!item.entry)
        return -1;
    item.entry->section = section;
    if (read_mapping(&item) != 0)
        return -1;
    if (!item.entry->name)
        reason = "one has no name";
    else if (is_second(entries, item.entry))
        reason = "two have the same name";
    return reason ? err_set(r->err, "%s:%lu: %s: %s", r->name, line, sections[section].list, reason) : 0;
}
ANALYZER_LEAKS_ON

static int read_list(struct kc_entries *entries, struct yaml_reader *r, enum kc_section section)
{
    if (yaml_reader_is_null(r))
        return 0;
    if (r->kind != YAML_IS_LIST) {
        err_set(r->err, "should be a list");
        return bad(r, sections[section].list);
    }
    for (;;) {
        if (yaml_reader_next(r) != 0)
            return -1;
        if (r->kind == YAML_IS_LIST_END)
            return 0;
        if (add_item(entries, r, section) != 0)
            return -1;
    }
}

/* ---- the whole ---- */

static int read_top(struct mapping *top, const char *key)
{
    struct kc_value value = {.text = NULL}, *current = &top->entries->current_context;
    int rc;

    for (unsigned i = 0; i < KC_SECTIONS; i++)
        if (strcmp(key, sections[i].list) == 0)
            return see(top, i, key) == 0 ? read_list(top->entries, top->r, (enum kc_section)i) : -1;
    if (strcmp(key, "current-context") != 0)
        return yaml_reader_skip(top->r);
    rc = see(top, KC_SECTIONS, key) == 0 ? read_text(top->r, key, &value) : -1;
    if (current->text)
        wipe(&value.text);
    else
        *current = value;
    return rc;
}

int kc_entries_add(struct kc_entries *entries, const struct kubeconfig_text *text, struct err *err)
{
    struct yaml_reader r;
    struct mapping top = {.r = &r, .read = read_top, .entries = entries};
    int rc;

    if (yaml_reader_init(&r, text->name, text->text, text->len, err) != 0)
        return -1;
    rc = yaml_reader_begin(&r);
    if (rc > 0)
        rc = read_mapping(&top) == 0 ? yaml_reader_end(&r) : -1;
    yaml_reader_release(&r);
    return rc;
}

const struct kc_entry *kc_entries_find(const struct kc_entries *entries, enum kc_section section, const char *name)
{
    for (size_t i = 0; i < entries->n; i++)
        if (entries->items[i].section == section && strcmp(entries->items[i].name, name) == 0)
            return &entries->items[i];
    return NULL;
}
