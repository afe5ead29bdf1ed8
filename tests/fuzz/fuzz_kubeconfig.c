/* SPDX-License-Identifier: MIT */
/* Kubeconfig files: refused with a reason, or read to what can be used. The input is one file, and two where
 * it has a line of dashes after the first byte ("\n----\n"). */
#include <config.h>

#include <stdbool.h>

#include <syncer/conf/kubeconfig.h>

#include "fuzz.h"

#define BORDER "\n----\n"

static bool is_part(const struct kubeconfig_part *part)
{
    if (!part->origin)
        return !part->path && part->data.len == 0;
    return part->path ? part->path[0] != '\0' && part->data.len == 0 : part->data.len > 0;
}

static void check(const struct kubeconfig *kc)
{
    size_t len;

    HOLDS(kc->server);
    len = strlen(kc->server);
    HOLDS(strncmp(kc->server, "https://", 8) == 0 || strncmp(kc->server, "http://", 7) == 0);
    HOLDS(len > 8 && kc->server[len - 1] != '/' && strcspn(kc->server, " \"?#\\\n") == len);
    HOLDS(is_part(&kc->ca) && is_part(&kc->token) && is_part(&kc->cert) && is_part(&kc->key));
    HOLDS(!kc->cert.origin == !kc->key.origin);
    HOLDS(!kc->insecure || !kc->ca.origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *border = size > 0 ? memmem(text + 1, size - 1, BORDER, strlen(BORDER)) : NULL;
    struct kubeconfig_text texts[2] = {{"/a/fuzz", text, border ? (size_t)(border + 1 - text) : size}};
    struct kubeconfig kc;
    struct err err = {""};

    if (border) {
        texts[1].name = "/b/fuzz";
        texts[1].text = border + strlen(BORDER);
        texts[1].len = size - (size_t)(texts[1].text - text);
    }
    if (kubeconfig_parse(&kc, texts, border ? 2 : 1, &err) == 0) {
        check(&kc);
        kubeconfig_release(&kc);
    } else {
        HOLDS(strncmp(err.text, "/a/fuzz:", 8) == 0 || strncmp(err.text, "/b/fuzz:", 8) == 0);
    }
    return 0;
}
