/* path_plan: which hostconfs and pathconfs a list of routes needs */
#ifndef GM_PROXY_PATH_PLAN_H
#define GM_PROXY_PATH_PLAN_H

#include "base/vector.h"
#include "config/snapshot.h"

/** One pathconf. */
typedef struct gm_planned_path {
    char *path;           /* owned */
    uint32_t *candidates; /* owned: ascending indices of the routes that a request here can match */
    size_t count;
} gm_planned_path_t;

/** One hostconf. */
typedef struct gm_planned_host {
    const char *host;                   /* borrowed from a route; NULL = any */
    GM_VECTOR(gm_planned_path_t) paths; /* longest first, "/" last and always there */
} gm_planned_host_t;

typedef struct gm_path_plan {
    /* the one for any host first, then exact names, then wildcards from long to short */
    GM_VECTOR(gm_planned_host_t) hosts;
} gm_path_plan_t;

/**
 * The library takes the first hostconf that fits and in it the first pathconf whose path is a whole-segment
 * prefix. For every request whose path is canonical, the routes that can match it are among the candidates of
 * the pathconf that the library takes; the first of these that matches is the first of all.
 * @param routes  borrowed for the plan's life
 */
GM_MUST_USE gm_path_plan_t *gm_path_plan_create(const gm_snapshot_route_t *routes, size_t count);
void gm_path_plan_destroy(gm_path_plan_t *self);

#endif
