/* SPDX-License-Identifier: MIT */
/* The table of settings at run time, for the readers and the printer. */
#ifndef SYNCER_CONF_KEY_H
#define SYNCER_CONF_KEY_H

#include <syncer/conf/conf.h>

enum key_type { KEY_STRING, KEY_INT, KEY_AUTO, KEY_MS, KEY_AUTO_MS, KEY_LIST, KEY_BOOL, KEY_ENUM };

struct key {
    const char *name;
    enum key_type type;
    size_t offset; /* in struct conf */
    int64_t def, min, max;
    const char *text; /* KEY_STRING, KEY_LIST: default; KEY_ENUM: names */
};

extern const struct key keys[];
extern const size_t n_keys;

/* NULL if there is none of that name. */
const struct key *key_find(const char *name);

/* The known name that is nearest to `name`, NULL if none is near. */
const char *key_nearest(const char *name);

/* Reads `text` as the value of `key`; a list's are separated by commas. The error says what would be right, without naming the key. */
int key_set(struct conf *conf, const struct key *key, const char *text, struct err *err);

/* Appends the value as YAML on one line; false if a string or a list is not set. */
bool key_print(const struct conf *conf, const struct key *key, struct buf *out);

/* Appends `text` as a double-quoted YAML scalar. */
void key_print_quoted(struct buf *out, const char *text);

/* For KEY_LIST, one value at a time. */
void key_clear_list(struct conf *conf, const struct key *key);
int key_add_to_list(struct conf *conf, const struct key *key, const char *text, struct err *err);

/* 1*DIGIT within the bounds; 0 or -1. */
int key_parse_int(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
