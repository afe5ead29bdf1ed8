/* SPDX-License-Identifier: MIT */
/* The allocators of libcurl (curl_global_init_mem(3)) and OpenSSL (CRYPTO_set_mem_functions(3)): malloc's, counted. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include <syncer/net/memory.h>

static uint64_t refused;

uint64_t memory_refused(void)
{
    return refused;
}

static void *note(void *got)
{
    refused += !got;
    return got;
}

/* ---- libcurl ---- */

static void *get(size_t size)
{
    return note(malloc(size));
}

static void *get_zeroed(size_t n, size_t size)
{
    return note(calloc(n, size));
}

static void *resize(void *old, size_t size)
{
    return note(realloc(old, size));
}

static char *copy(const char *text)
{
    return note(strdup(text));
}

/* ---- OpenSSL: nothing is a size too ---- */

static void *ssl_get(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size > 0 ? get(size) : NULL;
}

static void ssl_free(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    free(old);
}

static void *ssl_resize(void *old, size_t size, const char *file, int line)
{
    if (size > 0)
        return resize(old, size);
    ssl_free(old, file, line);
    return NULL;
}

int memory_watch(struct err *err)
{
    /* Refused once OpenSSL has taken any memory: then only libcurl's is counted. */
    CRYPTO_set_mem_functions(ssl_get, ssl_resize, ssl_free);
    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, get, free, resize, copy, get_zeroed) != CURLE_OK)
        return err_set(err, "libcurl cannot be initialized");
    return 0;
}
