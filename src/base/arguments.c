/*
 * The command line's options, read by rows. Called by main only.
 */
#include "base/arguments.h"

#include <string.h>

#include "base/suggest.h"

/* Whether the first `length` bytes of `name` are one of the row's names. */
static bool has_name(const gm_argument_t *row, const char *name, size_t length)
{
    for (const char *at = row->names; *at != '\0';) {
        size_t size = strcspn(at, " ");
        if (size == length && memcmp(at, name, length) == 0)
            return true;
        at += size + (at[size] == ' ');
    }
    return false;
}

static int fail_unknown(const gm_argument_t *rows, unsigned command, const char *given, const char *name,
                        size_t length, gm_error_t *err)
{
    char wanted[64], first[64];
    gm_suggestion_t suggestion = {.wanted = wanted};
    const char *best = NULL;

    for (const gm_argument_t *row = rows; row->names != NULL; ++row)
        if (has_name(row, name, length))
            return gm_error_set(err, NULL, "\"%.64s\" does not go with this command", given);
    memcpy(wanted, name, length < sizeof(wanted) ? length : sizeof(wanted) - 1);
    wanted[length < sizeof(wanted) ? length : sizeof(wanted) - 1] = '\0';
    for (const gm_argument_t *row = rows; row->names != NULL; ++row) {
        const gm_suggestion_t before = suggestion;
        size_t size = strcspn(row->names, " ");
        if (!(row->commands & command) || size >= sizeof(first))
            continue;
        memcpy(first, row->names, size);
        first[size] = '\0';
        gm_suggestion_offer(&suggestion, first);
        if (suggestion.best != before.best || suggestion.distance != before.distance)
            best = row->names;
        if (suggestion.best == first)
            suggestion.best = row->names; /* `first` is gone in the next round */
    }
    for (const gm_argument_t *row = rows; best == NULL && length == 1 && row->names != NULL; ++row) {
        char other_case = (char)(name[0] ^ 0x20);
        if ((row->commands & command) && has_name(row, &other_case, 1))
            best = row->names;
    }
    if (best != NULL)
        return gm_error_set(err, NULL, "unknown option \"%.64s\"; did you mean \"-%.*s\"?", given,
                            (int)strcspn(best, " "), best);
    return gm_error_set(err, NULL, "unknown option \"%.64s\"", given);
}

static const gm_argument_t *find_row(const gm_argument_t *rows, unsigned command, const char *name,
                                     size_t length)
{
    for (const gm_argument_t *row = rows; row->names != NULL; ++row)
        if ((row->commands & command) && has_name(row, name, length))
            return row;
    return NULL;
}

int gm_arguments_parse(const gm_argument_t *argument_rows, unsigned command, int argc, char *const *argv,
                       void *into, gm_error_t *err)
{
    for (int i = 0; i < argc; ++i) {
        const char *given = argv[i], *name = given + strspn(given, "-"), *equals = strchr(name, '=');
        size_t dashes = (size_t)(name - given),
               length = equals != NULL ? (size_t)(equals - name) : strlen(name);
        const gm_argument_t *row;
        void *variable;
        if (dashes == 0 || dashes > 2 || length == 0)
            return gm_error_set(err, NULL, "unexpected argument \"%.64s\"", given);
        if ((row = find_row(argument_rows, command, name, length)) == NULL)
            return fail_unknown(argument_rows, command, given, name, length, err);
        variable = (char *)into + row->offset;
        if (row->value == NULL) {
            if (equals != NULL)
                return gm_error_set(err, NULL, "\"-%.*s\" takes no value", (int)length, name);
            *(bool *)variable = true;
        } else if (equals != NULL) {
            *(const char **)variable = equals + 1;
        } else if (i + 1 < argc) {
            *(const char **)variable = argv[++i];
        } else {
            return gm_error_set(err, NULL, "\"-%.*s\" needs a value: %s", (int)length, name, row->value);
        }
    }
    return 0;
}
