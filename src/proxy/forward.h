/* forward: the engine of our own, which streams a request to an endpoint and its answer back */
#ifndef GM_PROXY_FORWARD_H
#define GM_PROXY_FORWARD_H

#include "proxy/request.h"

/** Sends a routed request, which came through a front end of ours, on its way. */
void gm_forward_start(gm_request_t *request);

#endif
