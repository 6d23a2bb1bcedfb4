/* window: the admin window of a running proxy */
#ifndef GM_SERVER_WINDOW_H
#define GM_SERVER_WINDOW_H

#include <stdatomic.h>

#include "base/text.h"
#include "config/snapshot.h"
#include "server/server.h"

/** Zeroed by the caller; lives until the window's server is destroyed. */
typedef struct gm_window {
    gm_server_t *proxy;   /* borrowed */
    gm_server_t *server;  /* the window's, for gm_run or gm_server_destroy; NULL = there is none */
    gm_hostport_t at;     /* admin.listen */
    bool has_port;        /* beside, or instead of, a unix socket */
    gm_error_t warning;   /* why there is no port, although it is the default; empty otherwise */
    atomic_bool is_asked; /* to end the process */
} gm_window_t;

/**
 * Opens the window that the configuration wants, on a thread of its own. That the default port is taken is a
 * warning in the log. Main thread, after the proxy has started.
 * @param proxy   ends before the window does
 * @param source  name of the configuration's file, borrowed; NULL = none
 * @return 0, or -1 with *err filled
 */
GM_MUST_USE int gm_window_open(gm_window_t *self, gm_server_t *proxy, gm_snapshot_t *snapshot,
                               const char *source, gm_port_error_t *err);

/** The start lines about it. */
void gm_window_log_start(const gm_window_t *self, const gm_snapshot_t *snapshot);

#endif
