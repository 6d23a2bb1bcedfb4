/* trace_context: who belongs to which trace, as header fields say it (W3C Trace Context) */
#ifndef GM_TELEMETRY_TRACE_CONTEXT_H
#define GM_TELEMETRY_TRACE_CONTEXT_H

#include "telemetry/record.h"

#define GM_TRACEPARENT_LENGTH 55 /* of version 00, the one that is written */
#define GM_TRACE_ID_LENGTH (2 * GM_TRACE_ID_BYTES)

/**
 * Reads a traceparent: trace_id, parent_id and is_sampled. Versions to come are read as far as version 00
 * goes (section 3.2.4).
 * @return whether it is valid; *trace is untouched otherwise
 */
bool gm_traceparent_read(const char *text, size_t length, gm_trace_t *trace);

/** Reads an X-Trace-ID of 32 hexadecimal digits, not all zero. @return as above */
bool gm_trace_id_read(const char *text, size_t length, gm_trace_t *trace);

/** Whether a tracestate may be passed on: its grammar, 32 members, 512 bytes (section 3.3.1). */
bool gm_tracestate_is_valid(const char *text, size_t length);

/**
 * Whether a trace that begins here is among those that are exported. All who decide by the id and the same
 * share decide alike, and who takes more takes the same ones too (OpenTelemetry's sampling by threshold: the
 * last 56 bits, which are random, are compared).
 * @param share  in millionths
 */
bool gm_trace_is_chosen(const gm_trace_t *trace, uint32_t share);

#define GM_TRACEPARENT_SPAN_AT 36 /* where in it the span's digits begin */

/** Writes GM_TRACEPARENT_LENGTH bytes, with a span of ours as the parent; no zero at the end. */
void gm_traceparent_write(const gm_trace_t *trace, const uint8_t span_id[GM_SPAN_ID_BYTES], char *out);

/** Writes GM_TRACE_ID_LENGTH bytes; no zero at the end. */
void gm_trace_id_write(const gm_trace_t *trace, char *out);

#endif
