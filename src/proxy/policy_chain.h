/* policy_chain: policies one after the other, and what happens where one of them fails */
#ifndef GM_PROXY_POLICY_CHAIN_H
#define GM_PROXY_POLICY_CHAIN_H

#include "proxy/policy.h"

/* ---- making; main thread */

GM_MUST_USE gm_policy_chain_t *gm_policy_chain_create(void);
/** Accepts NULL. */
void gm_policy_chain_destroy(gm_policy_chain_t *self);

/**
 * Adds one at the end. Nothing is added to a chain that has requests.
 * @param policy  what its hooks get as `self`; borrowed for the chain's life
 */
void gm_policy_chain_add(gm_policy_chain_t *self, const gm_policy_ops_t *ops, const void *policy);

/** Whether nothing would be done for any request. */
bool gm_policy_chain_is_idle(const gm_policy_chain_t *self);

/** Whether some policy wants to know how requests end. */
bool gm_policy_chain_has_finish(const gm_policy_chain_t *self);

/* ---- running; the request's worker. All but the first only where request->policies is set */

/** A request's way through the chain begins: request->policies is made. Once per request. */
void gm_policy_chain_open(const gm_policy_chain_t *self, gm_request_t *request);

/**
 * Its way in. @return PASS; ANSWERED by a policy, and those behind it have not seen it; or FAILED with
 * request->policies->error filled, and it is the caller who answers
 */
gm_verdict_t gm_policy_chain_enter(gm_request_t *request);

/** A request is refused before it had a route: instead of gm_policy_chain_enter. */
void gm_policy_chain_see_refused(gm_request_t *request);

/**
 * The head of an answer goes out next. Called by gm_request_begin_answer.
 * @return -1 if a policy failed (request->policies->error) and a 500 is to go out instead
 */
GM_MUST_USE int gm_policy_chain_respond(gm_request_t *request);

/** The request is none that counts: gm_policy_chain_finish will tell nobody. */
void gm_policy_chain_forget(gm_request_t *request);

/** The request is over; its record is complete. */
void gm_policy_chain_finish(gm_request_t *request);

#endif
