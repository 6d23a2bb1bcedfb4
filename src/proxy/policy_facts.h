/* policy_facts: what policies may want to know about a request */
#ifndef GM_PROXY_POLICY_FACTS_H
#define GM_PROXY_POLICY_FACTS_H

#include "proxy/field_value.h"
#include "proxy/policy.h"

/** A fact as text, borrowed for the request's life; empty if there is none. @param request  a gm_request_t */
gm_span_t gm_policy_fact(void *request, gm_fact_t fact);

/**
 * The client's address: the connection's, or behind proxy.trusted_proxies the one that they name.
 * @return whether it is known; false also where a trusted proxy names something that is no address
 */
bool gm_policy_client_address(gm_request_t *request, struct sockaddr_storage *address);

/** All fields of a name are taken away. @param name  in lower case  @return how many */
size_t gm_policy_remove_fields(h2o_headers_t *headers, const char *name, size_t length);

#endif
