/* trace: the trace a request belongs to, taken from its fields and told to both sides */
#ifndef GM_PROXY_TRACE_H
#define GM_PROXY_TRACE_H

#include "proxy/request.h"

/**
 * Takes traceparent, tracestate and X-Trace-ID off the request, as far as they are valid, and puts ours in
 * their place, for whoever the request goes to. To be called once, before it is forwarded.
 */
void gm_trace_begin(gm_request_t *request);

/**
 * The request is to go out once more, or for the first time: the endpoint's parent is a span of this attempt.
 * The head for the endpoint is to be made anew, but for the first time. Only where record.spans is set.
 */
void gm_trace_begin_attempt(gm_request_t *request);

/** Puts X-Trace-ID into the head of an answer that is about to go out, in the place of any other. */
void gm_trace_answer(gm_request_t *request);

#endif
