/* pool: one worker's idle connections to one cluster */
#ifndef GM_UPSTREAM_POOL_H
#define GM_UPSTREAM_POOL_H

#include "telemetry/metrics.h"
#include "upstream/client.h"
#include "upstream/cluster.h"
#include "upstream/connector.h"
#include "upstream/turns.h"

typedef struct gm_pool gm_pool_t; /* owned by its worker's context, used by that worker only */

typedef struct gm_pool_options {
    gm_watches_t *watches;       /* borrowed */
    uint64_t idle_ms;            /* how long an idle connection is kept; an endpoint may ask for less */
    size_t max_idle;             /* how many are kept */
    size_t max_connections;      /* idle or not; 0 = no limit */
    gm_metrics_shard_t *metrics; /* borrowed; NULL = nobody counts */
    uint64_t patience_ms;        /* how long at most anybody waits for one of them */
} gm_pool_options_t;

/** @param cluster  retained */
GM_MUST_USE gm_pool_t *gm_pool_create(gm_cluster_t *cluster, const gm_pool_options_t *options);

/** Closes what is idle. Accepts NULL. */
void gm_pool_destroy(gm_pool_t *self);

/**
 * Whoever takes a connection, or connects where none is idle, has a turn first, and leaves it when the
 * connection was given back or is gone.
 */
gm_turns_t *gm_pool_turns(gm_pool_t *self);

/**
 * The connection that was used last among those of which the event loop would know by now if the endpoint had
 * closed them, or had sent more than its answer; now the caller's. NULL = connect.
 * @param must_be_open  ask the kernel as well, if it was idle for a while: for what must not be sent in vain
 */
gm_client_t *gm_pool_take(gm_pool_t *self, bool must_be_open);

/** Makes a client of what a connector came back with; the pool prefers that address from now on. */
GM_MUST_USE gm_client_t *gm_pool_adopt(gm_pool_t *self, const gm_connected_t *connected);

/**
 * Takes a client back whose exchange is over, and keeps it if it can serve another, and its address was not
 * taken off the cluster's list meanwhile.
 */
void gm_pool_give(gm_pool_t *self, gm_client_t *client);

/** How many connections are idle. */
size_t gm_pool_idle_count(const gm_pool_t *self);

/** The index of the address to begin with when connecting: the one that worked last. */
size_t gm_pool_preferred_address(const gm_pool_t *self);

#endif
