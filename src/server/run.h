/* run: the main thread's life while servers serve */
#ifndef GM_SERVER_RUN_H
#define GM_SERVER_RUN_H

#include "server/server.h"

/** Sets up signals. Before any thread is started, so that all inherit it. */
void gm_run_prepare(void);

/**
 * Waits for SIGINT, SIGTERM or SIGHUP, then lets the servers end one after the other: what is in flight may
 * take up to the timeout; a second signal ends all at once. Destroys the servers.
 */
void gm_run(gm_server_t *const *servers, size_t count, uint64_t shutdown_timeout_ms);

#endif
