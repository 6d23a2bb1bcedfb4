/* policy: what happens to requests on their way in, and to answers on their way out */
#ifndef GM_PROXY_POLICY_H
#define GM_PROXY_POLICY_H

#include "proxy/request.h"
#include "proxy/route.h"

typedef enum gm_verdict {
    GM_VERDICT_PASS,     /* the next policy, or the endpoint, is next */
    GM_VERDICT_ANSWERED, /* gm_policy_refuse or gm_policy_answer was called: the request's way ends here */
    GM_VERDICT_FAILED    /* *err is filled, and nothing changed: the request gets a 500, see on_failure */
} gm_verdict_t;

/**
 * One kind of policy, and what it does; any but `name` may be NULL. Nothing here may block. `self` is what
 * `create` made, or else the section of the configuration. `*own` is the policy's own pointer for one
 * request, NULL at first; what it points to comes from the request's pool. Kinds that `settle` have none.
 */
typedef struct gm_policy_ops {
    const char *name;  /* the key in the file: a row of config's gm_policy_section */
    bool is_guard;     /* it decides who may pass: where it fails nobody does, whatever on_failure says */
    bool sees_refused; /* on_request is called for what is refused before it has a route, too */
    /** Once, main thread. @param section  the row's struct, borrowed for the policy's life */
    void *(*create)(const void *section, const gm_snapshot_t *snapshot);
    void (*destroy)(void *self);
    /**
     * Instead of `create`, for a kind that is at the head of every chain, with or without an item in the
     * file. Once per chain, main thread.
     * @param for_all, of_route  the items' sections, borrowed as above; NULL = none. The latter has the last
     * word
     * @param self  NULL
     * @return whether this chain has it
     */
    bool (*settle)(gm_proxy_t *proxy, const void *for_all, const void *of_route, void **self);
    /** After the route is found, or no route was (request->route is NULL); before the endpoint is asked. */
    gm_verdict_t (*on_request)(const void *self, gm_request_t *request, void **own, gm_error_t *err);
    /** The head of the answer is complete in req->res and not yet sent; again if another is sent instead.
     * @return 0, or -1 with *err filled and nothing changed */
    int (*on_response)(const void *self, gm_request_t *request, void **own, gm_error_t *err);
    /** Another policy has failed. @return whether the request goes on as if that one were not there */
    bool (*on_failure)(const void *self, gm_request_t *request, const char *name, const gm_error_t *err);
    /** The request turns out to be none that counts; instead of on_finish. */
    void (*on_forget)(const void *self, gm_request_t *request, void **own);
    /** The request is over, however; its record is complete. */
    void (*on_finish)(const void *self, gm_request_t *request, void **own);
} gm_policy_ops_t;

extern const gm_policy_ops_t gm_policy_recovery, gm_policy_tracing, gm_policy_metrics, gm_policy_logging,
    gm_policy_access, gm_policy_headers, gm_policy_redirect, gm_policy_rewrite, gm_policy_cors;

/**
 * All policies of a proxy's snapshot. Immutable. @return NULL if no request would be seen by any
 * @param proxy  routes and metrics are there; logging adds to access_rules
 */
gm_policies_t *gm_policies_create(gm_proxy_t *proxy);
/** Accepts NULL. */
void gm_policies_destroy(gm_policies_t *self);

/** Whether some policy wants to know how requests end. Accepts NULL. */
bool gm_policies_have_finish(const gm_policies_t *self);

/** For a request that no route is looked for: answers pass those for all. Only where there are policies. */
void gm_policy_open(gm_request_t *request);

/**
 * Runs what the route has, or what is for all if there is none. Only where there are policies.
 * @return whether the request was answered
 */
bool gm_policy_run(gm_request_t *request, const gm_route_key_t *key);

/** Instead of that, for a request that is refused next. */
void gm_policy_see_refused(gm_request_t *request);

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
