/*
 * Reading the clock, and time as log lines spell it. Called for every request on the workers, hence the
 * calendar of our own: gmtime_r takes a lock inside libc that all threads share. Any thread.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define SECONDS_PER_DAY 86400
#define DAYS_PER_ERA 146097       /* 400 years, after which the calendar repeats */
#define DAYS_BEFORE_1970 719468   /* since 0000-03-01: a year that begins in March ends with the leap day */
#define SECOND_MIN (-62167219200) /* 0000-01-01T00:00:00Z */
#define SECOND_MAX 253402300799   /* 9999-12-31T23:59:59Z, the last that RFC 3339 can write */

uint64_t gm_clock_monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists on every Linux */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t gm_clock_monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t gm_clock_coarse_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t gm_clock_real_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

char *gm_clock_format(char *out, size_t out_bytes, const struct timeval *at)
{
    int64_t second = at->tv_sec < SECOND_MIN ? SECOND_MIN : at->tv_sec > SECOND_MAX ? SECOND_MAX : at->tv_sec;
    int64_t days = (second - SECOND_MIN) / SECONDS_PER_DAY + SECOND_MIN / SECONDS_PER_DAY; /* rounds down */
    unsigned of_day = (unsigned)(second - days * SECONDS_PER_DAY);
    int since_era = (int)(days + DAYS_BEFORE_1970 + DAYS_PER_ERA); /* one era added, so that / rounds down */
    int era = since_era / DAYS_PER_ERA - 1, day = since_era % DAYS_PER_ERA;
    int year = (day - day / 1460 + day / 36524 - day / (DAYS_PER_ERA - 1)) / 365; /* leap days taken out */
    int month;

    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153; /* from March: 31 30 31 30 31, over and over */
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    year += 400 * era + (month <= 2 ? 1 : 0);
    snprintf(out, out_bytes, "%04d-%02d-%02dT%02u:%02u:%02u.%06uZ", year, month, day + 1, of_day / 3600,
             of_day / 60 % 60, of_day % 60, (unsigned)at->tv_usec % 1000000);
    return out;
}
