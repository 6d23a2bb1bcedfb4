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

/** Writes GM_TRACEPARENT_LENGTH bytes, with our own span as the parent; no zero at the end. */
void gm_traceparent_write(const gm_trace_t *trace, char *out);

/** Writes GM_TRACE_ID_LENGTH bytes; no zero at the end. */
void gm_trace_id_write(const gm_trace_t *trace, char *out);

#endif
