/*
 * Time as text, against libc's calendar, and a monotonic clock that does not run backwards.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "picotest.h"

static bool is_written(int64_t second, long microseconds, const char *expected)
{
    struct timeval at = {.tv_sec = (time_t)second, .tv_usec = microseconds};
    char out[32];

    if (strcmp(gm_clock_format(out, sizeof(out), &at), expected) == 0)
        return true;
    note("%lld: %s, not %s", (long long)second, out, expected);
    return false;
}

static void test_format(void)
{
    ok(is_written(0, 0, "1970-01-01T00:00:00.000000Z"));
    ok(is_written(1767323045, 678901, "2026-01-02T03:04:05.678901Z"));
    ok(is_written(951782400, 1, "2000-02-29T00:00:00.000001Z"));
    ok(is_written(4107542399, 999999, "2100-02-28T23:59:59.999999Z"));
    ok(is_written(4107542400, 0, "2100-03-01T00:00:00.000000Z"));
    ok(is_written(-1, 0, "1969-12-31T23:59:59.000000Z"));
    ok(is_written(253402300799, 0, "9999-12-31T23:59:59.000000Z"));
    ok(is_written(-62167219200, 0, "0000-01-01T00:00:00.000000Z"));
    ok(is_written(INT64_MAX, 0, "9999-12-31T23:59:59.000000Z"));
    ok(is_written(INT64_MIN, 0, "0000-01-01T00:00:00.000000Z"));
}

static bool agrees_with_libc(int64_t second)
{
    time_t at = (time_t)second;
    struct tm tm;
    char expected[64];

    if (gmtime_r(&at, &tm) == NULL)
        return false;
    snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.000000Z", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return is_written(second, 0, expected);
}

/* One instant of every eleventh day from the year 0 to the year 9999, at times of day that wander. */
static void test_calendar(void)
{
    unsigned failures = 0, checks = 0;

    for (int64_t second = -62167219200; second <= 253402300799; second += 11 * 86400 + 7) {
        ++checks;
        if (!agrees_with_libc(second))
            ++failures;
    }
    note("%u instants", checks);
    ok(checks > 300000);
    ok(failures == 0);
}

static void test_monotonic(void)
{
    uint64_t before = gm_clock_monotonic_ms(), last = before;
    struct timespec start, now;
    bool went_back = false;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do { /* the other clock says when 5 ms are over: no sleeping, and no guess about speed */
        uint64_t read = gm_clock_monotonic_ms();
        went_back |= read < last;
        last = read;
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000000000 + (now.tv_nsec - start.tv_nsec) < 5000000);
    last = gm_clock_monotonic_ms();
    ok(!went_back);
    ok(last - before >= 5);
}

int main(void)
{
    subtest("format", test_format);
    subtest("calendar", test_calendar);
    subtest("monotonic", test_monotonic);
    return done_testing();
}
