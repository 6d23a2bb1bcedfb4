/*
 * Buckets of a histogram. Called once per value by the one thread that writes these counters, so cheap: most
 * values are small, and the search begins there.
 */
#include "base/histogram.h"

void gm_histogram_observe(gm_counter_t *cells, const gm_histogram_bounds_t *bounds, uint64_t value)
{
    size_t bucket = 0;

    while (bucket != bounds->count && value > bounds->values[bucket])
        ++bucket;
    gm_counter_add(&cells[bucket], 1);
    gm_counter_add(&cells[bounds->count + 1], value);
}
