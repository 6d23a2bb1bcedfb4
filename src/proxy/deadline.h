/* deadline: request_timeout, for as long as a request has no answer */
#ifndef GM_PROXY_DEADLINE_H
#define GM_PROXY_DEADLINE_H

#include "proxy/request.h"

/**
 * Starts the clock of a request that has wholly arrived, if request_timeout is on. When the time is over
 * before the answer's head: 504 request_total_timeout, whatever the request was waiting for. (An answer that
 * has begun is cut by front/connection.)
 */
void gm_deadline_start(gm_request_t *request);

/** The request goes. */
void gm_deadline_stop(gm_request_t *request);

#endif
