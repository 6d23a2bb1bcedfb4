/* checks: what the configuration needs to know from rooms above it */
#ifndef GM_SERVER_CHECKS_H
#define GM_SERVER_CHECKS_H

#include <stdbool.h>

#include "base/error.h"

/** The functions of config's gm_checks_t. */
int gm_check_credential(const char *cert_file, const char *key_file, bool *about_key, gm_error_t *err,
                        gm_error_t *warning);
int gm_check_path(const char *path, gm_error_t *err);
int gm_check_field(const char *name, bool is_answer, gm_error_t *err);
int gm_check_shown(const char *name, bool is_answer, gm_error_t *err);
int gm_check_value(const char *value, gm_error_t *err);
int gm_check_origin(const char *origin, gm_error_t *err);
int gm_check_authorities(const char *key, const char *file, gm_error_t *err, gm_error_t *warning);
bool gm_check_has_names(const char *cert_file);

/** All of them, as an initializer. */
#define GM_CHECKS                                                                                            \
    {                                                                                                        \
        .check_credential = gm_check_credential, .check_path = gm_check_path,                                \
        .check_authorities = gm_check_authorities, .has_names = gm_check_has_names,                          \
        .check_field = gm_check_field, .check_shown = gm_check_shown, .check_value = gm_check_value,         \
        .check_origin = gm_check_origin                                                                      \
    }

#endif
