/* ports: the listening sockets of all workers, opened by the process that is to hold them */
#ifndef GM_SERVER_PORTS_H
#define GM_SERVER_PORTS_H

#include <stdbool.h>

#include "config/snapshot.h"
#include "server/listener.h"

/** What was wrong with a port; `key` says which key of the configuration chose it. */
typedef struct gm_port_error {
    bool in_use;
    uint16_t port;
    const char *key;         /* "proxy.listen_port"; NULL = not about a port */
    const gm_place_t *place; /* borrowed from the snapshot; NULL = a default */
    gm_error_t error;
} gm_port_error_t;

typedef struct gm_ports gm_ports_t; /* owned by whoever opened them; main thread */

/**
 * Opens a socket per worker, port and address family: each worker accepts from queues of its own. What cannot
 * be opened is told by gm_ports_check, so that a process made by fork() can report it in its turn.
 * @param snapshot  outlives the ports
 */
GM_MUST_USE gm_ports_t *gm_ports_open_proxy(const gm_snapshot_t *snapshot);

/**
 * The same for a single worker: the test backend, or the admin window.
 * @param host   "" = all addresses
 * @param key    of the option that chose it; outlives the ports, as does place
 * @param place  NULL = a default
 */
GM_MUST_USE gm_ports_t *gm_ports_open(const char *host, uint16_t port, const char *key,
                                      const gm_place_t *place);

/** @return 0, or -1 with *err filled if they could not be opened */
GM_MUST_USE int gm_ports_check(const gm_ports_t *self, gm_port_error_t *err);

/** How many workers there are sockets for; 0 where they could not be opened. */
unsigned gm_ports_worker_count(const gm_ports_t *self);

/** Hands the sockets of one worker over to the caller. */
void gm_ports_take(gm_ports_t *self, unsigned worker, gm_listener_sockets_t *plain,
                   gm_listener_sockets_t *tls);

/** Closes those that nobody has taken. */
void gm_ports_close(gm_ports_t *self);

/** Closes and frees. Accepts NULL. */
void gm_ports_destroy(gm_ports_t *self);

#endif
