/* exporter: a thread that sends spans to a collector */
#ifndef GM_SERVER_EXPORTER_H
#define GM_SERVER_EXPORTER_H

#include "base/error.h"
#include "config/config.h"
#include "telemetry/span_queue.h"

typedef struct gm_exporter gm_exporter_t; /* owned by the server */

/**
 * Starts the thread. Main thread.
 * @param conf   borrowed, validated
 * @param queue  borrowed; where the spans come from
 * @return NULL with *err filled: a file for TLS cannot be used, or there is no room for a thread
 */
GM_MUST_USE gm_exporter_t *gm_exporter_start(const gm_otlp_conf_t *conf, gm_span_queue_t *queue,
                                             gm_error_t *err);

/**
 * Sends what is left, for at most a second, then ends the thread; what could not be sent counts as dropped.
 * Nobody may submit spans any more. Accepts NULL. Main thread.
 */
void gm_exporter_stop(gm_exporter_t *self);

#endif
