/* held_body: a request's body that is kept until it is whole, and can then be sent more than once */
#ifndef GM_PROXY_HELD_BODY_H
#define GM_PROXY_HELD_BODY_H

#include <stdatomic.h>

#include "front/stream.h"

/** What all held bodies of the process share. */
typedef struct gm_held_bodies {
    /* immutable */
    const char *folder; /* borrowed; for bodies above 1 MiB */
    uint64_t max_bytes;
    /* atomic */
    atomic_uint_fast64_t bytes; /* held now, or promised to a body whose length is known */
} gm_held_bodies_t;

typedef struct gm_held_body gm_held_body_t; /* in its request's pool; goes with it. Worker only */

GM_MUST_USE gm_held_body_t *gm_held_body_create(h2o_mem_pool_t *pool, gm_held_bodies_t *all);

/**
 * Takes what has come of the body. Writes to the disk's cache, and waits for the disk only if that is full.
 * @param failure, why  what to answer if it cannot be held; why is in the pool
 * @return 0, or -1
 */
GM_MUST_USE int gm_held_body_take(gm_held_body_t *self, gm_stream_t *from, gm_failure_t *failure,
                                  const char **why);

/** The whole body, with the trailers of `from`, which has ended. It can be rewound. */
gm_stream_t *gm_held_body_open(gm_held_body_t *self, const gm_stream_t *from);

#endif
