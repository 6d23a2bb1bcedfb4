/*
 * Environment variables in configuration values. Called by config/fields for every scalar that a file gives,
 * at load.
 */
#include "config/expand.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static bool is_name(const char *text, size_t length)
{
    if (length == 0 || isdigit((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i != length; ++i)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

/* `inside` is what stands between the braces. */
static int expand_one(const char *inside, size_t length, gm_lookup_t lookup, gm_buffer_t *out,
                      gm_error_t *err)
{
    const char *colon = memmem(inside, length, ":-", 2), *value;
    size_t name_length = colon != NULL ? (size_t)(colon - inside) : length;
    char *name;

    if (!is_name(inside, name_length))
        return gm_error_set(err, NULL, "\"${%.*s}\" is not a variable; write ${NAME} or ${NAME:-default}",
                            (int)(length < 64 ? length : 64), inside);
    if (colon != NULL && memmem(inside, length, "${", 2) != NULL)
        return gm_error_set(err, NULL,
                            "the default of ${%.*s} has a variable in it; only plain text can be one",
                            (int)(name_length < 64 ? name_length : 64), inside);
    name = gm_strndup(inside, name_length);
    value = lookup(name);
    if (value != NULL && (value[0] != '\0' || colon == NULL))
        gm_buffer_append_text(out, value);
    else if (colon != NULL)
        gm_buffer_append(out, colon + 2, length - name_length - 2);
    else
        gm_error_set(err, NULL, "environment variable %.64s is not set; set it, or write ${%.64s:-default}",
                     name, name);
    free(name);
    return value != NULL || colon != NULL ? 0 : -1;
}

char *gm_expand(const char *text, gm_lookup_t lookup, gm_error_t *err)
{
    gm_buffer_t out = {0};

    for (const char *start; (start = strstr(text, "${")) != NULL;) {
        const char *end;
        if (start != text && start[-1] == '$') {
            gm_buffer_append(&out, text, (size_t)(start - text) - 1);
            gm_buffer_append_text(&out, "${");
            text = start + 2;
            continue;
        }
        gm_buffer_append(&out, text, (size_t)(start - text));
        if ((end = strchr(start, '}')) == NULL) {
            gm_error_set(err, NULL, "\"${\" without \"}\"; write $${ for the two characters themselves");
            goto Error;
        }
        if (expand_one(start + 2, (size_t)(end - start) - 2, lookup, &out, err) != 0)
            goto Error;
        text = end + 1;
    }
    gm_buffer_append_text(&out, text);
    return gm_buffer_detach(&out);
Error:
    gm_buffer_dispose(&out);
    return NULL;
}
