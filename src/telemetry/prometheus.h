/* prometheus: the text format 0.0.4, one family after another */
#ifndef GM_TELEMETRY_PROMETHEUS_H
#define GM_TELEMETRY_PROMETHEUS_H

#include "base/buffer.h"
#include "base/histogram.h"

typedef enum gm_prometheus_type {
    GM_PROMETHEUS_COUNTER,
    GM_PROMETHEUS_GAUGE,
    GM_PROMETHEUS_HISTOGRAM
} gm_prometheus_type_t;

/** HELP and TYPE, in front of all samples of the family. `help` may hold anything. */
void gm_prometheus_begin_family(gm_buffer_t *out, const char *name, gm_prometheus_type_t type,
                                const char *help);

/**
 * Appends a label to the set that samples are then written with, one text for all lines of a series.
 * @param name   letters, digits and _, beginning with a letter
 * @param value  may hold anything; what is not UTF-8 becomes U+FFFD
 */
void gm_prometheus_append_label(gm_buffer_t *labels, const char *name, const char *value);

/** @param labels  empty = none */
void gm_prometheus_write_number(gm_buffer_t *out, const char *name, const gm_buffer_t *labels,
                                uint64_t value);

/** The value as seconds, with all its digits: nothing is rounded. */
void gm_prometheus_write_seconds(gm_buffer_t *out, const char *name, const gm_buffer_t *labels, uint64_t ns);

/** Bounds and sum are nanoseconds, written as seconds. @param cells  as of gm_histogram_observe */
void gm_prometheus_write_histogram(gm_buffer_t *out, const char *name, const gm_buffer_t *labels,
                                   const gm_histogram_bounds_t *bounds, const uint64_t *cells);

#endif
