/* path: the one form of a request's path that is both matched and forwarded */
#ifndef GM_HTTP_PATH_H
#define GM_HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

/**
 * Brings the path of a request target ("/a/../b%7e?q") into canonical form (RFC 3986, 6.2.2): percent-codes
 * of unreserved characters decoded, the others in upper case, dot segments removed; the query stays as it is.
 * "%2F" and empty segments are kept: they mean something to some backends.
 * @param target  begins with "/"
 * @param out     at least `length` bytes, the result is never longer; may be `target` itself
 * @param query   set to the offset of "?" in the result, or to its length
 * @return length of the result; 0 if there is no canonical form, and *why says what is wrong
 */
size_t gm_path_canonicalize(const char *target, size_t length, char *out, size_t *query, const char **why);

/** Whether canonicalizing would change nothing, told without writing; false also for what is not allowed. */
bool gm_path_is_canonical(const char *target, size_t length);

/** The part of a canonical path that a route has matched. */
typedef struct gm_path_match {
    const char *path; /* without its query */
    size_t length;
    size_t matched; /* how many bytes of it the route names, whole segments; 1 = "/" */
    bool is_exact;  /* the route names this path and no other */
} gm_path_match_t;

/**
 * Puts another path in the place of the one that a route matched, on whole segments: with "/new" for "/old",
 * "/old/a" becomes "/new/a".
 * @param out  at least the lengths of both together and 1
 * @return length of the result; 0 if it would begin with two slashes, or a slash and a backslash, which some
 * programs take for a host
 */
size_t gm_path_replace(const gm_path_match_t *match, const char *replacement, char *out);

/**
 * For configurations: @return 0, or -1 with *err filled if no canonical path is `path`, or only that of a
 * client that sends bytes outside ASCII as they are, which RFC 3986 does not allow.
 */
int gm_path_check(const char *path, gm_error_t *err);

#endif
