/* route: does this request belong here? */
#ifndef GM_PROXY_ROUTE_H
#define GM_PROXY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/snapshot.h"

/** What routes look at. All borrowed. */
typedef struct gm_route_key {
    const char *host; /* lower case, without port; may be empty */
    size_t host_length;
    const char *path; /* canonical, without query */
    size_t path_length;
} gm_route_key_t;

bool gm_route_matches(const gm_snapshot_route_t *route, const gm_route_key_t *key);

/** The first of all routes that matches; NULL if none does. */
const gm_snapshot_route_t *gm_route_find(const gm_snapshot_route_t *routes, size_t count,
                                         const gm_route_key_t *key);

/** The same among some of them. @param candidates  ascending indices into routes */
const gm_snapshot_route_t *gm_route_find_among(const gm_snapshot_route_t *routes, const uint32_t *candidates,
                                               size_t count, const gm_route_key_t *key);

#endif
