/* policy: what happens to requests on their way in, and to answers on their way out */
#ifndef GM_PROXY_POLICY_H
#define GM_PROXY_POLICY_H

#include "proxy/request.h"
#include "proxy/route.h"

typedef enum gm_verdict {
    GM_VERDICT_PASS,     /* the next policy, or the endpoint, is next */
    GM_VERDICT_ANSWERED, /* gm_policy_refuse or gm_policy_answer was called: the request's way ends here */
    GM_VERDICT_FAILED    /* *err is filled: the request gets a 500 */
} gm_verdict_t;

/**
 * One kind of policy, and what it does; any but `name` may be NULL. Nothing here may block. `self` is what
 * `create` made, or else the section of the configuration. `*own` is the policy's own pointer for one
 * request, NULL at first; what it points to comes from the request's pool.
 */
typedef struct gm_policy_ops {
    const char *name; /* the key in the file: a row of config's gm_policy_section */
    /** Once, main thread. @param section  the row's struct, borrowed for the policy's life */
    void *(*create)(const void *section, const gm_snapshot_t *snapshot);
    void (*destroy)(void *self);
    /** After the route is found, or no route was (request->route is NULL); before the endpoint is asked. */
    gm_verdict_t (*on_request)(const void *self, gm_request_t *request, void **own, gm_error_t *err);
    /** The head of the answer is complete in req->res and not yet sent. @return 0, or -1 with *err filled */
    int (*on_response)(const void *self, gm_request_t *request, void **own, gm_error_t *err);
    /** The request is over, however; its record is complete, where records are kept. */
    void (*on_finish)(const void *self, gm_request_t *request, void **own);
} gm_policy_ops_t;

extern const gm_policy_ops_t gm_policy_access, gm_policy_headers, gm_policy_redirect, gm_policy_rewrite,
    gm_policy_cors;

/** One request's file in the hands of its policies. In the request's pool. */
typedef struct gm_policy_state {
    const gm_policy_chain_t *chain; /* those for all, until a route is found; then its own too */
    struct gm_policy_slot *slots;   /* one per policy */
    h2o_iovec_t path;  /* canonical, without query, as the client asked for it; empty = unknown */
    h2o_iovec_t host;  /* what the endpoint sees as Host; base NULL = the client's */
    const char *error; /* why one failed */
} gm_policy_state_t;

/** All policies of a snapshot. Immutable. @return NULL if there are none */
gm_policies_t *gm_policies_create(const gm_snapshot_t *snapshot);
/** Accepts NULL. */
void gm_policies_destroy(gm_policies_t *self);

/** For a request that has just come in, where there are policies at all: answers pass those for all. */
void gm_policy_open(gm_request_t *request);

/**
 * Runs what the route has, or what is for all if there is none. Only where request->policies is set.
 * @return whether the request was answered
 */
bool gm_policy_run(gm_request_t *request, const gm_route_key_t *key);

/**
 * The head of an answer goes out next. Only where request->policies is set; called by
 * gm_request_begin_answer. @return -1 if a policy failed and a 500 is to go out instead
 */
GM_MUST_USE int gm_policy_respond(gm_request_t *request);

/** Only where request->policies is set. */
void gm_policy_finish(gm_request_t *request);

/** A policy's failure answer: the endpoint, which nobody has asked, has no part in it. */
void gm_policy_refuse(gm_request_t *request, gm_failure_t failure, const char *detail);

/** An answer of a policy's own, without a body: status and fields are in req->res. */
void gm_policy_answer(gm_request_t *request);

/** What Host says to the endpoint. */
static inline h2o_iovec_t gm_policy_host(const gm_request_t *request)
{
    return request->policies != NULL && request->policies->host.base != NULL ? request->policies->host
                                                                             : request->req->authority;
}

#endif
