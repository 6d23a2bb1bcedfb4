/* generation: one configuration in the form the library wants it */
#ifndef GM_SERVER_GENERATION_H
#define GM_SERVER_GENERATION_H

#include <h2o.h>

#include "admin/admin.h"
#include "backend/backend.h"
#include "front/front.h"
#include "proxy/proxy.h"
#include "upstream/resolver.h"

typedef struct gm_generation {
    h2o_globalconf_t globalconf;
    gm_proxy_t *proxy;       /* owned; NULL = the test backend, or the admin window */
    gm_resolver_t *resolver; /* owned; NULL likewise */
    bool is_admin;
} gm_generation_t;

/**
 * Translates a snapshot into hostconfs, pathconfs and handlers. Main thread.
 * @param snapshot  retained
 * @return NULL with *err filled
 */
GM_MUST_USE gm_generation_t *gm_generation_create(gm_snapshot_t *snapshot, size_t worker_count,
                                                  gm_error_t *err);

/** The same for the test backend. */
GM_MUST_USE gm_generation_t *gm_generation_create_backend(const gm_backend_options_t *options);

/** The same for the admin window. @param options  copied */
GM_MUST_USE gm_generation_t *gm_generation_create_admin(const gm_admin_options_t *options);

/** All contexts must be gone. Accepts NULL. */
void gm_generation_destroy(gm_generation_t *self);

/** A worker's context on its loop. Both on the worker's thread. */
GM_MUST_USE h2o_context_t *gm_generation_create_context(gm_generation_t *self, h2o_loop_t *loop);
void gm_generation_destroy_context(gm_generation_t *self, h2o_context_t *context);

/**
 * What serves a worker's clients, by the configured engine. Worker's thread.
 * @param open  how many connections the process has
 */
GM_MUST_USE gm_front_t *gm_generation_create_front(gm_generation_t *self, h2o_context_t *context,
                                                   atomic_size_t *open);

/** The last requests of a worker. @param copies  the caller frees it  @return how many. Worker's thread. */
size_t gm_generation_copy_requests(gm_generation_t *self, h2o_context_t *context, gm_kept_t **copies);

/** What a worker counts with; NULL = nobody reads it. */
gm_metrics_shard_t *gm_generation_metrics(gm_generation_t *self, h2o_context_t *context);

/** The idle connections of a worker to each cluster of the proxy, or GM_SURVEY_UNKNOWN. Worker's thread. */
void gm_generation_count_idle(gm_generation_t *self, h2o_context_t *context, size_t *idle);

/** What is to be looked at between two runs of the event loop. */
gm_watches_t *gm_generation_watches(gm_generation_t *self, h2o_context_t *context);

#endif
