/* resolver: looks names up, away from the workers */
#ifndef GM_UPSTREAM_RESOLVER_H
#define GM_UPSTREAM_RESOLVER_H

#include "upstream/cluster.h"

typedef struct gm_resolver gm_resolver_t;

/**
 * Starts a thread that looks up the clusters that need it: at once, again every 30 s, and every second while
 * a name cannot be resolved. Without such clusters there is no thread.
 * @param clusters  retained as long as needed
 */
GM_MUST_USE gm_resolver_t *gm_resolver_create(gm_cluster_t *const *clusters, size_t count);

/** Tells the thread to end and does not wait: a look-up that hangs must not hold up the exit. Accepts NULL.
 */
void gm_resolver_destroy(gm_resolver_t *self);

#endif
