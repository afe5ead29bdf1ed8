/* SPDX-License-Identifier: MIT */
/* Memory that is refused is counted, whichever library asked for it. */
#include <config.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#include <syncer/net/memory.h>

TestSuite(memory, .timeout = 20);

static void watch(void)
{
    struct err err;

    cr_assert_eq(memory_watch(&err), 0);
    cr_assert_eq(memory_refused(), 0);
}

Test(memory, nothing_is_refused_in_good_times)
{
    void *p;

    watch();
    p = OPENSSL_malloc(100);
    p = OPENSSL_realloc(p, 1000);
    cr_assert(p);
    cr_expect_null(OPENSSL_realloc(p, 0));
    cr_expect_null(OPENSSL_malloc(0));
    curl_easy_cleanup(curl_easy_init());
    cr_expect_eq(memory_refused(), 0);
    curl_global_cleanup();
}

#ifndef __SANITIZE_ADDRESS__ /* it ends the program then */
#define HANDLES 1000

/* Criterion's own libraries use OpenSSL, whose memory is libcurl's alone to tell of here. */
Test(memory, what_is_refused_is_counted)
{
    CURL *handles[HANDLES];
    struct rlimit before, none;
    size_t n = 0;

    watch();
    cr_assert_eq(getrlimit(RLIMIT_AS, &before), 0);
    none = before;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_AS, &none), 0);
    while (n < HANDLES && (handles[n] = curl_easy_init()))
        n++;
    cr_assert_eq(setrlimit(RLIMIT_AS, &before), 0);
    cr_assert_lt(n, HANDLES, "there was memory for all");
    cr_expect_geq(memory_refused(), 1);
    while (n > 0)
        curl_easy_cleanup(handles[--n]);
    curl_global_cleanup();
}
#endif
