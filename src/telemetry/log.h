/* log: lines for people and for machines, never waited for */
#ifndef GM_TELEMETRY_LOG_H
#define GM_TELEMETRY_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* the order of config's log.level */
typedef enum gm_log_level { GM_LOG_DEBUG, GM_LOG_INFO, GM_LOG_WARN, GM_LOG_ERROR } gm_log_level_t;

/** A fact that the JSON form carries as a member of its own; the text form has it in the sentence. */
typedef struct gm_log_field {
    const char *name;
    const char *value; /* any bytes */
    size_t length;
} gm_log_field_t;

typedef struct gm_log_options {
    int fd; /* borrowed, open until gm_log_close */
    bool json;
    gm_log_level_t level;
} gm_log_options_t;

/**
 * Starts the process's one log and its writer thread. Before, and after gm_log_close, lines are written at
 * once. Main thread only, while no other thread logs.
 */
void gm_log_open(const gm_log_options_t *options);

/** Waits up to a second for the lines to be written, then ends the writer thread. Main thread only. */
void gm_log_close(void);

/** Whether lines of this level are printed; to save the work of making them. */
bool gm_log_is_on(gm_log_level_t level);

/**
 * One line. Never blocks: where the reader of the log is too slow, lines are dropped, counted, and the count
 * is reported. Control bytes cannot break a line. Any thread.
 */
void gm_log(gm_log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gm_log_with(gm_log_level_t level, const gm_log_field_t *fields, size_t count, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** A line as it is, without level and time; for the test backend. */
void gm_log_plain(const char *line);

#endif
