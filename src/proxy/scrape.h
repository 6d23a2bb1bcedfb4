/* scrape: the page of metrics on the proxy's own ports */
#ifndef GM_PROXY_SCRAPE_H
#define GM_PROXY_SCRAPE_H

#include "proxy/request.h"
#include "proxy/route.h"

/** Whether the request is for the page; if so, it is answered, and neither counted nor logged. */
bool gm_scrape_answers(gm_request_t *request, const gm_route_key_t *key);

#endif
