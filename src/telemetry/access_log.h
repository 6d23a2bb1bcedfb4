/* access_log: one line per request that is over */
#ifndef GM_TELEMETRY_ACCESS_LOG_H
#define GM_TELEMETRY_ACCESS_LOG_H

#include "base/buffer.h"
#include "telemetry/log_stream.h"
#include "telemetry/record.h"

#define GM_FRACTION_ONE 1000000 /* a whole, in millionths */

typedef struct gm_access_log gm_access_log_t; /* one per worker; owned by it */

/** Which requests have a line. */
typedef struct gm_access_log_rule {
    bool only_failures;
    uint64_t slower_than_ns; /* 0 = whatever it took */
    uint32_t sample;         /* in millionths: of what neither failed nor was slow */
} gm_access_log_rule_t;

typedef struct gm_access_log_options {
    gm_log_stream_t *stream; /* borrowed; NULL = the process log, as long as it prints level info */
    bool json;
    const gm_access_log_rule_t *rules; /* borrowed while the log lives; routes may have rules of their own */
    size_t rule_count;
} gm_access_log_options_t;

GM_MUST_USE gm_access_log_t *gm_access_log_create(const gm_access_log_options_t *options);
/** Accepts NULL. */
void gm_access_log_destroy(gm_access_log_t *self);

/** Whether any line would be written now. */
bool gm_access_log_is_on(const gm_access_log_t *self);

/**
 * Writes the line of a request if its rule wants it. Never blocks. Worker's thread.
 * @param rule    index
 * @param record  its route and cluster are the same texts as long as they have the same address
 */
void gm_access_log_write(gm_access_log_t *self, size_t rule, const gm_record_t *record);

/** The line itself, with its end; `line` is cleared first. Whatever clients sent, it is one line. */
void gm_access_log_make_line(gm_access_log_t *self, const gm_record_t *record, gm_buffer_t *line);

#endif
