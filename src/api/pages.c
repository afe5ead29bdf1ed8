/* SPDX-License-Identifier: MIT */
/*
 * What a browser is given: the page of `/ui/` and the description of the interface, files of src/api/ui that the linker
 * puts into the program as they are; beside them uPlot and Swagger UI, where configure was told where they lie. There is no
 * file to be opened and no path to be made, and bytes that nobody asks for stay on disk.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <syncer/base/macros.h>

#include "api_private.h"

/* `file` between embed_NAME and embed_NAME_end. */
#define EMBED(name, file)                                            \
    __asm__(".pushsection .rodata\n"                                 \
            ".hidden embed_" #name "\n.hidden embed_" #name "_end\n" \
            ".global embed_" #name "\n.global embed_" #name "_end\n" \
            "embed_" #name ":\n.incbin \"" file "\"\n"               \
            "embed_" #name "_end:\n.byte 0\n.popsection\n");         \
    extern const char embed_##name[], embed_##name##_end[]

#define PAGE(name, path, type, file) EMBED(name, file);
#include "pages.def"
#undef PAGE

static const struct page {
    const char *path, *type, *begin, *end;
} pages[] = {
#define PAGE(name, path, type, file) {path, type, embed_##name, embed_##name##_end},
#include "pages.def"
#undef PAGE
};

/* Nothing from elsewhere, nothing inline. Swagger UI alone sets styles and has pictures in its own texts. */
#define POLICY "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#define SWAGGER_POLICY POLICY "; style-src 'self' 'unsafe-inline'; img-src 'self' data:"

/* An answer under way. */
struct page_body {
    struct http_producer producer;
    const char *at, *end;
};

static bool next(struct http_producer *producer, struct buf *out)
{
    struct page_body *body = container_of(producer, struct page_body, producer);
    size_t left = (size_t)(body->end - body->at), n = left < HTTP_SLICE_BYTES ? left : HTTP_SLICE_BYTES;

    buf_add(out, body->at, n);
    body->at += n;
    return body->at < body->end;
}

static void release(struct http_producer *producer)
{
    free(container_of(producer, struct page_body, producer));
}

static const struct page *find(const struct http_exchange *x)
{
    size_t len;
    const char *path = http_exchange_path(x, &len);

    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        if (strlen(pages[i].path) == len && memcmp(pages[i].path, path, len) == 0)
            return &pages[i];
    return NULL;
}

void api_page(struct http_exchange *x, void *app)
{
    const struct page *page = find(x);
    struct page_body *body = page ? malloc(sizeof(*body)) : NULL;

    (void)app;
    if (!body) {
        api_not_now(x, "memory is out");
        return;
    }
    *body = (struct page_body){.producer = {.next = next, .release = release}, .at = page->begin, .end = page->end};
    http_answer_begin(x, 200);
    http_answer_field(x, "Content-Security-Policy", strncmp(page->path, "/swagger", 8) == 0 ? SWAGGER_POLICY : POLICY);
    http_answer_field(x, "X-Content-Type-Options", "nosniff");
    http_answer_field(x, "Referrer-Policy", "no-referrer");
    http_answer_field(x, "Cache-Control", "no-cache");
    http_answer_end_producer(x, page->type, &body->producer);
}

void api_root(struct http_exchange *x, void *app)
{
    (void)app;
    http_answer_begin(x, 302);
    http_answer_field(x, "Location", "/ui/");
    http_answer_field(x, "Cache-Control", "no-store");
    http_answer_end(x, NULL, NULL, 0);
}
