/* request: the file on one request, from the first look at its head to the last byte of its answer */
#ifndef GM_PROXY_REQUEST_H
#define GM_PROXY_REQUEST_H

#include "proxy/proxy.h"
#include "telemetry/record.h"

/** One request in the hands of its policies: see proxy/policy_chain. */
typedef struct gm_policy_state {
    const gm_policy_chain_t *chain;  /* its route's, or that for all if it has none */
    void **slots, *first_slot;       /* in the request's pool, or the latter: the policies' own pointers */
    struct gm_policy_failed *failed; /* in the request's pool; NULL = none has */
    const char *error;               /* why one failed */
    h2o_iovec_t path; /* canonical, without query, as the client asked for it; empty = unknown */
    h2o_iovec_t host; /* what the endpoint sees as Host; base NULL = the client's */
    bool is_over;     /* whoever wanted to know of its end does */
} gm_policy_state_t;

typedef struct gm_grpc_call gm_grpc_call_t;

/** In the request's pool; goes with it. Worker only. */
typedef struct gm_request {
    h2o_req_t *req;
    gm_proxy_context_t *context;
    gm_connection_t *connection;      /* borrowed; may be NULL */
    const gm_snapshot_route_t *route; /* NULL until one matched */
    gm_cluster_t *cluster;            /* borrowed from the proxy; NULL until a route matched */
    gm_policy_state_t *policies;      /* below; NULL = none has to do with this request */
    void *forward;                    /* in the request's pool; NULL = it goes to no endpoint, or not by us */
    void (*end_forward)(void *forward); /* its part of the end */
    gm_connector_t *connector;          /* owned while connecting */
    h2o_timeout_entry_t retry;          /* linked while another try is due */
    h2o_req_overrides_t overrides;      /* the library keeps a pointer to it */
    unsigned tries;                     /* how often the library's client was asked */
    bool was_pooled;                    /* the last try began with an idle connection */
    size_t errors_seen;                 /* of req->error_logs */
    bool has_begun;                     /* the head of an answer is on its way */
    bool is_answered;                   /* engine "h2o": the same */
    bool is_failed;                     /* and it was made here */
    h2o_timeout_entry_t deadline;       /* request_timeout, if that is on */
    bool is_expired;                    /* and it is over: whatever else comes is not sent */
    gm_grpc_call_t *grpc;               /* in the request's pool; NULL = it is none of gRPC's */
    gm_record_t record;                 /* what the sinks are told in the end */
    h2o_iovec_t trace_id;               /* as text; NULL = tracing is off */
    gm_policy_state_t policy_state;
} gm_request_t;

/** Opens the file; the connection counts as busy until the request goes. */
gm_request_t *gm_request_open(h2o_req_t *req);

/** The file of a request, also after the library has passed it through its hands; NULL if it was never
 * opened. */
gm_request_t *gm_request_of(h2o_req_t *req);

/**
 * The head of an answer is complete and goes out now, whoever made it: the endpoint or GoMesh. Policies see
 * it here and may change it.
 * @return 0; -1 if a policy failed (request->policies->error): GM_FAILURE_INTERNAL is to be answered instead.
 * Never for an answer that is a failure's already (is_failed)
 */
GM_MUST_USE int gm_request_begin_answer(gm_request_t *self);

/**
 * For lines only: method and target as the client wrote them, also of a head that was refused, whose bytes
 * nobody has checked. Not for what looks at them in any way: names of metrics, backends, rules.
 * @return false if they are none but the request's own
 */
bool gm_request_find_asked(const gm_request_t *self, gm_record_text_t *method, gm_record_text_t *target);

/**
 * Why a request failed, for the log, and for the record if it is the first that is said. Any failure before
 * routing has no cluster and is the client's.
 */
void gm_request_fail(gm_request_t *self, gm_failure_t failure, const char *detail);

/** The client left: nobody's mistake, so a line at level info. */
void gm_request_leave(gm_request_t *self, const char *detail);

#endif
