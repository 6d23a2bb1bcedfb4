/* front: where accepted sockets go, whichever engine serves them */
#ifndef GM_FRONT_FRONT_H
#define GM_FRONT_FRONT_H

#include "config/config.h"
#include "front/connection.h"
#include "front/h2.h"
#include "front/http1.h"

typedef struct gm_front gm_front_t; /* one per worker; owned by it */

/**
 * Clients are served by our own front ends.
 * @param options  but for h2, which is filled in here
 * @param http2    copied; NULL = they speak HTTP/1 only
 */
GM_MUST_USE gm_front_t *gm_front_create(const gm_http1_options_t *options, const gm_http2_conf_t *http2);

/** Clients are served by the library's HTTP/1 server, under a watch. @param open  as in gm_http1_options_t */
GM_MUST_USE gm_front_t *gm_front_create_library(h2o_context_t *context,
                                                const gm_connection_timeouts_t *timeouts,
                                                atomic_size_t *open);

/** All connections must be gone. Accepts NULL. */
void gm_front_destroy(gm_front_t *self);

/** Takes an accepted socket, which was counted in `open`. @param tls  NULL = plain; borrowed */
void gm_front_accept(gm_front_t *self, h2o_socket_t *sock, SSL_CTX *tls);

/**
 * Closes the connection that has waited for its client for longest, but not the newest one; if there is any,
 * and the front end is our own.
 */
void gm_front_make_room(gm_front_t *self);

size_t gm_front_count(const gm_front_t *self);
void gm_front_drain(gm_front_t *self);
size_t gm_front_in_flight(const gm_front_t *self);

/** The time for draining is over. @return how many requests were in flight; they may have got an answer */
size_t gm_front_expire(gm_front_t *self);

/** Ends all connections now. */
void gm_front_cut(gm_front_t *self);

/** For a thread that dies, a gm_crash_witness_t: which requests it has. @param self  a gm_front_t */
void gm_front_report(void *self, gm_crash_report_t *report);

#endif
