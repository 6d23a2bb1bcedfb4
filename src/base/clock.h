/* clock: what time it is */
#ifndef GM_BASE_CLOCK_H
#define GM_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

/** Of a clock that never jumps; only differences mean something. */
uint64_t gm_clock_monotonic_ms(void);
uint64_t gm_clock_monotonic_ns(void);

/** The first, a few milliseconds late at most and cheaper: for progress, noted many times per request. */
uint64_t gm_clock_coarse_ms(void);

/** Microseconds since 1970, as the system has it; may jump. */
uint64_t gm_clock_real_us(void);

/** RFC 3339 in UTC with microseconds, "2026-01-02T03:04:05.678901Z". `out` holds 32 bytes or more. */
char *gm_clock_format(char *out, size_t out_bytes, const struct timeval *at);

#endif
