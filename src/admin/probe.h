/* probe: whether anybody can be reached at all, found out by connecting */
#ifndef GM_ADMIN_PROBE_H
#define GM_ADMIN_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "upstream/cluster.h"

/*
 * Traffic tells which clusters are reachable (gm_cluster_reach); a proxy without traffic finds it out by
 * itself. A round connects, without waiting, to the addresses of clusters of which nothing good is known,
 * notes in the cluster what came of it, and closes each connection at once. It is over when one cluster is
 * reached, when none is left, or when its time is. One thread; `now_ms` is of gm_clock_monotonic_ms.
 */
typedef struct gm_probe gm_probe_t;

#define GM_PROBE_PAUSE_MS 1000 /* from one try of a cluster to the next */

/** @param clusters  borrowed. @param timeout_ms  for a whole round */
GM_MUST_USE gm_probe_t *gm_probe_create(gm_cluster_t *const *clusters, size_t count, uint64_t timeout_ms);

/** Breaks off what is under way. Accepts NULL. */
void gm_probe_destroy(gm_probe_t *self);

/**
 * Starts a round, unless one is under way, a cluster is known to be reachable, or all were tried just now.
 * @return whether a round is under way
 */
bool gm_probe_start(gm_probe_t *self, uint64_t now_ms);

/** Looks what has come of it; to be called every few milliseconds. @return whether it is still under way */
bool gm_probe_go_on(gm_probe_t *self, uint64_t now_ms);

bool gm_probe_is_under_way(const gm_probe_t *self);

#endif
