/* upload: waits for the whole of a request's body */
#ifndef GM_BACKEND_UPLOAD_H
#define GM_BACKEND_UPLOAD_H

#include <h2o.h>

#include "front/downstream.h"

/** Called when the body is complete, or will never be (`body->has_failed`). */
typedef void (*gm_upload_cb_t)(void *data, h2o_req_t *req, const gm_stream_t *body);

/**
 * Collects the body in memory and hands it over as req->entity, perhaps at once. Worker's thread.
 * @param body  of the request
 */
void gm_upload_collect(h2o_req_t *req, gm_stream_t *body, gm_upload_cb_t cb, void *data);

#endif
