/* pool: one worker's idle connections to one cluster */
#ifndef GM_UPSTREAM_POOL_H
#define GM_UPSTREAM_POOL_H

#include "upstream/client.h"
#include "upstream/cluster.h"

typedef struct gm_pool gm_pool_t; /* owned by its worker's context, used by that worker only */

/**
 * @param cluster   retained
 * @param idle_ms   how long an idle connection is kept; an endpoint may ask for less
 * @param max_idle  how many are kept
 */
GM_MUST_USE gm_pool_t *gm_pool_create(gm_cluster_t *cluster, uint64_t idle_ms, size_t max_idle);

/** Closes what is idle. Accepts NULL. */
void gm_pool_destroy(gm_pool_t *self);

/** The connection that was used last, now the caller's; NULL = connect. */
gm_client_t *gm_pool_take(gm_pool_t *self);

/** Takes a client back whose exchange is over, and keeps it if it can serve another. */
void gm_pool_give(gm_pool_t *self, gm_client_t *client);

/** The index of the address to begin with when connecting: the one that worked last. */
size_t gm_pool_preferred_address(const gm_pool_t *self);
void gm_pool_prefer_address(gm_pool_t *self, size_t index);

#endif
