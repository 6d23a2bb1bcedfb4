/* max_forwards: who is to answer OPTIONS and TRACE (RFC 9110, 7.6.2) */
#ifndef GM_PROXY_MAX_FORWARDS_H
#define GM_PROXY_MAX_FORWARDS_H

#include "proxy/request.h"

/** Counts down the request's Max-Forwards. @return whether it ends here, and was answered */
bool gm_max_forwards_is_over(gm_request_t *request);

#endif
