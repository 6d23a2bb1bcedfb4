/* run: the main thread's life while servers serve */
#ifndef GM_SERVER_RUN_H
#define GM_SERVER_RUN_H

#include "server/server.h"
#include "server/supervise.h"

/** Sets up signals. Before any thread is started, so that all inherit it. */
void gm_run_prepare(void);

/** What gm_run wants. Before the first server starts: later, clients may have taken the last descriptor. */
GM_MUST_USE int gm_run_open(void);

/** The same for a process that also waits for another signal. @param another  blocked; 0 = none */
GM_MUST_USE int gm_run_open_with(int another);

/**
 * As SIGTERM, but a first signal that comes after it is not taken for a second wish: whoever asks by way of
 * the admin window (a container's preStop hook, say) often sends one, too. Any thread.
 */
void gm_run_end(void);

/**
 * Waits for SIGINT, SIGTERM or SIGHUP, then lets the servers end one after the other: what is in flight may
 * take up to the timeout; a second signal ends all at once. Destroys the servers.
 * @param signals     of gm_run_open; taken
 * @param supervised  who is told when the servers are ready and when they end
 */
void gm_run(int signals, gm_server_t *const *servers, size_t count, uint64_t shutdown_timeout_ms,
            const gm_supervised_t *supervised);

#endif
