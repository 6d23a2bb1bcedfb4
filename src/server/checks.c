/*
 * Hands main the checks that live in tls/ and http/, which main itself does not see. Main thread, at load.
 */
#include "server/checks.h"

#include "http/path.h"
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

int gm_check_authorities(const char *key, const char *file, gm_error_t *err, gm_error_t *warning)
{
    return gm_credential_check_authorities(key, file, err, warning);
}

bool gm_check_has_names(const char *cert_file)
{
    return gm_credential_has_names(cert_file);
}
