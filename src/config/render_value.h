/* render_value: what render_yaml and render_json know of a single row */
#ifndef GM_CONFIG_RENDER_VALUE_H
#define GM_CONFIG_RENDER_VALUE_H

#include "config/fields.h"

#define GM_RENDER_HIDDEN "[hidden]" /* in the place of a secret */

/** Whether there is nothing to show of a row: it has no value, and no default. */
bool gm_render_is_unset(const gm_field_t *field, const void *of);

/** The value as text; file names are absolute, as the dump may be saved anywhere. Not for sections and lists.
 */
void gm_render_value(const gm_field_t *field, const void *of, gm_buffer_t *out);

#endif
