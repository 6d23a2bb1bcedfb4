/* snapshot: a validated configuration that nobody changes any more */
#ifndef GM_CONFIG_SNAPSHOT_H
#define GM_CONFIG_SNAPSHOT_H

#include "base/cidr.h"
#include "config/config.h"

typedef struct gm_snapshot gm_snapshot_t; /* shared by count; immutable */

/** One backend; routes to the same host and port, with the same settings of TLS, share it. */
typedef struct gm_snapshot_cluster {
    const char *name; /* borrowed: "backend" for proxy.backend, otherwise the first route's name */
    const char *host; /* borrowed */
    uint16_t port;
    char *authority;                  /* owned: "host:port", as shown in logs */
    const gm_backend_tls_conf_t *tls; /* borrowed; NULL = plain HTTP */
    gm_protocol_t protocol;
} gm_snapshot_cluster_t;

#define GM_NO_CLUSTER SIZE_MAX

/** One route in matching order. */
typedef struct gm_snapshot_route {
    const char *name;                  /* borrowed */
    const char *host;                  /* borrowed; NULL = any; "*.example.com" = every name below */
    const char *path;                  /* borrowed */
    bool exact;                        /* path: this one; otherwise it and everything below */
    bool holds_body;                   /* until it is whole */
    size_t cluster;                    /* index; GM_NO_CLUSTER = a redirect answers everything */
    const gm_policy_confs_t *policies; /* borrowed: the route's own; NULL = none */
} gm_snapshot_route_t;

/**
 * Freezes a validated configuration. Routes are put in the Gateway API's order of precedence: exact host,
 * longest wildcard host, any host; within these exact path, longest prefix, order of the file. proxy.backend
 * becomes a last route for everything, if present.
 * @param config  taken over
 * @return with one reference, the caller's
 */
GM_MUST_USE gm_snapshot_t *gm_snapshot_create(gm_config_t *config);

gm_snapshot_t *gm_snapshot_retain(gm_snapshot_t *self);
void gm_snapshot_release(gm_snapshot_t *self);

const gm_config_t *gm_snapshot_config(const gm_snapshot_t *self);
const gm_snapshot_cluster_t *gm_snapshot_clusters(const gm_snapshot_t *self, size_t *count);
const gm_snapshot_route_t *gm_snapshot_routes(const gm_snapshot_t *self, size_t *count);

/** proxy.trusted_proxies, parsed; borrowed from the snapshot. */
const gm_cidr_t *gm_snapshot_trusted_proxies(const gm_snapshot_t *self, size_t *count);

/** Where a value of the configuration came from, for messages; NULL if it is a default. Main thread only. */
const gm_place_t *gm_snapshot_place_of(const gm_snapshot_t *self, const void *field);

#endif
