/* log: lines for people and for machines, never waited for */
#ifndef GM_TELEMETRY_LOG_H
#define GM_TELEMETRY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"

/* the order of config's log.level */
typedef enum gm_log_level { GM_LOG_DEBUG, GM_LOG_INFO, GM_LOG_WARN, GM_LOG_ERROR } gm_log_level_t;

/** A fact that the JSON form carries as a member of its own; the text form has it in the sentence. */
typedef struct gm_log_field {
    const char *name;
    const char *value; /* any bytes */
    size_t length;
} gm_log_field_t;

typedef struct gm_log_options {
    const char *path; /* a file that lines are added to; NULL = `fd` */
    int fd;           /* borrowed, open until gm_log_close */
    bool json;
    gm_log_level_t level;
} gm_log_options_t;

/**
 * Lines are written by whoever logs, without a writer's thread, for a process that forks; one that cannot be
 * written at once is lost. Main thread, while there is no other. `options` and its path are kept.
 */
void gm_log_write_directly(const gm_log_options_t *options);

/**
 * Starts the process's one log and its writer thread. Before, and after gm_log_close, lines are written to
 * stdout at once, unless gm_log_write_directly was called. Main thread only, while no other thread logs.
 * @return 0, or -1 with *err filled
 */
GM_MUST_USE int gm_log_open(const gm_log_options_t *options, gm_error_t *err);

/** Waits up to a second for the lines to be written, then ends the writer thread. Main thread only. */
void gm_log_close(void);

/** Has the file opened anew by its name, for whoever rotates logs. Main thread. */
void gm_log_reopen(void);

/** The line about lost lines, for other streams too. */
void gm_log_describe_lost(gm_buffer_t *line, size_t lost);

/** Lines that were dropped so far. Any thread. */
uint64_t gm_log_dropped(void);

/** Any thread. */
void gm_log_set_level(gm_log_level_t level);
gm_log_level_t gm_log_get_level(void);

/** "debug", "info", "warn", "error"; static. */
const char *gm_log_level_name(gm_log_level_t level);

/** @return whether the text is the name of a level, which is then in *level */
bool gm_log_level_parse(const char *text, gm_log_level_t *level);

/** Which form lines have. */
bool gm_log_is_json(void);

/** Whether lines of this level are printed; to save the work of making them. */
bool gm_log_is_on(gm_log_level_t level);

/**
 * One line. Never blocks: where the reader of the log is too slow, lines are dropped, counted, and the count
 * is reported. Control bytes cannot break a line. Any thread.
 */
void gm_log(gm_log_level_t level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gm_log_with(gm_log_level_t level, const gm_log_field_t *fields, size_t count, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** Appends text such that no byte of it ends the line or reaches a terminal as a command; what is not UTF-8
 * is escaped, too. */
void gm_log_append_visible(gm_buffer_t *out, const char *text, size_t length);

/** A line that is made already, with its end. Any thread. */
void gm_log_submit(const char *line, size_t length);

/** A line as it is, without level and time; for the test backend. */
void gm_log_plain(const char *text);

#endif
