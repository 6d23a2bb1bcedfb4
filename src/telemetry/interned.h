/* interned: names from the configuration as small numbers */
#ifndef GM_TELEMETRY_INTERNED_H
#define GM_TELEMETRY_INTERNED_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

typedef struct gm_interned gm_interned_t; /* immutable after creation */

#define GM_INTERNED_MAX 65535

enum {
    GM_INTERNED_NONE, /* "none": what has no name */
    GM_INTERNED_OTHER /* "other": what is not in the list */
};

/**
 * Equal texts get the same number, "none" and "other" theirs; beyond GM_INTERNED_MAX, names are "other".
 * @param names  borrowed, pointers and texts, until gm_interned_destroy
 */
GM_MUST_USE gm_interned_t *gm_interned_create(const char *const *names, size_t count);
/** Accepts NULL. */
void gm_interned_destroy(gm_interned_t *self);

/** Cheap where it is one of the very pointers given; otherwise the text is looked up. Any thread. */
uint32_t gm_interned_find(const gm_interned_t *self, const char *name);

const char *gm_interned_text(const gm_interned_t *self, uint32_t id);

/** All numbers are below. */
size_t gm_interned_count(const gm_interned_t *self);

#endif
