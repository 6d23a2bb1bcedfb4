/* log_stream: lines on their way to one file or pipe, never waited for */
#ifndef GM_TELEMETRY_LOG_STREAM_H
#define GM_TELEMETRY_LOG_STREAM_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

typedef struct gm_log_stream gm_log_stream_t; /* owned by whoever opened it */

typedef struct gm_log_stream_options {
    const char *path; /* a file that lines are added to, made if need be; NULL = `fd` */
    int fd;           /* borrowed, open until gm_log_stream_close */
    /** Writes the line that says how many were lost. Writer's thread. */
    void (*describe_lost)(gm_buffer_t *line, size_t lost);
} gm_log_stream_options_t;

/** Starts the writer thread. @return NULL with *err filled if the file cannot be opened. Main thread. */
GM_MUST_USE gm_log_stream_t *gm_log_stream_open(const gm_log_stream_options_t *options, gm_error_t *err);

/** Waits up to a second for the lines to be written. Nobody may submit any more. Accepts NULL. */
void gm_log_stream_close(gm_log_stream_t *self);

/**
 * One whole line, with its end. It is written within 50 ms, the first after a pause at once; a process that
 * is killed takes along what it had not written. Never blocks: where the reader of the log is too slow, lines
 * are dropped, counted, and the count is reported. Any thread.
 */
void gm_log_stream_submit(gm_log_stream_t *self, const char *line, size_t length);

/** Has the file opened anew by its name, for whoever rotates logs. No effect without a name. Any thread. */
void gm_log_stream_reopen(gm_log_stream_t *self);

/** Lines dropped so far. Any thread. */
uint64_t gm_log_stream_dropped(const gm_log_stream_t *self);

#endif
