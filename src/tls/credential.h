/* credential: a certificate and its key */
#ifndef GM_TLS_CREDENTIAL_H
#define GM_TLS_CREDENTIAL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"

/**
 * Can the two files serve a TLS listener? Has the signature of config's gm_checks_t.
 * @param about_key  set to whether *err is about the key file
 * @param warning    filled if they work, but clients will complain: expired, not yet valid
 * @return 0, or -1 with *err filled. Any thread.
 */
GM_MUST_USE int gm_credential_check(const char *cert_file, const char *key_file, bool *about_key,
                                    gm_error_t *err, gm_error_t *warning);

/**
 * Can the file tell whom to trust? Has the signature of config's gm_checks_t.
 * @param key      what the option is called, for the messages
 * @param warning  filled if none of its certificates is valid now
 * @return 0, or -1 with *err filled. Any thread.
 */
GM_MUST_USE int gm_credential_check_authorities(const char *key, const char *file, gm_error_t *err,
                                                gm_error_t *warning);

/** Does the first certificate of a file name a host that clients can ask for? Any thread. */
bool gm_credential_has_names(const char *cert_file);

#endif
