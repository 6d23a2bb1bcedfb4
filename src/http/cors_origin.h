/* cors_origin: which origins of scripts are meant */
#ifndef GM_HTTP_CORS_ORIGIN_H
#define GM_HTTP_CORS_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

/**
 * For configurations: "https://app.example", "https://app.example:8443", the same with "*." in front of the
 * host for every name below it, or "*".
 * @return 0, or -1 with *err filled: also for what no browser sends, such as a final slash or a scheme's own
 * port
 */
GM_MUST_USE int gm_cors_origin_check(const char *pattern, gm_error_t *err);

/** Whether an Origin field's value is meant by a pattern that was checked. Case does not matter. */
bool gm_cors_origin_matches(const char *pattern, const char *origin, size_t length);

#endif
