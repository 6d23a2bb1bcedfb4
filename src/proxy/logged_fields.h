/* logged_fields: the header fields whose values access lines show */
#ifndef GM_PROXY_LOGGED_FIELDS_H
#define GM_PROXY_LOGGED_FIELDS_H

#include "proxy/request.h"

/** @return owned, immutable, for all workers; NULL = lines show none, or there are no lines */
gm_logged_fields_t *gm_logged_fields_create(const gm_access_conf_t *conf);
/** Accepts NULL. */
void gm_logged_fields_destroy(gm_logged_fields_t *self);

/**
 * Notes the request's in its record. For proxies that have some; before anybody changes the fields. What is
 * noted points into the request's pool; secrets are replaced here, so the record never has them.
 */
void gm_logged_fields_take_request(gm_request_t *request);

/** The same of the answer, whose head has gone out. */
void gm_logged_fields_take_response(gm_request_t *request);

#endif
