/* response: what happens to an answer before its first byte leaves */
#ifndef GM_PROXY_RESPONSE_H
#define GM_PROXY_RESPONSE_H

#include "proxy/request.h"

/**
 * Called once per answer, when its head is complete. Drops the fields that were for us only; turns the
 * library's own error answers into ours, or asks for another try.
 * @param slot  where ostreams are put in
 * @return 0 = go on with the library's filters; 1 = this answer is not sent
 */
GM_MUST_USE int gm_response_begin(gm_request_t *request, h2o_ostream_t **slot);

#endif
