/*
 * Where configuration meets the library: a snapshot becomes an h2o_globalconf_t with a hostconf per host and
 * a pathconf per anchor of the routes (proxy/path_plan). A live globalconf cannot grow, so a change of
 * configuration is a new generation. Main thread.
 */
#include "server/generation.h"

#include "proxy/forward_h2o.h"
#include "proxy/handler.h"
#include "proxy/reply.h"

/* the watch of front/connection ends what is too slow; the library's own timeout would cut steady uploads */
#define LIBRARY_REQUEST_TIMEOUT_MS (24 * 60 * 60 * 1000)
#define BACKEND_MAX_HEAD_BYTES ((size_t)64 * 1024)
#define RETRY_MS 1000 /* for names that cannot be resolved */
/* of the admin window: its clients are few, near and small, and must not hold up the end of the process */
#define ADMIN_MAX_HEAD_BYTES ((size_t)16 * 1024)
#define ADMIN_MAX_TARGET_BYTES ((size_t)2 * 1024)
#define ADMIN_TIMEOUT_MS 3000
#define ADMIN_IDLE_MS 30000
#define DAY_MS ((uint64_t)24 * 60 * 60 * 1000)

#ifdef __LP64__
/* What we were built against is what runs: the library's structs are embedded and walked in several rooms. */
_Static_assert(sizeof(h2o_req_t) == 608 && sizeof(h2o_context_t) == 864 && sizeof(h2o_globalconf_t) == 240 &&
                   sizeof(h2o_timeout_t) == 48 && sizeof(h2o_socket_t) == 96,
               "this is not libh2o-evloop 2.2.5 as Debian 12 has it");
#endif

/* What a worker of the test backend, or of the admin window, has. */
typedef struct backend_context {
    h2o_context_t super;
    gm_watches_t *watches; /* owned */
} simple_context_t;

static void init_globalconf(h2o_globalconf_t *globalconf)
{
    h2o_config_init(globalconf);
    globalconf->server_name = h2o_iovec_init(NULL, 0); /* the backend's Server field is passed on instead */
    globalconf->http1.req_timeout = LIBRARY_REQUEST_TIMEOUT_MS;
    globalconf->http1.upgrade_to_http2 = 0; /* its HTTP/2 server can be made to abort */
    globalconf->proxy.preserve_server_header = 1;
    globalconf->proxy.emit_via_header = 0;
}

static h2o_hostconf_t *register_host(h2o_globalconf_t *globalconf, const char *host)
{
    const char *name = host != NULL ? host : "default";
    h2o_hostconf_t *hostconf =
        h2o_config_register_host(globalconf, h2o_iovec_init(name, strlen(name)), 65535);

    if (hostconf ==
        NULL) /* somebody's host is called "default": the first hostconf serves it, with all routes */
        return NULL;
    hostconf->http2.push_preload = 0;
    hostconf->fallback_path.error_log.emit_request_errors = 0;
    gm_reply_register_filter(&hostconf->fallback_path);
    return hostconf;
}

static void drop_filters_of(h2o_pathconf_t *pathconf)
{
    for (size_t i = 0; i != pathconf->filters.size; ++i) {
        h2o_filter_t *filter = pathconf->filters.entries[i];
        if (filter->dispose != NULL)
            filter->dispose(filter);
        free(filter);
    }
    pathconf->filters.size = 0;
}

/* Ours alone frames its answers: the library puts its chunked coding on each path by itself. */
static void drop_filters(h2o_hostconf_t *hostconf)
{
    for (size_t i = 0; i != hostconf->paths.size; ++i)
        drop_filters_of(&hostconf->paths.entries[i]);
    drop_filters_of(&hostconf->fallback_path);
}

static void register_paths(h2o_hostconf_t *hostconf, const gm_planned_host_t *host)
{
    for (size_t i = 0; i != host->paths.size; ++i) {
        h2o_pathconf_t *pathconf = h2o_config_register_path(hostconf, host->paths.items[i].path, 0);
        pathconf->error_log.emit_request_errors =
            0; /* the library writes to stderr; proxy/response logs instead */
        gm_handler_register(pathconf, &host->paths.items[i]);
    }
}

