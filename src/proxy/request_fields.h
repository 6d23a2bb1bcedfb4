/* request_fields: the header that the backend gets */
#ifndef GM_PROXY_REQUEST_FIELDS_H
#define GM_PROXY_REQUEST_FIELDS_H

#include <stdbool.h>

#include <h2o.h>

/** Drops what was for this connection only and what could pass for our own fields. */
void gm_request_fields_drop(h2o_req_t *req);

/** Adds X-Forwarded-Host and X-Forwarded-By. X-Forwarded-For and -Proto are the library's part. */
void gm_request_fields_add(h2o_req_t *req);

/** Whether the client wants its connection kept: the library takes any Connection field without "keep-alive"
 * as no. */
bool gm_request_fields_keep_alive(const h2o_req_t *req);

#endif
