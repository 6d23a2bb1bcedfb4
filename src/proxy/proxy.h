/* proxy: what all requests of one generation share */
#ifndef GM_PROXY_PROXY_H
#define GM_PROXY_PROXY_H

#include <h2o.h>

#include "base/random.h"
#include "config/snapshot.h"
#include "front/connection.h"
#include "net/alarm.h"
#include "net/watch.h"
#include "proxy/held_body.h"
#include "telemetry/access_log.h"
#include "telemetry/metrics.h"
#include "telemetry/ring.h"
#include "telemetry/span_queue.h"
#include "upstream/connector.h"
#include "upstream/pool.h"
#include "upstream/pool_h2o.h"

typedef struct gm_logged_fields gm_logged_fields_t;
typedef struct gm_policies gm_policies_t;
typedef struct gm_policy_chain gm_policy_chain_t;

/** Immutable while requests run, but for `held`; owned by the generation, shared by all workers. */
typedef struct gm_proxy {
    gm_snapshot_t *snapshot;           /* shared */
    const gm_snapshot_route_t *routes; /* borrowed from the snapshot, in matching order */
    size_t route_count;
    bool has_hosts;          /* some route looks at the host */
    gm_cluster_t **clusters; /* owned array of shared ones, in the snapshot's order */
    SSL_CTX **tls;           /* owned array of owned ones, in the same order; NULL = plain */
    size_t cluster_count;
    gm_policies_t *policies;        /* owned; NULL = there are none */
    gm_held_bodies_t held;          /* request_buffering */
    gm_log_stream_t *access_stream; /* owned; NULL = access lines go to the process log */
    gm_logged_fields_t *shown;      /* owned; NULL = access lines show no fields */
    gm_metrics_t *metrics;          /* owned; NULL = nobody can read them */
    gm_span_queue_t *spans;         /* owned; NULL = nobody wants them */
    const char **names;             /* owned array, for the metrics: of routes, then of clusters */
    atomic_size_t shards;           /* that workers have taken */
    h2o_handler_t **forwarders;     /* owned array; each goes with the globalconf; one per cluster */
    bool has_window;                /* somebody may look inside, and change the log's level */
    bool keeps_records;             /* of requests */

    GM_VECTOR(gm_access_log_rule_t) access_rules; /* of the policies that log; none = no lines */
} gm_proxy_t;

/** One worker's part of it; its h2o_context_t is the one that the library hands round. */
typedef struct gm_proxy_context {
    h2o_context_t super;
    gm_proxy_t *proxy;         /* borrowed from the generation */
    gm_watches_t *watches;     /* owned */
    gm_alarms_t *alarms;       /* owned; NULL until one is needed: the loop looks at them in each round */
    gm_pool_t **pools;         /* owned, one per cluster; engine "gomesh" */
    gm_pool_h2o_t **pools_h2o; /* owned, one per cluster; engine "h2o" */
    gm_connecting_t connecting;
    gm_access_log_t *access_log; /* owned; NULL = off */
    gm_metrics_shard_t *metrics; /* borrowed from the proxy; NULL = nobody can read them */
    gm_ring_t *ring;             /* owned; NULL = nobody can look inside */
    gm_random_t random;
    uint32_t sample; /* in millionths: of traces that begin here, those that are exported */
    h2o_timeout_t poll_interval, request_timeout;
} gm_proxy_context_t;

/**
 * @param snapshot      retained
 * @param worker_count  as many contexts will be made at most
 * @return NULL with *err filled if a file cannot be used: a backend's for TLS, or a log
 */
GM_MUST_USE gm_proxy_t *gm_proxy_create(gm_snapshot_t *snapshot, size_t worker_count, gm_error_t *err);
/** Accepts NULL. All contexts must be gone. */
void gm_proxy_destroy(gm_proxy_t *self);

/** Which engine serves: our own, or the library's. */
static inline bool gm_proxy_is_ours(const gm_proxy_t *self)
{
    return gm_snapshot_config(self->snapshot)->proxy.engine == GM_ENGINE_GOMESH;
}

/** How many serving processes have died before this one, for the metrics. */
void gm_proxy_set_crashes(gm_proxy_t *self, unsigned crashes);

/** The page for Prometheus. Any thread. */
void gm_proxy_render_metrics(gm_proxy_t *self, gm_buffer_t *out);

/** Whether anybody wants to know what this worker's requests are like. */
static inline bool gm_proxy_keeps_records(const gm_proxy_context_t *context)
{
    return context->proxy->keeps_records;
}

/** The engine "h2o" holds bodies in memory, so without a limit it has one. */
static inline uint64_t gm_proxy_max_body(const gm_limits_conf_t *limits)
{
    return limits->max_request_body_bytes != 0 ? limits->max_request_body_bytes : (uint64_t)128 << 20;
}

/** Makes a worker's context on its loop. Both on the worker's thread. */
GM_MUST_USE gm_proxy_context_t *gm_proxy_context_create(gm_proxy_t *proxy, h2o_loop_t *loop,
                                                        h2o_globalconf_t *globalconf);
/** All connections must be gone. Accepts NULL. */
void gm_proxy_context_destroy(gm_proxy_context_t *self);

static inline gm_proxy_context_t *gm_proxy_context_of(h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(gm_proxy_context_t, super, req->conn->ctx);
}

#endif
