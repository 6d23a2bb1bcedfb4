/* finish: the end of a request, where its record is completed and read */
#ifndef GM_PROXY_FINISH_H
#define GM_PROXY_FINISH_H

#include "proxy/request.h"

/** The record begins, with what the front end knows. */
void gm_finish_open(gm_request_t *request);

/** A connection is to be had, taken from the pool or made. An attempt before it, if any, has failed. */
void gm_finish_begin_attempt(gm_request_t *request);

/** The request goes out on this connection. */
void gm_finish_use_connection(gm_request_t *request, const gm_exchange_t *exchange);

/** The endpoint has answered. */
void gm_finish_note_answer(gm_request_t *request, int status);

/**
 * The attempt is over before the request is.
 * @param failure  gm_failure_t, or GM_NO_FAILURE
 */
void gm_finish_end_attempt(gm_request_t *request, int failure);

/** The request is none that is counted or logged. */
void gm_finish_forget(gm_request_t *request);

/** All that is known goes into the record, and the record to whoever wants it. The request's pool still is.
 */
void gm_finish(gm_request_t *request);

#endif
