/* diagnostics: everything that is wrong with a configuration, at once and in order */
#ifndef GM_CONFIG_DIAGNOSTICS_H
#define GM_CONFIG_DIAGNOSTICS_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/vector.h"

typedef enum gm_severity { GM_SEVERITY_ERROR, GM_SEVERITY_WARNING } gm_severity_t;

typedef struct gm_diagnostic {
    gm_severity_t severity;
    gm_place_t place; /* file is borrowed from the list */
    char *text;       /* owned */
    size_t order;     /* of discovery: keeps the sorting stable */
} gm_diagnostic_t;

/** Start from all zero. Used by one thread at a time. */
typedef struct gm_diagnostics {
    GM_VECTOR(gm_diagnostic_t) items;
    size_t errors, warnings;
    char *file;   /* owned: the name shown in front of each line */
    char *source; /* owned: the file's text, for the line with the caret; NULL = not known */
} gm_diagnostics_t;

/** Names the file and keeps a copy of its text, before anything is added. */
void gm_diagnostics_set_source(gm_diagnostics_t *self, const char *file, const char *source, size_t length);

/** Adds one. The place's file is replaced by the list's own. */
void gm_diagnostics_add(gm_diagnostics_t *self, gm_severity_t severity, const gm_place_t *place,
                        const char *format, ...) __attribute__((format(printf, 4, 5)));

/** Errors first to last by line and column, each with its source line and a caret, then a line that counts
 * them. */
void gm_diagnostics_print(gm_diagnostics_t *self, gm_buffer_t *out);

/** The same as one JSON object and a line break. */
void gm_diagnostics_print_json(gm_diagnostics_t *self, gm_buffer_t *out);

void gm_diagnostics_dispose(gm_diagnostics_t *self);

#endif
