/* resolver: looks names up, away from the workers */
#ifndef GM_UPSTREAM_RESOLVER_H
#define GM_UPSTREAM_RESOLVER_H

#include "upstream/cluster.h"

typedef struct gm_resolver gm_resolver_t;

/**
 * Looks a name up, for as long as it takes.
 * @param items  room for GM_CLUSTER_MAX_ADDRESSES
 * @return how many there are; 0 = none, and *error says why
 */
typedef size_t (*gm_look_up_t)(void *data, const char *host, uint16_t port, gm_address_t *items,
                               gm_look_up_error_t *error);

typedef struct gm_resolver_options {
    uint64_t refresh_ms;  /* from one good answer to the next question */
    uint64_t retry_ms;    /* the same from a failure on */
    gm_look_up_t look_up; /* NULL = as the system does */
    void *data;           /* borrowed; outlives the threads, for which nobody waits */
} gm_resolver_options_t;

/**
 * Starts threads that look up the clusters that need it, each at once and then again and again. A failure
 * leaves the addresses as they are. Without such clusters there are none.
 * @param clusters  retained as long as needed
 */
GM_MUST_USE gm_resolver_t *gm_resolver_create(gm_cluster_t *const *clusters, size_t count,
                                              const gm_resolver_options_t *options);

/** Tells the threads to end and does not wait: a look-up that hangs must not hold up the exit. Accepts NULL.
 */
void gm_resolver_destroy(gm_resolver_t *self);

#endif