gm_generation_t *gm_generation_create(gm_snapshot_t *snapshot, size_t worker_count, gm_error_t *err)
{
    gm_generation_t *self = gm_alloc(sizeof(*self));
    const gm_proxy_conf_t *conf = &gm_snapshot_config(snapshot)->proxy;
    size_t cluster_count;
    const gm_snapshot_cluster_t *clusters = gm_snapshot_clusters(snapshot, &cluster_count);
    gm_path_plan_t *plan;
    gm_resolver_options_t resolver = {0};

    init_globalconf(&self->globalconf);
    /* the library's limit is off by one for chunks; proxy/handler looks at what it let through */
    self->globalconf.max_request_entity_size = gm_proxy_max_body(&conf->limits) + 1;
    self->globalconf.handshake_timeout = conf->timeout.read_timeout_ms;
    self->globalconf.proxy.io_timeout = conf->timeout.read_timeout_ms;
    if ((self->proxy = gm_proxy_create(snapshot, worker_count, err)) == NULL) {
        gm_generation_destroy(self);
        return NULL;
    }
    plan = gm_path_plan_create(self->proxy->routes, self->proxy->route_count);
    for (size_t i = 0; i != plan->hosts.size; ++i) {
        h2o_hostconf_t *hostconf = register_host(&self->globalconf, plan->hosts.items[i].host);
        if (hostconf == NULL)
            continue;
        register_paths(hostconf, &plan->hosts.items[i]);
        if (gm_proxy_is_ours(self->proxy))
            drop_filters(hostconf);
    }
    gm_path_plan_destroy(plan);
    for (size_t i = 0; i != cluster_count; ++i)
        self->proxy->forwarders[i] =
            gm_forward_h2o_register(&self->globalconf.hosts[0]->fallback_path, &clusters[i], &conf->timeout);
    resolver.refresh_ms = conf->dns.refresh_ms;
    resolver.retry_ms = resolver.refresh_ms < RETRY_MS ? resolver.refresh_ms : RETRY_MS;
    self->resolver = gm_resolver_create(self->proxy->clusters, self->proxy->cluster_count, &resolver);
    return self;
}

/* With one handler for everything. @param pathconf  set to where it is to be registered */
static gm_generation_t *create_simple(h2o_pathconf_t **pathconf)
{
    gm_generation_t *self = gm_alloc(sizeof(*self));
    h2o_hostconf_t *hostconf;

    init_globalconf(&self->globalconf);
    hostconf = register_host(&self->globalconf, NULL);
    *pathconf = h2o_config_register_path(hostconf, "/", 0);
    (*pathconf)->error_log.emit_request_errors = 0;
    drop_filters(hostconf);
    return self;
}

gm_generation_t *gm_generation_create_backend(const gm_backend_options_t *options)
{
    h2o_pathconf_t *pathconf;
    gm_generation_t *self = create_simple(&pathconf);

    gm_backend_register(pathconf, options);
    return self;
}

gm_generation_t *gm_generation_create_admin(const gm_admin_options_t *options)
{
    h2o_pathconf_t *pathconf;
    gm_generation_t *self = create_simple(&pathconf);

    self->is_admin = true;
    gm_admin_register(pathconf, options);
    return self;
}

void gm_generation_destroy(gm_generation_t *self)
{
    if (self == NULL)
        return;
    gm_resolver_destroy(self->resolver);
    h2o_config_dispose(&self->globalconf);
    gm_proxy_destroy(self->proxy);
    free(self);
}

h2o_context_t *gm_generation_create_context(gm_generation_t *self, h2o_loop_t *loop)
{
    simple_context_t *context;

    if (self->proxy != NULL)
        return &gm_proxy_context_create(self->proxy, loop, &self->globalconf)->super;
    context = gm_alloc(sizeof(*context));
    h2o_context_init(&context->super, loop, &self->globalconf);
    context->watches = gm_watches_create(self->is_admin ? ADMIN_TIMEOUT_MS : DAY_MS);
    return &context->super;
}

void gm_generation_destroy_context(gm_generation_t *self, h2o_context_t *context)
{
    void *queue;

    if (self->proxy != NULL) {
        gm_proxy_context_destroy(H2O_STRUCT_FROM_MEMBER(gm_proxy_context_t, super, context));
        return;
    }
    gm_watches_destroy(((simple_context_t *)context)->watches);
    queue = context->queue;
    h2o_context_dispose(context);
    free(queue); /* h2o_context_dispose closes the queue and forgets the memory */
    free(context);
}

