/*
 * Hands main the checks that live in tls/, http/ and proxy/, which main itself does not see. Main thread, at
 * load.
 */
#include "server/checks.h"

#include "http/cors_origin.h"
#include "http/fields.h"
#include "http/path.h"
#include "proxy/field_value.h"
#include "tls/credential.h"

int gm_check_credential(const char *cert_file, const char *key_file, bool *about_key, gm_error_t *err,
                        gm_error_t *warning)
{
    return gm_credential_check(cert_file, key_file, about_key, err, warning);
}

int gm_check_path(const char *path, gm_error_t *err)
{
    return gm_path_check(path, err);
}

int gm_check_field(const char *name, bool is_answer, gm_error_t *err)
{
    return gm_fields_check_change(name, is_answer, err);
}

int gm_check_shown(const char *name, bool is_answer, gm_error_t *err)
{
    return gm_fields_check_shown(name, is_answer, err);
}

int gm_check_value(const char *value, gm_error_t *err)
{
    gm_field_value_t *parsed = gm_field_value_create(value, err);

    gm_field_value_destroy(parsed);
    return parsed != NULL ? 0 : -1;
}

int gm_check_origin(const char *origin, gm_error_t *err)
{
    return gm_cors_origin_check(origin, err);
}

int gm_check_authorities(const char *key, const char *file, gm_error_t *err, gm_error_t *warning)
{
    return gm_credential_check_authorities(key, file, err, warning);
}

bool gm_check_has_names(const char *cert_file)
{
    return gm_credential_has_names(cert_file);
}
