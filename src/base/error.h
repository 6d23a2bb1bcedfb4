/* error: what is wrong with the world, and where */
#ifndef GM_BASE_ERROR_H
#define GM_BASE_ERROR_H

#include <stdarg.h>

/** A place in a file. `line` and `column` count from 1; 0 = the file as a whole. */
typedef struct gm_place {
    const char *file; /* borrowed, outlives the place; NULL = no file */
    int line, column;
} gm_place_t;

/** One error, filled once where the detail is known. All zero is "no error". */
typedef struct gm_error {
    gm_place_t place;
    char text[512]; /* a sentence without a final full stop */
} gm_error_t;

/**
 * Fills *err. Later calls on a filled error keep the first, which is nearer to the cause.
 * @param err    NULL if the caller does not want to know
 * @param place  NULL if there is none
 * @return -1, so that `return gm_error_set(...)` reads well
 */
int gm_error_set(gm_error_t *err, const gm_place_t *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
