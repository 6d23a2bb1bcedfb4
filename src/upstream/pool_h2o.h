/* pool_h2o: one worker's idle connections to one cluster */
#ifndef GM_UPSTREAM_POOL_H2O_H
#define GM_UPSTREAM_POOL_H2O_H

#include <h2o.h>
#include <h2o/socketpool.h>

#include "upstream/connector.h"

typedef struct gm_pool_h2o gm_pool_h2o_t; /* owned by its worker's context, used by that worker only */

/** @param idle_ms  how long an idle connection is kept */
GM_MUST_USE gm_pool_h2o_t *gm_pool_h2o_create(h2o_loop_t *loop, gm_cluster_t *cluster, uint64_t idle_ms);

/** No connection may be in use any more. Accepts NULL. */
void gm_pool_h2o_destroy(gm_pool_h2o_t *self);

/**
 * The library's pool for the address that worked last, if it seems to hold an idle connection; NULL = connect
 * first, and hand the connection in by gm_pool_h2o_put.
 */
h2o_socketpool_t *gm_pool_h2o_take(gm_pool_h2o_t *self);

/** Puts a fresh connection in, so that the library's client finds it in the pool that is returned. */
h2o_socketpool_t *gm_pool_h2o_put(gm_pool_h2o_t *self, const gm_connected_t *connected);

/** The index to begin with when connecting. */
size_t gm_pool_h2o_preferred_address(const gm_pool_h2o_t *self);

#endif
