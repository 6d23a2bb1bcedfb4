/* handler: where a request enters the proxy */
#ifndef GM_PROXY_HANDLER_H
#define GM_PROXY_HANDLER_H

#include "proxy/path_plan.h"
#include "proxy/proxy.h"

/**
 * Puts the proxy on a pathconf. Main thread, before any context exists.
 * @param plan  what can match here; copied
 */
void gm_handler_register(h2o_pathconf_t *pathconf, const gm_planned_path_t *plan);

#endif
