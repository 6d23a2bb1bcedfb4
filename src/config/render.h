/* render: the option rows as a YAML dump, a JSON schema and a reference page */
#ifndef GM_CONFIG_RENDER_H
#define GM_CONFIG_RENDER_H

#include "base/buffer.h"
#include "base/json_writer.h"
#include "config/config.h"

/**
 * The effective configuration, defaults filled in; loading it again gives the same settings.
 * @param hides_secrets  leave out what not everybody who may look inside may know
 */
void gm_render_yaml(const gm_config_t *config, bool hides_secrets, gm_buffer_t *out);

/** The same as one JSON object, without secrets. */
void gm_render_json(const gm_config_t *config, gm_json_t *json);

/** JSON Schema (draft 07) of a configuration file, for editors. */
void gm_render_json_schema(gm_buffer_t *out);

/** The reference page, in Markdown. */
void gm_render_reference(gm_buffer_t *out);

#endif
