/* expand: ${VARIABLE} inside configuration values */
#ifndef GM_CONFIG_EXPAND_H
#define GM_CONFIG_EXPAND_H

#include "base/error.h"
#include "base/memory.h"

/** Looks a variable up; NULL if it is not set. `getenv` fits. */
typedef char *(*gm_lookup_t)(const char *name);

/**
 * Replaces "${NAME}" and "${NAME:-default}" (the default also where NAME is empty, as in a shell); "$${"
 * stands for
 * "${". What a variable contains is not expanded again.
 * @return the new text, free() it; NULL with *err filled: not set and no default, not closed, not a name
 */
GM_MUST_USE char *gm_expand(const char *text, gm_lookup_t lookup, gm_error_t *err);

#endif
