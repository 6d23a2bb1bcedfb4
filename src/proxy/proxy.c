/*
 * The shared and the per-worker state of the proxy. Made and destroyed by server/generation.
 */
#include "proxy/proxy.h"

#include <h2o/version.h>

#include "proxy/logged_fields.h"
#include "proxy/policy.h"
#include "telemetry/log.h"
#include "tls/client_context.h"
#include "tls/context.h"

#define POLL_MS 5

static int open_access_stream(gm_proxy_t *self, gm_error_t *err)
{
    const gm_access_conf_t *access = &gm_snapshot_config(self->snapshot)->log.access;
    const gm_log_stream_options_t options = {.path = access->path, .describe_lost = gm_log_describe_lost};
    gm_error_t why = {0};

    if (self->access_rules.size == 0 || access->path == NULL)
        return 0;
    self->access_stream = gm_log_stream_open(&options, &why);
    return self->access_stream != NULL ? 0 : gm_error_set(err, NULL, "%s (log.access.path)", why.text);
}

/* The admin window shows requests and metrics. */
static bool has_window(const gm_proxy_t *self)
{
    const gm_admin_conf_t *conf = &gm_snapshot_config(self->snapshot)->admin;

    return conf->listen[0] != '\0' || conf->socket != NULL;
}

static void create_metrics(gm_proxy_t *self, size_t worker_count)
{
    const gm_metrics_conf_t *conf = &gm_snapshot_config(self->snapshot)->metrics;
    gm_metrics_options_t options = {.route_count = self->route_count,
                                    .cluster_count = self->cluster_count,
                                    .worker_count = worker_count != 0 ? worker_count : 1,
                                    .max_series = conf->max_series,
                                    .version = GM_VERSION,
                                    .libh2o = H2O_VERSION,
                                    .openssl = gm_tls_library_version()};

    if (conf->path[0] == '\0' && !self->has_window)
        return;
    self->names = gm_alloc((self->route_count + self->cluster_count + 1) * sizeof(self->names[0]));
    for (size_t i = 0; i != self->route_count; ++i)
        self->names[i] = self->routes[i].name;
    for (size_t i = 0; i != self->cluster_count; ++i)
        self->names[self->route_count + i] = gm_cluster_name(self->clusters[i]);
    options.routes = self->names;
    options.clusters = self->names + self->route_count;
    self->metrics = gm_metrics_create(&options);
    gm_metrics_set(self->metrics, GM_METRIC_CONFIG_GENERATION, 1);
}

void gm_proxy_set_crashes(gm_proxy_t *self, unsigned crashes)
{
    if (self->metrics != NULL)
        gm_metrics_set(self->metrics, GM_METRIC_CRASHES, crashes);
}

void gm_proxy_render_metrics(gm_proxy_t *self, gm_buffer_t *out)
{
    uint64_t dropped = gm_log_dropped();

    if (self->access_stream != NULL)
        dropped += gm_log_stream_dropped(self->access_stream);
    gm_metrics_set(self->metrics, GM_METRIC_LOG_DROPPED, dropped);
    if (self->spans != NULL) {
        gm_metrics_set(self->metrics, GM_METRIC_SPANS_EXPORTED, gm_span_queue_exported(self->spans));
        gm_metrics_set(self->metrics, GM_METRIC_SPANS_DROPPED, gm_span_queue_dropped(self->spans));
    }
    gm_metrics_render(self->metrics, out);
}

gm_proxy_t *gm_proxy_create(gm_snapshot_t *snapshot, size_t worker_count, gm_error_t *err)
{
    gm_proxy_t *self = gm_alloc(sizeof(*self));
    const gm_snapshot_cluster_t *clusters = gm_snapshot_clusters(snapshot, &self->cluster_count);
    const gm_otlp_conf_t *otlp = &gm_snapshot_config(snapshot)->tracing.otlp;

    self->snapshot = gm_snapshot_retain(snapshot);
    self->held.folder = gm_snapshot_config(snapshot)->proxy.temp_dir;
    self->held.max_bytes = gm_snapshot_config(snapshot)->proxy.limits.max_buffered_bodies_bytes;
    atomic_init(&self->held.bytes, 0);
    self->routes = gm_snapshot_routes(snapshot, &self->route_count);
    for (size_t i = 0; i != self->route_count; ++i)
        self->has_hosts = self->has_hosts || self->routes[i].host != NULL;
    self->has_window = has_window(self);
    if (otlp->present)
        self->spans = gm_span_queue_create(otlp->queue, otlp->batch);
    self->shown = gm_logged_fields_create(&gm_snapshot_config(snapshot)->log.access);
    self->clusters = gm_alloc((self->cluster_count + 1) * sizeof(self->clusters[0]));
    self->forwarders = gm_alloc((self->cluster_count + 1) * sizeof(self->forwarders[0]));
    self->tls = gm_alloc((self->cluster_count + 1) * sizeof(self->tls[0]));
    for (size_t i = 0; i != self->cluster_count; ++i)
        self->clusters[i] =
            gm_cluster_create(clusters[i].name, clusters[i].host, clusters[i].port, clusters[i].authority);
    create_metrics(self, worker_count);
    self->policies = gm_policies_create(self);
    self->keeps_records = self->has_window || self->spans != NULL || gm_policies_have_finish(self->policies);
    if (open_access_stream(self, err) != 0) {
        gm_proxy_destroy(self);
        return NULL;
    }
    for (size_t i = 0; i != self->cluster_count; ++i) {
        if (clusters[i].tls == NULL)
            continue;
        if ((self->tls[i] = gm_tls_client_context_create(clusters[i].tls, clusters[i].host,
                                                         clusters[i].protocol, err)) == NULL) {
            gm_proxy_destroy(self);
            return NULL;
        }
        gm_connector_prepare(self->tls[i]);
    }
    return self;
}

