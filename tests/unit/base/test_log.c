/* SPDX-License-Identifier: MIT */
/* The log through a real pipe as descriptor 2: escaping, cutting, and that a reader who stalls stops nobody. */
#include <config.h>

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <syncer/base/log.h>

static int saved, reader;

static void begin(void)
{
    int ends[2];

    saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    cr_assert(pipe2(ends, O_CLOEXEC) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
    close(ends[1]);
    reader = ends[0];
    cr_assert_eq(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
    log_open("worker");
}

static void end(void)
{
    log_close(0);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(reader);
}

TestSuite(log, .timeout = 30, .init = begin, .fini = end);

/* What has come out, without the time stamp and the process id of the first line. */
static const char *written(void)
{
    static char text[8192];
    ssize_t n = 0, got;
    const char *msg;

    log_flush();
    while ((got = read(reader, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
        n += got;
    text[n] = '\0';
    msg = strstr(text, "msg");
    return msg ? msg : text;
}

Test(log, logfmt_quotes_and_escapes)
{
    log_info("two words", LOG_STR("plain", "gw-1"), LOG_STR("q", "a\"b\\c\nd\x1b[1m=\xff"), LOG_INT("n", -5),
             LOG_STR("empty", ""));
    cr_expect_str_eq(written(),
                     "msg=\"two words\" plain=gw-1 q=\"a\\\"b\\\\c\\nd\\u001b[1m=\\ufffd\" n=-5 empty=\"\"\n");
}

Test(log, json)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_warn("m", LOG_STR("s", "a\"\n"), LOG_INT("n", 5));
    cr_expect_str_eq(written(), "msg\":\"m\",\"s\":\"a\\\"\\n\",\"n\":5}\n");
}

Test(log, levels)
{
    log_debug("unseen");
    cr_expect_str_eq(written(), "");
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    log_warn("unseen");
    log_error("seen");
    cr_expect_str_eq(written(), "msg=seen\n");
}

Test(log, long_lines_are_cut_visibly)
{
    char much[5000];
    const char *text;

    memset(much, 'a', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    log_info("m", LOG_STR("v", much));
    text = written();
    cr_expect(strlen(text) < 2500 && strstr(text, "cut=true\n"));
}

/* An even number of quotes that are not escaped. */
static bool quotes_are_closed(const char *s)
{
    bool open = false;

    for (; *s; s++) {
        if (*s == '\\')
            s++;
        else if (*s == '"')
            open = !open;
    }
    return !open;
}

/* Every length at which the cut may fall, with characters that take one byte, several, and an escape; the field behind
 * must be left out or be whole. */
Test(log, lines_are_well_formed_wherever_they_are_cut)
{
    static const char *const units[] = {"a", " ", "\xc3\xa4", "\n", "\x01", "\xff"};
    static char value[4096];

    for (size_t i = 0; i < 2 * ARRAY_LEN(units); i++) {
        const char *unit = units[i / 2];
        const char *end = i % 2 ? "}\n" : "\n";

        log_configure(LOG_LEVEL_INFO, i % 2 ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
        value[0] = '\0';
        for (size_t n = 0; n < 2100; n += strlen(unit)) {
            const char *text;

            memcpy(value + n, unit, strlen(unit) + 1);
            log_info("m", LOG_STR("v", value), LOG_INT("number", 1234567), LOG_STR("w", "x y"));
            text = written();
            cr_assert(strlen(text) <= 2048 && strchr(text, '\n') == text + strlen(text) - 1, "%s", text);
            cr_assert_str_eq(text + strlen(text) - strlen(end), end);
            cr_assert(quotes_are_closed(i % 2 ? strstr(text, ":\"m") + 1 : text), "%s", text);
            cr_assert(!strstr(text, "number") || strstr(text, "1234567"), "%s", text);
        }
    }
}

Test(log, a_stalled_reader_stops_nobody_and_the_loss_is_told)
{
    char text[65536];
    bool told = false;

    for (int i = 0; i < 5000; i++) {
        log_info("filling", LOG_INT("line", i), LOG_STR("pad", "0123456789012345678901234567890123456789"));
        log_flush();
    }
    cr_assert_gt(log_dropped(), 0);
    for (int i = 0; i < 100; i++) {
        ssize_t n = read(reader, text, sizeof(text) - 1);

        text[n > 0 ? n : 0] = '\0';
        told = told || strstr(text, "drop");
        log_flush();
    }
    cr_expect(told, "the number of lines dropped is logged when there is room again");
}

Test(log, numbers_and_fields_that_are_left_out)
{
    log_info("m", LOG_MS("ms", 1234567), LOG_MS("a", 7), LOG_MS("b", 0), LOG_MS("c", -1500), LOG_INT("z", 0),
             LOG_INT("least", INT64_MIN), LOG_INT("most", INT64_MAX), LOG_OPT("o", ""),
             LOG_OPT("n", (const char *)NULL), LOG_OPT("p", "x"), LOG_SOME("s", 0), LOG_SOME("t", 3));
    cr_expect_str_eq(written(), "msg=m ms=1234.567 a=0.007 b=0.000 c=-1.500 z=0 least=-9223372036854775808 "
                                "most=9223372036854775807 p=x t=3\n");
}

Test(log, lines_that_can_wait_go_out_together)
{
    const int64_t now = INT64_C(5000000000);

    cr_expect_eq(log_flush_lazily(now), 0, "nothing waits");
    log_info("first");
    cr_expect_eq(log_flush_lazily(now), 0);
    cr_expect_str_eq(written(), "msg=first\n");
    log_info("second");
    cr_expect_eq(log_flush_lazily(now + 1), now + LOG_DELAY_NS);
    log_info("third");
    cr_expect_eq(log_flush_lazily(now + LOG_DELAY_NS - 1), now + LOG_DELAY_NS);
    cr_expect_lt(read(reader, (char[1]){0}, 1), 0, "it was not to be written yet");
    cr_expect_eq(log_flush_lazily(now + LOG_DELAY_NS), 0);
    cr_expect(strstr(written(), "msg=third\n"));
    log_info("fourth");
    log_warn("urgent");
    cr_expect_eq(log_flush_lazily(now + LOG_DELAY_NS + 1), 0);
    cr_expect(strstr(written(), "msg=urgent\n"));
}

Test(log, limit)
{
    const int64_t s = INT64_C(1000000000);
    struct log_limit limit = {0};
    uint32_t passed = 0;

    for (int i = 0; i < 100; i++)
        passed += log_limit_pass(&limit, 5 * s + i, 10);
    cr_assert_eq(passed, 10);
    cr_assert_eq(log_limit_over_ns(&limit), 6 * s);
    cr_assert_eq(log_limit_take(&limit), 90);
    cr_assert_eq(log_limit_take(&limit), 0, "told of twice");
    cr_assert(!log_limit_pass(&limit, 6 * s - 1, 10));
    cr_assert(log_limit_pass(&limit, 6 * s, 10), "a new second");
    cr_assert_eq(log_limit_take(&limit), 1, "what was held back before is still to be told of");
    for (int i = 0; i < 9; i++)
        cr_assert(log_limit_pass(&limit, 6 * s + i, 10));
    cr_assert(!log_limit_pass(&limit, 6 * s + 9, 10));
}
