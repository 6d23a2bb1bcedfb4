/* inspect: the commands that look at another gomesh through its admin window */
#ifndef GM_SERVER_INSPECT_H
#define GM_SERVER_INSPECT_H

#include <stdbool.h>

#include "config/config.h"

/** Where the window of a proxy with that configuration is; to be freed. NULL = it has none. */
GM_MUST_USE char *gm_inspect_address(const gm_admin_conf_t *conf);

/**
 * Asks /healthz, or /readyz. Prints one line.
 * @param address  "host:port" or "unix:/path"
 * @return the exit code: 0 = yes; 1 = no, or there is no answer
 */
int gm_inspect_healthcheck(const char *address, bool is_ready);

/** Prints what the window says of itself, for people. @return likewise */
int gm_inspect_status(const char *address);

#endif
