/* retry: may a request be sent a second time? */
#ifndef GM_PROXY_RETRY_H
#define GM_PROXY_RETRY_H

#include <stdbool.h>

#include <h2o.h>

/** Methods that may be executed twice (RFC 9110, 9.2.2). */
bool gm_retry_is_idempotent(const h2o_req_t *req);

/** Whether all of the request can be sent once more. The parameters are those below. */
bool gm_retry_has_all(bool has_taken_body, bool has_whole_body);

/**
 * After a connection turned out to be dead that had been idle, and not one byte of an answer came.
 * @param has_taken_body  some of the request's body was sent
 * @param has_whole_body  and all of it is still at hand
 */
bool gm_retry_is_allowed(const h2o_req_t *req, bool has_taken_body, bool has_whole_body);

#endif