static gm_front_t *create_own_front(gm_generation_t *self, h2o_context_t *context, atomic_size_t *open)
{
    const gm_proxy_conf_t *conf = &gm_snapshot_config(self->proxy->snapshot)->proxy;
    size_t trusted_count;
    const gm_cidr_t *trusted = gm_snapshot_trusted_proxies(self->proxy->snapshot, &trusted_count);
    const gm_http1_options_t options = {
        .context = context,
        .watches = gm_generation_watches(self, context),
        .limits = {.max_bytes = conf->limits.max_head_bytes,
                   .max_field_bytes = conf->limits.max_field_bytes,
                   .max_target_bytes = conf->limits.max_target_bytes,
                   .max_fields = (unsigned)conf->limits.max_fields},
        .read_ms = conf->timeout.read_timeout_ms,
        .write_ms = conf->timeout.write_timeout_ms,
        .idle_ms = conf->timeout.idle_timeout_ms,
        .trusted = trusted,
        .trusted_count = trusted_count,
        .metrics = H2O_STRUCT_FROM_MEMBER(gm_proxy_context_t, super, context)->metrics,
        .keeps_time = gm_proxy_keeps_records(H2O_STRUCT_FROM_MEMBER(gm_proxy_context_t, super, context)),
        .min_body_rate = conf->limits.min_body_rate_bytes,
        .max_requests = conf->limits.max_requests_per_connection,
        .open = open,
    };

    return gm_front_create(&options, conf->http2.enabled ? &conf->http2 : NULL);
}

static gm_front_t *create_backend_front(h2o_context_t *context, atomic_size_t *open)
{
    const gm_http1_options_t options = {
        .context = context,
        .watches = ((simple_context_t *)context)->watches,
        .limits = {.max_bytes = BACKEND_MAX_HEAD_BYTES,
                   .max_field_bytes = BACKEND_MAX_HEAD_BYTES,
                   .max_target_bytes = BACKEND_MAX_HEAD_BYTES,
                   .max_fields = GM_HEAD_MAX_FIELDS},
        .read_ms = DAY_MS,
        .write_ms = DAY_MS,
        .idle_ms = DAY_MS,
        .open = open,
    };

    return gm_front_create(&options, NULL);
}

static gm_front_t *create_admin_front(h2o_context_t *context, atomic_size_t *open)
{
    const gm_http1_options_t options = {
        .context = context,
        .watches = ((simple_context_t *)context)->watches,
        .limits = {.max_bytes = ADMIN_MAX_HEAD_BYTES,
                   .max_field_bytes = ADMIN_MAX_HEAD_BYTES,
                   .max_target_bytes = ADMIN_MAX_TARGET_BYTES,
                   .max_fields = GM_HEAD_MAX_FIELDS},
        .read_ms = ADMIN_TIMEOUT_MS,
        .write_ms = ADMIN_TIMEOUT_MS,
        .idle_ms = ADMIN_IDLE_MS,
        .open = open,
    };

    return gm_front_create(&options, NULL);
}

gm_front_t *gm_generation_create_front(gm_generation_t *self, h2o_context_t *context, atomic_size_t *open)
{
    gm_connection_timeouts_t timeouts;
    const gm_timeout_conf_t *conf;

    if (self->proxy == NULL)
        return (self->is_admin ? create_admin_front : create_backend_front)(context, open);
    if (gm_proxy_is_ours(self->proxy))
        return create_own_front(self, context, open);
    conf = &gm_snapshot_config(self->proxy->snapshot)->proxy.timeout;
    timeouts = (gm_connection_timeouts_t){.read_ms = conf->read_timeout_ms,
                                          .write_ms = conf->write_timeout_ms,
                                          .idle_ms = conf->idle_timeout_ms,
                                          .request_ms = conf->request_timeout_ms};
    return gm_front_create_library(context, &timeouts, open);
}

gm_watches_t *gm_generation_watches(gm_generation_t *self, h2o_context_t *context)
{
    if (self->proxy == NULL)
        return ((simple_context_t *)context)->watches;
    return H2O_STRUCT_FROM_MEMBER(gm_proxy_context_t, super, context)->watches;
}

gm_metrics_shard_t *gm_generation_metrics(gm_generation_t *self, h2o_context_t *context)
{
    return self->proxy != NULL ? H2O_STRUCT_FROM_MEMBER(gm_proxy_context_t, super, context)->metrics : NULL;
}

void gm_generation_count_idle(gm_generation_t *self, h2o_context_t *context, size_t *idle)
{
    const gm_proxy_context_t *of = H2O_STRUCT_FROM_MEMBER(gm_proxy_context_t, super, context);

    if (self->proxy == NULL)
        return;
    for (size_t i = 0; i != self->proxy->cluster_count; ++i) /* the library's pools keep no count */
        idle[i] = of->pools[i] != NULL ? gm_pool_idle_count(of->pools[i]) : GM_SURVEY_UNKNOWN;
}

size_t gm_generation_copy_requests(gm_generation_t *self, h2o_context_t *context, gm_kept_t **copies)
{
    const gm_proxy_context_t *of = H2O_STRUCT_FROM_MEMBER(gm_proxy_context_t, super, context);

    return self->proxy != NULL && of->ring != NULL ? gm_ring_copy(of->ring, copies) : 0;
}
