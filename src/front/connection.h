/* connection: watches clients of the library's HTTP/1 server for lack of progress */
#ifndef GM_FRONT_CONNECTION_H
#define GM_FRONT_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>

#include <h2o.h>

#include "base/memory.h"

typedef struct gm_connection gm_connection_t;   /* one client; goes with its socket */
typedef struct gm_connections gm_connections_t; /* all of one worker */

/** "No progress for this long", except `request_ms`, which is a total; 0 = off there. */
typedef struct gm_connection_timeouts {
    uint64_t read_ms, write_ms, idle_ms, request_ms;
} gm_connection_timeouts_t;

/** @param open  how many connections the whole process serves */
GM_MUST_USE gm_connections_t *
gm_connections_create(h2o_loop_t *loop, const gm_connection_timeouts_t *timeouts, atomic_size_t *open);

/** All connections must be gone. Accepts NULL. */
void gm_connections_destroy(gm_connections_t *self);

/**
 * Watches an accepted socket from now on; it has been counted in `open`, and is taken off there when it goes.
 * Takes the socket's on_close, and calls the one that it finds there. Before h2o_accept.
 */
void gm_connections_add(gm_connections_t *self, h2o_socket_t *sock, bool is_tls);

size_t gm_connections_count(const gm_connections_t *self);

/** From now on, connections without a request are closed as soon as they are idle for a moment. */
void gm_connections_drain(gm_connections_t *self);

/** How many have a request in flight, or on its way in. */
size_t gm_connections_in_flight(const gm_connections_t *self);

/** Ends all connections now. @return how many had a request in flight, or on its way in */
size_t gm_connections_cut(gm_connections_t *self);

/** The watch of a request's connection; NULL if it has none. */
gm_connection_t *gm_connection_of(h2o_req_t *req);

/** Brackets the time between a whole request and the end of its answer. Both accept NULL. */
void gm_connection_begin_request(gm_connection_t *self);
void gm_connection_end_request(gm_connection_t *self);

/** The answer's head is on its way: from now on only cutting the connection ends the request early. Accepts
 * NULL. */
void gm_connection_begin_answer(gm_connection_t *self);

#endif
