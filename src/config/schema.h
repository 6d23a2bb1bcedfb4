/* schema: the rows, one per option */
#ifndef GM_CONFIG_SCHEMA_H
#define GM_CONFIG_SCHEMA_H

#include "config/fields.h"

/** The whole file. */
extern const gm_section_t gm_config_section;

/** One item of `policies`: a row for each kind. */
extern const gm_section_t gm_policy_section;

/** What redirect.status may be; NULL-terminated. */
extern const char *const gm_redirect_statuses[];

#endif
