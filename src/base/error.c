/*
 * Errors of the first kind: a file, a socket, an argument is not as it should be. Requests that fail have
 * telemetry/failure instead. Any thread.
 */
#include "base/error.h"

#include <stdio.h>

int gm_error_set(gm_error_t *err, const gm_place_t *place, const char *format, ...)
{
    va_list args;

    if (err == NULL || err->text[0] != '\0')
        return -1;
    if (place != NULL)
        err->place = *place;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return -1;
}
