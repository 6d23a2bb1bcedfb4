/* validate: what no single row can check */
#ifndef GM_CONFIG_VALIDATE_H
#define GM_CONFIG_VALIDATE_H

#include "config/config.h"
#include "config/diagnostics.h"

/** Checks that need higher rooms; each may be NULL. */
typedef struct gm_checks {
    /**
     * Do certificate and key exist, can they be read, do they fit?
     * @param about_key  set to whether *err is about the key file
     * @param warning    filled if they can be used, but should not (expired)
     */
    int (*check_credential)(const char *cert_file, const char *key_file, bool *about_key, gm_error_t *err,
                            gm_error_t *warning);
    /** Can a request's path ever be this one? */
    int (*check_path)(const char *path, gm_error_t *err);
    /** Does the file have certificates of authorities? @param key  the option, for *err and *warning */
    int (*check_authorities)(const char *key, const char *file, gm_error_t *err, gm_error_t *warning);
    /** Does the certificate in the file, which check_credential has passed, name a host? */
    bool (*has_names)(const char *cert_file);
    /** May a policy remove, set or add this field, of answers or of requests? */
    int (*check_field)(const char *name, bool is_answer, gm_error_t *err);
    /** Can lines show this field, of answers or of requests? */
    int (*check_shown)(const char *name, bool is_answer, gm_error_t *err);
    /** Is this a field's value, with facts that exist? */
    int (*check_value)(const char *value, gm_error_t *err);
    /** Is this an origin, or a pattern of some? */
    int (*check_origin)(const char *origin, gm_error_t *err);
} gm_checks_t;

/**
 * Checks across options, and brings routes into their final form (names given, hosts in lower case, prefixes
 * without a final slash). Silent about values that are already known to be bad.
 */
void gm_config_validate(gm_config_t *config, const gm_checks_t *checks, gm_diagnostics_t *diagnostics);

/* ---- for the parts below */

/** Whether an error was reported for a value already. */
bool gm_validate_is_bad(gm_config_t *config, const void *field);

/** Adds an error at a value, or at `otherwise` where the value is a default; NULL = of the file as a whole.
 */
void gm_validate_complain(gm_config_t *config, gm_diagnostics_t *diagnostics, const void *field,
                          const gm_place_t *otherwise, const char *text);

/** Does a connection to the host `to` arrive at a listener on `listen_host`, as far as no resolver is asked?
 */
bool gm_validate_leads_back(const char *to, const char *listen_host);

/** Whether only this machine reaches a listener there. */
bool gm_validate_is_loopback(const char *listen_host);

/** The part about the admin window, called by gm_config_validate. A default that is in the way is turned off.
 */
void gm_config_validate_admin(gm_config_t *config, gm_diagnostics_t *diagnostics);

/** The part about the export of spans, called by gm_config_validate. */
void gm_config_validate_tracing(gm_config_t *config, const gm_checks_t *checks,
                                gm_diagnostics_t *diagnostics);
/** The part about lines, called by gm_config_validate. */
void gm_config_validate_log(gm_config_t *config, const gm_checks_t *checks, gm_diagnostics_t *diagnostics);

/** The part about TLS, called by gm_config_validate. */
void gm_config_validate_tls(gm_config_t *config, const gm_checks_t *checks, gm_diagnostics_t *diagnostics);

/** The part about policies, called by gm_config_validate when routes have their final form. */
void gm_config_validate_policies(gm_config_t *config, const gm_checks_t *checks,
                                 gm_diagnostics_t *diagnostics);

#endif
