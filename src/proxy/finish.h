/* finish: the end of a request, where its record is completed and read */
#ifndef GM_PROXY_FINISH_H
#define GM_PROXY_FINISH_H

#include "proxy/request.h"

/** The record begins, with what the front end knows. */
void gm_finish_open(gm_request_t *request);

/** The request is to go out on this connection. */
void gm_finish_begin_attempt(gm_request_t *request, const gm_client_t *client);

/** The request is none that is counted or logged. */
void gm_finish_forget(gm_request_t *request);

/** All that is known goes into the record, and the record to whoever wants it. The request's pool still is.
 */
void gm_finish(gm_request_t *request);

#endif
