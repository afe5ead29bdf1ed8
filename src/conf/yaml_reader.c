/* SPDX-License-Identifier: MIT */
/* libyaml's events, made smaller. The only file that sees it. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "yaml_reader.h"

struct yaml_state {
    yaml_parser_t parser;
    yaml_event_t event;
};

int yaml_reader_init(struct yaml_reader *r, const char *name, const char *text, size_t len, struct err *err)
{
    *r = (struct yaml_reader){.name = name, .kind = YAML_IS_BORDER};
    r->err = err ? err : &r->own;
    r->state = calloc(1, sizeof(*r->state));
    if (!r->state || !yaml_parser_initialize(&r->state->parser)) {
        free(r->state);
        return err_set(err, "%s: out of memory", name);
    }
    yaml_parser_set_encoding(&r->state->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->state->parser, (const unsigned char *)text, len);
    return 0;
}

/* A scalar may be a token or a key. */
static void drop_event(struct yaml_reader *r)
{
    yaml_event_t *event = &r->state->event;

    if (event->type == YAML_SCALAR_EVENT)
        explicit_bzero(event->data.scalar.value, event->data.scalar.length);
    yaml_event_delete(event);
    r->text = NULL;
    r->len = 0;
    r->plain = r->marked = false;
}

void yaml_reader_release(struct yaml_reader *r)
{
    drop_event(r);
    yaml_parser_delete(&r->state->parser);
    free(r->state);
    r->state = NULL;
}

static enum yaml_kind kind_of(yaml_event_type_t type)
{
    switch (type) {
    case YAML_SCALAR_EVENT:
        return YAML_IS_SCALAR;
    case YAML_SEQUENCE_START_EVENT:
        return YAML_IS_LIST;
    case YAML_SEQUENCE_END_EVENT:
        return YAML_IS_LIST_END;
    case YAML_MAPPING_START_EVENT:
        return YAML_IS_MAP;
    case YAML_MAPPING_END_EVENT:
        return YAML_IS_MAP_END;
    case YAML_ALIAS_EVENT:
        return YAML_IS_ALIAS;
    default:
        return YAML_IS_BORDER;
    }
}

int yaml_reader_next(struct yaml_reader *r)
{
    yaml_parser_t *parser = &r->state->parser;
    yaml_event_t *event = &r->state->event;

    drop_event(r);
    if (!yaml_parser_parse(parser, event)) {
        memset(event, 0, sizeof(*event));
        r->kind = YAML_IS_FAILED;
        return err_set(r->err, "%s:%lu: not valid YAML: %s", r->name, (unsigned long)parser->problem_mark.line + 1,
                       parser->problem ? parser->problem : "unreadable");
    }
    r->kind = kind_of(event->type);
    r->line = (unsigned long)event->start_mark.line + 1;
    if (r->kind == YAML_IS_SCALAR) {
        r->text = (const char *)event->data.scalar.value;
        r->len = event->data.scalar.length;
        r->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        r->marked = event->data.scalar.anchor || event->data.scalar.tag;
    }
    return 0;
}

int yaml_reader_at_line(const struct yaml_reader *r)
{
    return err_context(r->err, "%s:%lu", r->name, r->line);
}

static int next_two(struct yaml_reader *r)
{
    int rc = yaml_reader_next(r);

    return rc == 0 ? yaml_reader_next(r) : rc;
}

int yaml_reader_begin(struct yaml_reader *r)
{
    if (next_two(r) != 0) /* the stream's beginning, then the document's */
        return -1;
    if (r->state->event.type == YAML_STREAM_END_EVENT)
        return 0;
    if (yaml_reader_next(r) != 0)
        return -1;
    if (r->kind == YAML_IS_MAP)
        return 1;
    if (r->kind == YAML_IS_SCALAR && r->len == 0)
        return 0;
    err_set(r->err, "should be a mapping of keys to values");
    return yaml_reader_at_line(r);
}

int yaml_reader_end(struct yaml_reader *r)
{
    if (next_two(r) != 0) /* the document's end, then what is behind it */
        return -1;
    if (r->state->event.type == YAML_STREAM_END_EVENT)
        return 0;
    err_set(r->err, "there should be one document only");
    return yaml_reader_at_line(r);
}

int yaml_reader_skip(struct yaml_reader *r)
{
    for (size_t depth = 0;;) {
        if (r->kind == YAML_IS_LIST || r->kind == YAML_IS_MAP)
            depth++;
        else if (r->kind == YAML_IS_LIST_END || r->kind == YAML_IS_MAP_END)
            depth--;
        if (depth == 0)
            return 0;
        if (yaml_reader_next(r) != 0)
            return -1;
    }
}

bool yaml_reader_is_null(const struct yaml_reader *r)
{
    return r->kind == YAML_IS_SCALAR && r->plain &&
           (r->len == 0 || strcmp(r->text, "~") == 0 || strcmp(r->text, "null") == 0);
}

const char *yaml_reader_scalar(struct yaml_reader *r)
{
    if (r->kind != YAML_IS_SCALAR)
        err_set(r->err, "should be a single value");
    else if (r->marked)
        err_set(r->err, "anchors and tags are not used here");
    else if (strlen(r->text) != r->len)
        err_set(r->err, "has a NUL character");
    else if (yaml_reader_is_null(r))
        err_set(r->err, "has no value");
    else
        return r->text;
    return NULL;
}
