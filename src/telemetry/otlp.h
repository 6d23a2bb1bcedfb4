/* otlp: requests as spans, in the JSON that OpenTelemetry's collectors take */
#ifndef GM_TELEMETRY_OTLP_H
#define GM_TELEMETRY_OTLP_H

#include "base/buffer.h"
#include "telemetry/record.h"

#define GM_OTLP_CONTENT_TYPE "application/json"
#define GM_OTLP_DEFAULT_PATH "/v1/traces"

/** What stands around the spans of a batch: ExportTraceServiceRequest of OTLP 1.x. Appended to `out`. */
void gm_otlp_write_prefix(const char *service_name, const char *version, gm_buffer_t *out);
#define GM_OTLP_SUFFIX "]}]}]}"

/**
 * Appends the spans of a request that is over, with commas between them: one of kind server, and one of kind
 * client for each attempt, as OpenTelemetry's semantic conventions for HTTP have them (1.23 and later). Long
 * texts are cut off. Pure.
 * @param record  with spans
 * @return how many
 */
size_t gm_otlp_write_spans(const gm_record_t *record, gm_buffer_t *out);

#endif
