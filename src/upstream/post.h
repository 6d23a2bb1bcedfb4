/* post: one request of GoMesh's own to a cluster, whose answer is of interest for its status only */
#ifndef GM_UPSTREAM_POST_H
#define GM_UPSTREAM_POST_H

#include "upstream/pool.h"

typedef struct gm_post gm_post_t; /* one request; goes by itself */

typedef struct gm_post_result {
    int status;             /* 0 = there was no answer */
    uint64_t retry_after_s; /* what the answer asks for; 0 = nothing */
    gm_failure_t failure;   /* why there was none */
    const char *detail;     /* of the failure; valid during the call */
} gm_post_result_t;

/** Called once, never from within gm_post_start; the post is gone afterwards. */
typedef void (*gm_post_cb_t)(void *data, const gm_post_result_t *result);

/** All borrowed; they outlive the post. */
typedef struct gm_post_options {
    gm_pool_t *pool; /* of the cluster; HTTP/1.1 */
    gm_watches_t *watches;
    uint64_t timeout_ms; /* for all of it */
} gm_post_options_t;

/**
 * Sends a request, on an idle connection or a new one; once more where an idle one turns out to be dead.
 * @param head  whole, with the empty line
 * @param body  both borrowed until the callback, or gm_post_cancel
 */
GM_MUST_USE gm_post_t *gm_post_start(const gm_post_options_t *options, h2o_iovec_t head, h2o_iovec_t body,
                                     gm_post_cb_t cb, void *data);

/** Gives up; the callback is not called. */
void gm_post_cancel(gm_post_t *self);

#endif
