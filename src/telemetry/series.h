/* series: which combinations of labels a metric has had, each with a number of its own, up to a limit */
#ifndef GM_TELEMETRY_SERIES_H
#define GM_TELEMETRY_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

typedef struct gm_series gm_series_t; /* shared by all threads */

#define GM_SERIES_OTHER 0 /* the number of all combinations that found no room */

/** @param max  beside GM_SERIES_OTHER; 1 or more */
GM_MUST_USE gm_series_t *gm_series_create(size_t max);
/** Nobody uses it any more. Accepts NULL. */
void gm_series_destroy(gm_series_t *self);

/**
 * The number of a combination, at most `max`; a new one is given the next as long as there is room. Numbers
 * never change. Takes a lock only for a combination that is new. Any thread.
 * @param key  the combination; not 0
 */
size_t gm_series_find(gm_series_t *self, uint64_t key);

size_t gm_series_max(const gm_series_t *self);

/** Numbers 1 to this one have been given. Any thread. */
size_t gm_series_count(const gm_series_t *self);

/** @param number  1 to gm_series_count */
uint64_t gm_series_key(const gm_series_t *self, size_t number);

/** Whether any combination found no room. Any thread. */
bool gm_series_has_other(const gm_series_t *self);

#endif
