/* admin: a window for operators into the running proxy, as pages of a small HTTP server */
#ifndef GM_ADMIN_ADMIN_H
#define GM_ADMIN_ADMIN_H

#include <h2o.h>

#include "admin/page.h"

/**
 * Puts the window's one handler on a pathconf that covers "/", of a front end of ours. Main thread, before
 * any context exists; the handler goes with the globalconf.
 * @param options  copied
 */
void gm_admin_register(h2o_pathconf_t *pathconf, const gm_admin_options_t *options);

#endif
