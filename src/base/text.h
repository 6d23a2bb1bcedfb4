/* text: durations, sizes, ports and addresses, as people write them */
#ifndef GM_BASE_TEXT_H
#define GM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

/**
 * Durations in Go's syntax: "1m30s", "500ms", "1.5h", "0s"; units ns, us, µs, ms, s, m, h. Rounded to the
 * nearest millisecond; a duration above zero that would round to zero becomes 1.
 * @return 0, or -1 with *err filled: no unit (the message suggests one), a sign, an unknown unit, above 2^53
 * ms
 */
GM_MUST_USE int gm_text_parse_duration(const char *text, uint64_t *ms, gm_error_t *err);

/** Sizes: "64KiB", "10MB", "1048576", "0"; units B, KB, MB, GB (1000) and KiB, MiB, GiB, TiB (1024), any
 * case. */
GM_MUST_USE int gm_text_parse_size(const char *text, uint64_t *bytes, gm_error_t *err);

/** Decimal digits only, min..max inclusive. */
GM_MUST_USE int gm_text_parse_integer(const char *text, uint64_t min, uint64_t max, uint64_t *value,
                                      gm_error_t *err);

/** "0" to "1", with up to six digits behind the point. @return 0, or -1 with *err filled */
GM_MUST_USE int gm_text_parse_fraction(const char *text, uint64_t *millionths, gm_error_t *err);

/** The shortest text for it; `out` holds 16 bytes or more. */
char *gm_text_format_fraction(char *out, size_t out_bytes, uint64_t millionths);

/** A host (name, IPv4 or bare IPv6 address) and a port. */
typedef struct gm_hostport {
    char host[256]; /* without brackets; "" = all addresses, only where the text may leave it out */
    uint16_t port;
} gm_hostport_t;

/**
 * "host:port", "1.2.3.4:port", "[v6]:port"; with `host_optional` also ":port".
 * @return 0, or -1 with *err filled
 */
GM_MUST_USE int gm_text_parse_hostport(const char *text, bool host_optional, gm_hostport_t *hostport,
                                       gm_error_t *err);

/** @return whether the text is a host name (RFC 1123 labels, underscore allowed), an IPv4 or a bare IPv6
 * address */
bool gm_text_is_host(const char *text);

/** Shortest Go form ("1m30s", "500ms", "0s"); parsing it gives the same value. `out` holds 32 bytes or more.
 */
char *gm_text_format_duration(char *out, size_t out_bytes, uint64_t ms);

/** "64KiB" where a binary unit divides evenly, otherwise plain digits. `out` holds 24 bytes or more. */
char *gm_text_format_size(char *out, size_t out_bytes, uint64_t bytes);

/** @return the path in "unix:/path", part of the text; NULL for every other host */
const char *gm_text_unix_path(const char *host);

/** "host:port", with brackets around an IPv6 host; "unix:/path" as it is. `out` holds 272 bytes or more. */
char *gm_text_format_hostport(char *out, size_t out_bytes, const char *host, uint16_t port);

#endif