void gm_proxy_destroy(gm_proxy_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->cluster_count; ++i) {
        gm_cluster_release(self->clusters[i]);
        SSL_CTX_free(self->tls[i]);
    }
    gm_policies_destroy(self->policies);
    gm_vector_dispose(&self->access_rules);
    gm_logged_fields_destroy(self->shown);
    gm_log_stream_close(self->access_stream);
    gm_metrics_destroy(self->metrics);
    gm_span_queue_destroy(self->spans);
    free(self->names);
    free(self->clusters);
    free(self->tls);
    free(self->forwarders);
    gm_snapshot_release(self->snapshot);
    free(self);
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t shortest(const gm_timeout_conf_t *timeout)
{
    uint64_t ms =
        min_of(min_of(timeout->read_timeout_ms, timeout->write_timeout_ms), timeout->idle_timeout_ms);

    ms = min_of(ms, timeout->connect_timeout_ms);
    if (timeout->request_timeout_ms != 0)
        ms = min_of(ms, timeout->request_timeout_ms);
    return timeout->tunnel_idle_timeout_ms != 0 ? min_of(ms, timeout->tunnel_idle_timeout_ms) : ms;
}

static gm_access_log_t *create_access_log(const gm_proxy_t *proxy)
{
    const gm_access_log_options_t options = {.stream = proxy->access_stream,
                                             .json = gm_log_is_json(),
                                             .rules = proxy->access_rules.items,
                                             .rule_count = proxy->access_rules.size};

    return options.rule_count != 0 ? gm_access_log_create(&options) : NULL;
}

gm_proxy_context_t *gm_proxy_context_create(gm_proxy_t *proxy, h2o_loop_t *loop, h2o_globalconf_t *globalconf)
{
    gm_proxy_context_t *self = gm_alloc(sizeof(*self));
    const gm_timeout_conf_t *timeout = &gm_snapshot_config(proxy->snapshot)->proxy.timeout;
    const gm_upstream_conf_t *upstream = &gm_snapshot_config(proxy->snapshot)->proxy.upstream;
    size_t count;
    const gm_snapshot_cluster_t *clusters = gm_snapshot_clusters(proxy->snapshot, &count);
    gm_pool_options_t pool = {.connecting = &self->connecting,
                              .idle_ms = upstream->idle_timeout_ms,
                              .max_idle = upstream->max_idle_per_endpoint,
                              .max_connections = upstream->max_connections,
                              .patience_ms = timeout->connect_timeout_ms,
                              .soon = &self->super.zero_timeout,
                              .max_streams = upstream->max_streams_per_connection,
                              .write_ms = timeout->write_timeout_ms,
                              .ping_ms = upstream->ping_interval_ms};

    h2o_context_init(&self->super, loop, globalconf);
    self->proxy = proxy;
    self->access_log = create_access_log(proxy);
    self->ring = proxy->has_window ? gm_ring_create(GM_RING_SLOTS) : NULL;
    if (proxy->metrics != NULL)
        pool.metrics = self->metrics = gm_metrics_shard(
            proxy->metrics, atomic_fetch_add_explicit(&proxy->shards, 1, memory_order_relaxed));
    self->sample = (uint32_t)gm_snapshot_config(proxy->snapshot)->tracing.otlp.sample;
    gm_random_init(&self->random);
    self->watches = gm_watches_create(shortest(timeout));
    h2o_timeout_init(loop, &self->request_timeout, timeout->request_timeout_ms);
    h2o_timeout_init(loop, &self->poll_interval, POLL_MS);
    self->connecting = (gm_connecting_t){.loop = loop,
                                         .watches = self->watches,
                                         .timeout_ms = timeout->connect_timeout_ms,
                                         .poll = &self->poll_interval};
    self->pools = gm_alloc((proxy->cluster_count + 1) * sizeof(self->pools[0]));
    self->pools_h2o = gm_alloc((proxy->cluster_count + 1) * sizeof(self->pools_h2o[0]));
    for (size_t i = 0; i != proxy->cluster_count; ++i) {
        pool.tls = proxy->tls[i];
        pool.protocol = clusters[i].protocol;
        if (gm_proxy_is_ours(proxy))
            self->pools[i] = gm_pool_create(proxy->clusters[i], &pool);
        else
            self->pools_h2o[i] = gm_pool_h2o_create(loop, proxy->clusters[i], upstream->idle_timeout_ms);
    }
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
    for (size_t i = 0; i != self->proxy->cluster_count; ++i)
        gm_pool_h2o_destroy(self->pools_h2o[i]);
    free(self->pools);
    free(self->pools_h2o);
    gm_access_log_destroy(self->access_log);
    gm_ring_destroy(self->ring);
    gm_watches_destroy(self->watches);
    gm_alarms_destroy(self->alarms);
    h2o_timeout_dispose(loop, &self->request_timeout);
    h2o_timeout_dispose(loop, &self->poll_interval);
    queue = self->super.queue;
    h2o_context_dispose(&self->super);
    free(queue); /* h2o_context_dispose closes the queue and forgets the memory */
    free(self);
}
