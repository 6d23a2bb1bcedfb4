/* pool: one worker's connections to one cluster */
#ifndef GM_UPSTREAM_POOL_H
#define GM_UPSTREAM_POOL_H

#include "config/config.h"
#include "telemetry/metrics.h"
#include "upstream/cluster.h"
#include "upstream/connector.h"
#include "upstream/exchange.h"
#include "upstream/opening.h"
#include "upstream/turns.h"

typedef struct gm_pool gm_pool_t; /* owned by its worker's context, used by that worker only */

typedef struct gm_pool_options {
    const gm_connecting_t *connecting; /* borrowed; outlives the pool */
    SSL_CTX *tls;                      /* borrowed; NULL = plain */
    gm_protocol_t protocol;
    uint64_t idle_ms;            /* how long an idle connection is kept; an endpoint may ask for less */
    size_t max_idle;             /* how many are kept */
    size_t max_connections;      /* idle or not; 0 = no limit */
    gm_metrics_shard_t *metrics; /* borrowed; NULL = nobody counts */
    uint64_t patience_ms;        /* how long at most anybody waits for one of them */
    /* of HTTP/2: */
    h2o_timeout_t *soon; /* of the loop, zero; borrowed */
    size_t max_streams;  /* of one connection */
    uint64_t write_ms, ping_ms;
} gm_pool_options_t;

/** @param cluster  retained */
GM_MUST_USE gm_pool_t *gm_pool_create(gm_cluster_t *cluster, const gm_pool_options_t *options);

/** Closes what is idle; exchanges must be gone. Accepts NULL. */
void gm_pool_destroy(gm_pool_t *self);

/**
 * Whoever takes a connection of its own, or connects, has a turn first, and leaves it when the exchange was
 * given back or is gone. A connection that is shared takes the turn over from whoever opened it.
 */
gm_turns_t *gm_pool_turns(gm_pool_t *self);

/** Whether exchanges may share connections, as far as is known. */
bool gm_pool_expects_streams(const gm_pool_t *self);

/** Whether it makes connections of HTTP/1.1 for requests that need one. */
bool gm_pool_speaks_http1(const gm_pool_t *self);

/** A stream of a connection that is shared, and has room. It needs no turn. NULL = there is none */
GM_MUST_USE gm_exchange_t *gm_pool_take_stream(gm_pool_t *self, const gm_exchange_options_t *options);

/**
 * As that; otherwise the connection that was used last among those of which the event loop would know by now
 * if the endpoint had closed them, or had sent more than its answer. NULL = connect: see upstream/opening
 */
GM_MUST_USE gm_exchange_t *gm_pool_take(gm_pool_t *self, const gm_exchange_options_t *options);

/**
 * An exchange is over. Its connection is kept if it can serve another, and its address was not taken off the
 * cluster's list meanwhile.
 */
void gm_pool_give(gm_pool_t *self, gm_exchange_t *exchange);

/** How many connections are idle. */
size_t gm_pool_idle_count(const gm_pool_t *self);

/* ---- for upstream/opening */

gm_openings_t *gm_pool_openings(gm_pool_t *self);
size_t gm_pool_max_streams(const gm_pool_t *self);

/** Begins with the address that worked last. @param is_http1, record, cb, data  see gm_connector_start */
GM_MUST_USE gm_connector_t *gm_pool_connect(gm_pool_t *self, bool is_http1, gm_record_t *record,
                                            gm_connector_cb_t cb, void *data);

/**
 * Makes the first exchange of what a connector came back with; the pool prefers that address from now on.
 * @param turn  goes to the connection if others may share it
 * @return NULL with *failure and *detail (static) filled if it speaks another protocol than it should
 */
GM_MUST_USE gm_exchange_t *gm_pool_adopt(gm_pool_t *self, const gm_connected_t *connected,
                                         const gm_exchange_options_t *options, gm_turn_t *turn,
                                         gm_failure_t *failure, const char **detail);

#endif
