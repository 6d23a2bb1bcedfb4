/* schema: the rows, one per option */
#ifndef GM_CONFIG_SCHEMA_H
#define GM_CONFIG_SCHEMA_H

#include "config/fields.h"

/** The whole file. */
extern const gm_section_t gm_config_section;

#endif
