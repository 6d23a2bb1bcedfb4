/* places: how many connections the process serves, in all and per client */
#ifndef GM_SERVER_PLACES_H
#define GM_SERVER_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>

#include <h2o.h>

#include "base/memory.h"

typedef struct gm_places gm_places_t; /* owned by the server; all calls from any thread */

/** @param max_per_client  0 = no limit, and then nothing is counted per client */
GM_MUST_USE gm_places_t *gm_places_create(size_t max_open, size_t max_per_client);

/** All connections must be gone. Accepts NULL. */
void gm_places_destroy(gm_places_t *self);

/** The number of open connections: whoever serves one takes it off there when it goes. */
atomic_size_t *gm_places_open(gm_places_t *self);

/** Workers compete for the last places, so one is taken before it is known whether somebody comes. */
bool gm_places_take(gm_places_t *self);

/** The same beyond the limit. */
void gm_places_take_anyway(gm_places_t *self);

/** A place that was taken was not needed. */
void gm_places_give_back(gm_places_t *self);

/**
 * Whether the client of an accepted socket may have one more; if so, it is counted until the socket goes, by
 * means of the socket's on_close. Clients are told apart by their address, those of IPv6 by their /64.
 */
bool gm_places_admit(gm_places_t *self, h2o_socket_t *sock);

/** Nobody can be accepted for now. A line in the log, at most one a minute. @param error  errno */
void gm_places_say_out_of(gm_places_t *self, int error);

#endif
