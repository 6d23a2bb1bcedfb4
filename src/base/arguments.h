/* arguments: a command line as rows */
#ifndef GM_BASE_ARGUMENTS_H
#define GM_BASE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

/** One option. "-name", "--name", "-name=value" and "-name value" all mean the same. */
typedef struct gm_argument {
    const char *names; /* "config c": the first is shown, separated by blanks */
    const char *value; /* "FILE": the option takes a value, a const char *; NULL = a bool */
    size_t offset;     /* of the variable in the caller's struct */
    unsigned commands; /* bit mask of the commands that take it */
    const char *help;
} gm_argument_t;

/**
 * Reads options into a zeroed struct. Values stay borrowed from argv; of repeated options the last one
 * counts.
 * @param argument_rows  ended by a row without names
 * @param command        one bit: of the command that was chosen
 * @return 0, or -1 with *err filled, with a suggestion where one is near
 */
GM_MUST_USE int gm_arguments_parse(const gm_argument_t *argument_rows, unsigned command, int argc,
                                   char *const *argv, void *into, gm_error_t *err);

#endif
