/*
 * The shared and the per-worker state of the proxy. Made and destroyed by server/generation.
 */
#include "proxy/proxy.h"

/* below the 5 s after which Node.js closes an idle connection, so that we are the first to let go */
#define UPSTREAM_IDLE_MS 4000
#define POLL_MS 5

gm_proxy_t *gm_proxy_create(gm_snapshot_t *snapshot)
{
    gm_proxy_t *self = gm_alloc(sizeof(*self));
    const gm_snapshot_cluster_t *clusters = gm_snapshot_clusters(snapshot, &self->cluster_count);

    self->snapshot = gm_snapshot_retain(snapshot);
    self->routes = gm_snapshot_routes(snapshot, &self->route_count);
    for (size_t i = 0; i != self->route_count; ++i)
        self->has_hosts = self->has_hosts || self->routes[i].host != NULL;
    self->clusters = gm_alloc((self->cluster_count + 1) * sizeof(self->clusters[0]));
    self->forwarders = gm_alloc((self->cluster_count + 1) * sizeof(self->forwarders[0]));
    for (size_t i = 0; i != self->cluster_count; ++i)
        self->clusters[i] =
            gm_cluster_create(clusters[i].name, clusters[i].host, clusters[i].port, clusters[i].authority);
    return self;
}

void gm_proxy_destroy(gm_proxy_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->cluster_count; ++i)
        gm_cluster_release(self->clusters[i]);
    free(self->clusters);
    free(self->forwarders);
    gm_snapshot_release(self->snapshot);
    free(self);
}

gm_proxy_context_t *gm_proxy_context_create(gm_proxy_t *proxy, h2o_loop_t *loop, h2o_globalconf_t *globalconf)
{
    gm_proxy_context_t *self = gm_alloc(sizeof(*self));
    const gm_timeout_conf_t *timeout = &gm_snapshot_config(proxy->snapshot)->proxy.timeout;

    h2o_context_init(&self->super, loop, globalconf);
    self->proxy = proxy;
    h2o_timeout_init(loop, &self->connect_timeout, timeout->connect_timeout_ms);
    h2o_timeout_init(loop, &self->request_timeout, timeout->request_timeout_ms);
    h2o_timeout_init(loop, &self->poll_interval, POLL_MS);
    self->pools = gm_alloc((proxy->cluster_count + 1) * sizeof(self->pools[0]));
    for (size_t i = 0; i != proxy->cluster_count; ++i)
        self->pools[i] = gm_pool_create(loop, proxy->clusters[i], UPSTREAM_IDLE_MS);
    return self;
}

void gm_proxy_context_destroy(gm_proxy_context_t *self)
{
    h2o_loop_t *loop;
    void *queue;

    if (self == NULL)
        return;
    loop = self->super.loop;
    for (size_t i = 0; i != self->proxy->cluster_count; ++i)
        gm_pool_destroy(self->pools[i]);
    free(self->pools);
    h2o_timeout_dispose(loop, &self->connect_timeout);
    h2o_timeout_dispose(loop, &self->request_timeout);
    h2o_timeout_dispose(loop, &self->poll_interval);
    queue = self->super.queue;
    h2o_context_dispose(&self->super);
    free(queue); /* h2o_context_dispose closes the queue and forgets the memory */
    free(self);
}
