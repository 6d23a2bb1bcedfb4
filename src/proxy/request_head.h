/* request_head: the head of a request as the endpoint gets it */
#ifndef GM_PROXY_REQUEST_HEAD_H
#define GM_PROXY_REQUEST_HEAD_H

#include "front/downstream.h"

/** How the body is framed towards the endpoint. */
typedef struct gm_request_framing {
    bool is_chunked;
    uint64_t content_length; /* if not chunked; GM_HEAD_NO_LENGTH = no body and no field that says so */
    gm_span_t upgrade; /* the protocol that the client wants to switch to, if the endpoint may be asked */
} gm_request_framing_t;

/**
 * Writes method, canonical path, Host and the fields that may be passed on, with X-Forwarded-For, -Proto,
 * -Host and -By.
 * What a trusted proxy (downstream->is_trusted) says about its own client is kept and added to.
 * @param host  what Host says; X-Forwarded-Host has what the client wrote
 * @return in the request's pool
 */
h2o_iovec_t gm_request_head_make(h2o_req_t *req, h2o_iovec_t host, const gm_downstream_t *downstream,
                                 const gm_request_framing_t *framing);

#endif
