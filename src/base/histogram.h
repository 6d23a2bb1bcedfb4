/* histogram: how many values fell below which bounds, and their sum */
#ifndef GM_BASE_HISTOGRAM_H
#define GM_BASE_HISTOGRAM_H

#include <stddef.h>

#include "base/counter.h"

/** Ascending; a value that is equal to a bound belongs to it. What is above the last goes to one more bucket.
 */
typedef struct gm_histogram_bounds {
    const uint64_t *values; /* static */
    size_t count;
} gm_histogram_bounds_t;

/** Counters that a histogram is made of: one per bound, one for what is above, the sum. */
#define GM_HISTOGRAM_CELLS(bound_count) ((bound_count) + 2)

/** @param cells  GM_HISTOGRAM_CELLS of them, all zero in the beginning; the caller's thread is their writer
 */
void gm_histogram_observe(gm_counter_t *cells, const gm_histogram_bounds_t *bounds, uint64_t value);

#endif
