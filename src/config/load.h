/* load: from a file to a snapshot */
#ifndef GM_CONFIG_LOAD_H
#define GM_CONFIG_LOAD_H

#include "config/diagnostics.h"
#include "config/expand.h"
#include "config/snapshot.h"
#include "config/validate.h"

typedef struct gm_load_context {
    gm_checks_t checks;
    gm_lookup_t lookup; /* of environment variables; NULL = getenv */
} gm_load_context_t;

/**
 * Reads, fills, validates and freezes. Errors and warnings are in *diagnostics either way.
 * @return NULL if there was an error
 */
GM_MUST_USE gm_snapshot_t *gm_load_file(const char *path, const gm_load_context_t *context,
                                        gm_diagnostics_t *diagnostics);

/** The same for a text. `name` stands in front of messages; relative file names stay as they are. */
GM_MUST_USE gm_snapshot_t *gm_load_text(const char *name, const char *text, size_t length,
                                        const gm_load_context_t *context, gm_diagnostics_t *diagnostics);

/**
 * Which file to load: the flag's, else $GOMESH_CONFIG, else the first that exists of config/proxy.yaml and
 * /etc/gomesh/proxy.yaml.
 * @param flag  NULL if the flag was not given
 * @return borrowed; NULL if there is none, and then the defaults hold
 */
const char *gm_load_find_file(const char *flag, gm_lookup_t lookup);

#endif
