/* reply: answers that GoMesh makes itself */
#ifndef GM_PROXY_REPLY_H
#define GM_PROXY_REPLY_H

#include <h2o.h>

#include "telemetry/failure.h"

typedef struct gm_request gm_request_t;

/**
 * Answers a request that failed, and logs it under the same word. Ends the request's way.
 * @param detail  what exactly was wrong: addresses, the system's words. For the log, and for clients that may
 *                see it (proxy.error_details). May hold bytes of anybody's; copied
 */
void gm_reply_failure(gm_request_t *request, gm_failure_t failure, const char *detail);

/**
 * Puts status, fields and length of a failure's answer into a response that has not begun.
 * @param detail  as above; may be NULL
 * @return the body, in the request's pool
 */
h2o_iovec_t gm_reply_fill(const gm_request_t *request, gm_failure_t failure, const char *detail);

/**
 * Filter for pathconfs: turns errors of the library itself, for requests that never reached a handler, into
 * answers like ours.
 */
void gm_reply_register_filter(h2o_pathconf_t *pathconf);

/** An ostream that sends `body` instead of what comes, in the place of `slot`. @return where the next one
 * goes */
h2o_ostream_t **gm_reply_replace_body(h2o_req_t *req, h2o_ostream_t **slot, h2o_iovec_t body);

#endif
