/* listener: one worker's share of a listening port */
#ifndef GM_SERVER_LISTENER_H
#define GM_SERVER_LISTENER_H

#include <stdbool.h>

#include <h2o.h>

#include "base/error.h"
#include "front/front.h"
#include "server/places.h"

#define GM_LISTENER_MAX_ADDRESSES                                                                            \
    2                             /* IPv4 and IPv6 apart: a client then has one address, not a mapped one    \
                                   */
#define GM_LISTENER_MAX_SOCKETS 3 /* and a unix socket */

/** The sockets of one port. */
typedef struct gm_listener_sockets {
    int fds[GM_LISTENER_MAX_SOCKETS]; /* owned */
    size_t count;
} gm_listener_sockets_t;

/**
 * Opens a port with SO_REUSEPORT, so that each worker has queues of its own. An empty host means all
 * addresses of IPv4 and IPv6, as far as the machine has them. Main thread.
 * @param share   false only probes: SO_REUSEPORT alone would share a port silently with another process
 * @param in_use  set if another process has the port
 * @return 0, or -1 with *err filled
 */
GM_MUST_USE int gm_listener_open(const char *host, uint16_t port, bool share, gm_listener_sockets_t *sockets,
                                 bool *in_use, gm_error_t *err);
void gm_listener_close_sockets(gm_listener_sockets_t *sockets);

typedef struct gm_listener gm_listener_t; /* owned by its worker */

typedef struct gm_listener_options {
    h2o_context_t *context;
    gm_front_t *front;   /* borrowed: who serves those that are accepted */
    SSL_CTX *tls;        /* NULL = plain; borrowed */
    gm_places_t *places; /* of the whole process; borrowed */
    size_t crowd;        /* beyond so many, one that waits for its client has to go; 0 = none has to */
} gm_listener_options_t;

/** Accepts from now on. Takes the descriptor. Worker. */
GM_MUST_USE gm_listener_t *gm_listener_create(int fd, const gm_listener_options_t *options);

/**
 * To be called between two runs of the event loop: takes up accepting again where it was stopped for lack of
 * places or descriptors.
 * @return how long the loop may sleep
 */
int32_t gm_listener_tend(gm_listener_t *self, int32_t longest_ms);

/** Serves who is already in the queue, then closes it: no client that was let in is turned away. Worker. */
void gm_listener_close(gm_listener_t *self);

/** After gm_listener_close. Accepts NULL. */
void gm_listener_destroy(gm_listener_t *self);

#endif
