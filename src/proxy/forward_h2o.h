/* forward_h2o: the engine that sends requests through the library's own proxy */
#ifndef GM_PROXY_FORWARD_H2O_H
#define GM_PROXY_FORWARD_H2O_H

#include "proxy/request.h"

/**
 * Registers the library's reverse proxy for one cluster, on a pathconf that no request lands on: the proxy's
 * handler is called by name. Main thread, before any context exists.
 */
GM_MUST_USE h2o_handler_t *gm_forward_h2o_register(h2o_pathconf_t *pathconf,
                                                   const gm_snapshot_cluster_t *cluster,
                                                   const gm_timeout_conf_t *timeout);

/** Sends a routed request on its way. It may be answered before this returns. */
void gm_forward_h2o_start(gm_request_t *request);

/**
 * After an error of the library's client, before anything was sent to the client: arranges another try if one
 * is allowed, and swallows the library's error answer.
 */
bool gm_forward_h2o_retry(gm_request_t *request, const char *message, h2o_ostream_t **slot);

/** Puts an ostream into an answer of the library's that nobody is to see. */
void gm_forward_h2o_swallow(gm_request_t *request, h2o_ostream_t **slot);

/**
 * Takes a request back, to answer it here.
 * @return false where the library's client holds it and will answer
 */
bool gm_forward_h2o_cancel(gm_request_t *request);

/** The failure that a sentence of the library's client stands for. */
gm_failure_t gm_forward_h2o_failure(const char *message);

#endif
