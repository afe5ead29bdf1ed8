/* SPDX-License-Identifier: MIT */
/* The table of settings at run time, for the readers and the printer. */
#ifndef SYNCER_CONF_KEY_H
#define SYNCER_CONF_KEY_H

#include <syncer/conf/conf.h>

enum key_type { KEY_STRING, KEY_INT, KEY_AUTO, KEY_MS, KEY_AUTO_MS, KEY_BOOL, KEY_ENUM };

struct key {
    const char *name;
    enum key_type type;
    size_t offset; /* in struct conf */
    int64_t def, min, max;
    const char *text; /* KEY_STRING: default; KEY_ENUM: names */
};

extern const struct key keys[];
extern const size_t n_keys;

/* NULL if there is none of that name. */
const struct key *key_find(const char *name);

/* The known name that is nearest to `name`, NULL if none is near. */
const char *key_nearest(const char *name);

/* Reads `text` as the value of `key`. The error says what would be right, without naming the key. */
int key_set(struct conf *conf, const struct key *key, const char *text, struct err *err);

/* Appends the value as a YAML scalar; false if a string is not set. */
bool key_print(const struct conf *conf, const struct key *key, struct buf *out);

/* Appends `text` as a double-quoted YAML scalar. */
void key_print_quoted(struct buf *out, const char *text);

/* Adds an address to conf->listen. */
int key_add_listen(struct conf *conf, const char *text, struct err *err);
void key_clear_listen(struct conf *conf);

/* 1*DIGIT within the bounds; 0 or -1. */
int key_parse_int(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
