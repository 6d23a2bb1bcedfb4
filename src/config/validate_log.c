/*
 * The checks of lines about requests: which fields they show, and that secrets stay ones unless somebody says
 * otherwise. Called by config/validate.
 */
#include "config/validate.h"

#include <strings.h>

#define MAX_NAMES 32 /* of a list; each may make a line longer by a kilobyte or more */

typedef struct validation {
    gm_config_t *config;
    const gm_checks_t *checks;
    gm_diagnostics_t *diagnostics;
} validation_t;

static void complain(const validation_t *v, const void *field, const char *key, const char *text)
{
    gm_error_t named = {0};

    gm_error_set(&named, NULL, "%s: %s", key, text);
    gm_validate_complain(v->config, v->diagnostics, field, NULL, named.text);
}

static bool is_before(const gm_texts_t *names, size_t index)
{
    for (size_t i = 0; i != index; ++i)
        if (strcasecmp(names->items[i], names->items[index]) == 0)
            return true;
    return false;
}

static void check_name(const validation_t *v, const gm_texts_t *names, size_t index, const char *key,
                       bool is_answer)
{
    const char *name = names->items[index];
    gm_error_t err = {0};

    if (v->checks != NULL && v->checks->check_shown != NULL)
        v->checks->check_shown(name, is_answer, &err);
    if (err.text[0] == '\0' && is_before(names, index))
        gm_error_set(&err, NULL, "\"%.200s\" is there already", name);
    if (err.text[0] != '\0')
        complain(v, name, key, err.text);
}

static void check_names(const validation_t *v, const gm_texts_t *names, const char *key, bool is_answer)
{
    if (gm_validate_is_bad(v->config, names))
        return;
    for (size_t i = 0; i != names->size && i != MAX_NAMES; ++i)
        check_name(v, names, i, key, is_answer);
    if (names->size > MAX_NAMES)
        complain(v, names->items[MAX_NAMES], key, "more than 32 names");
}

void gm_config_validate_log(gm_config_t *config, const gm_checks_t *checks, gm_diagnostics_t *diagnostics)
{
    const validation_t v = {config, checks, diagnostics};
    const gm_access_conf_t *access = &config->log.access;

    check_names(&v, &access->request_headers, "request_headers", false);
    check_names(&v, &access->response_headers, "response_headers", true);
    check_names(&v, &access->redact, "redact", true);
    if (access->show_secrets && !gm_validate_is_bad(config, &access->show_secrets))
        gm_diagnostics_add(
            diagnostics, GM_SEVERITY_WARNING, &gm_config_find_origin(config, &access->show_secrets)->place,
            "show_secrets: passwords, cookies and keys in request_headers and response_headers "
            "are logged as they are");
}
