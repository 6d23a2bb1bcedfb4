/*
 * The frozen form of a configuration: clusters without repetition, routes in matching order. Made by
 * config/load on the main thread, read by everybody without locks.
 */
#include "config/snapshot.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

struct gm_snapshot {
    atomic_uint references;
    gm_config_t *config; /* owned */
    GM_VECTOR(gm_snapshot_cluster_t) clusters;
    GM_VECTOR(gm_snapshot_route_t) routes;
    GM_VECTOR(gm_cidr_t) trusted_proxies;
};

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* @param a  NULL = plain HTTP */
static bool is_same_tls(const gm_backend_tls_conf_t *a, const gm_backend_tls_conf_t *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->verify == b->verify && is_same_text(a->ca_file, b->ca_file) &&
           is_same_text(a->server_name, b->server_name) && is_same_text(a->cert_file, b->cert_file) &&
           is_same_text(a->key_file, b->key_file);
}

/* Names are the same in any case, paths are not. */
static bool is_same_host(const char *a, const char *b)
{
    return gm_text_unix_path(a) != NULL ? strcmp(a, b) == 0 : strcasecmp(a, b) == 0;
}

static size_t find_or_add_cluster(gm_snapshot_t *self, const char *name, const gm_backend_conf_t *backend)
{
    const gm_backend_tls_conf_t *tls = backend->tls.present ? &backend->tls : NULL;
    gm_snapshot_cluster_t *cluster;
    char authority[272];

    for (size_t i = 0; i != self->clusters.size; ++i) {
        cluster = &self->clusters.items[i];
        if (cluster->port == backend->port && cluster->protocol == backend->protocol &&
            is_same_host(cluster->host, backend->host) && is_same_tls(cluster->tls, tls))
            return i;
    }
    cluster = gm_vector_push(&self->clusters);
    cluster->name = name;
    cluster->host = backend->host;
    cluster->tls = tls;
    cluster->protocol = (gm_protocol_t)backend->protocol;
    cluster->port = (uint16_t)backend->port;
    cluster->authority =
        gm_strdup(gm_text_format_hostport(authority, sizeof(authority), backend->host, cluster->port));
    return self->clusters.size - 1;
}

/* 0 exact, 1 wildcard, 2 any. */
static int host_class(const char *host)
{
    return host == NULL ? 2 : host[0] == '*' ? 1 : 0;
}

/* Negative if a comes first; 0 leaves the order of the file. */
static int compare(const gm_snapshot_route_t *a, const gm_snapshot_route_t *b)
{
    size_t a_length = a->host != NULL ? strlen(a->host) : 0, b_length = b->host != NULL ? strlen(b->host) : 0;

    if (host_class(a->host) != host_class(b->host))
        return host_class(a->host) - host_class(b->host);
    if (host_class(a->host) == 1 && a_length != b_length)
        return a_length > b_length ? -1 : 1;
    if (a->exact != b->exact)
        return a->exact ? -1 : 1;
    a_length = strlen(a->path);
    b_length = strlen(b->path);
    return a_length == b_length ? 0 : a_length > b_length ? -1 : 1;
}

/* Merge sort: stable, and at most 4096 routes. */
static void sort_routes(gm_snapshot_route_t *routes, gm_snapshot_route_t *scratch, size_t count)
{
    size_t half = count / 2, left = 0, right = half;

    if (count < 2)
        return;
    sort_routes(routes, scratch, half);
    sort_routes(routes + half, scratch, count - half);
    memcpy(scratch, routes, count * sizeof(*routes));
    for (size_t i = 0; i != count; ++i) {
        if (right == count || (left != half && compare(&scratch[left], &scratch[right]) <= 0))
            routes[i] = scratch[left++];
        else
            routes[i] = scratch[right++];
    }
}

static void add_routes(gm_snapshot_t *self)
{
    const gm_config_t *config = self->config;
    gm_snapshot_route_t *scratch;

    for (size_t i = 0; i != config->routes.size; ++i) {
        const gm_route_conf_t *conf = config->routes.items[i];
        gm_snapshot_route_t *route = gm_vector_push(&self->routes);
        route->name = conf->name;
        route->host = conf->match.host;
        route->exact = conf->match.path.exact != NULL;
        route->path = route->exact ? conf->match.path.exact
                                   : (conf->match.path.prefix != NULL ? conf->match.path.prefix : "/");
        route->holds_body = conf->request_buffering != GM_REQUEST_BUFFERING_AUTO
                                ? conf->request_buffering == GM_REQUEST_BUFFERING_ON
                                : config->proxy.request_buffering != 0;
        route->cluster =
            conf->backend.present ? find_or_add_cluster(self, conf->name, &conf->backend) : GM_NO_CLUSTER;
        route->policies = conf->policies.size != 0 ? &conf->policies : NULL;
    }
    scratch = gm_alloc((self->routes.size + 1) * sizeof(*scratch));
    sort_routes(self->routes.items, scratch, self->routes.size); /* leaves fewer than two alone */
    free(scratch);
}

static void add_trusted_proxies(gm_snapshot_t *self)
{
    const gm_texts_t *texts = &self->config->proxy.trusted_proxies;
    gm_cidr_t cidr;

    for (size_t i = 0; i != texts->size; ++i)
        if (gm_cidr_parse(texts->items[i], &cidr, NULL) == 0) /* the row has seen to it */
            *gm_vector_push(&self->trusted_proxies) = cidr;
}

gm_snapshot_t *gm_snapshot_create(gm_config_t *config)
{
    gm_snapshot_t *self = gm_alloc(sizeof(*self));

    atomic_init(&self->references, 1);
    self->config = config;
    if (config->proxy.backend.present)
        find_or_add_cluster(self, "backend", &config->proxy.backend);
    add_routes(self);
    add_trusted_proxies(self);
    if (config->proxy.backend.present) {
        gm_snapshot_route_t *route = gm_vector_push(&self->routes);
        route->name = "backend";
        route->path = "/";
        route->holds_body = config->proxy.request_buffering != 0;
        route->cluster = 0;
    }
    return self;
}

gm_snapshot_t *gm_snapshot_retain(gm_snapshot_t *self)
{
    atomic_fetch_add(&self->references, 1);
    return self;
}

void gm_snapshot_release(gm_snapshot_t *self)
{
    if (self == NULL || atomic_fetch_sub(&self->references, 1) != 1)
        return;
    for (size_t i = 0; i != self->clusters.size; ++i)
        free(self->clusters.items[i].authority);
    gm_vector_dispose(&self->clusters);
    gm_vector_dispose(&self->routes);
    gm_vector_dispose(&self->trusted_proxies);
    gm_config_destroy(self->config);
    free(self);
}

const gm_config_t *gm_snapshot_config(const gm_snapshot_t *self)
{
    return self->config;
}

const gm_snapshot_cluster_t *gm_snapshot_clusters(const gm_snapshot_t *self, size_t *count)
{
    *count = self->clusters.size;
    return self->clusters.items;
}

const gm_snapshot_route_t *gm_snapshot_routes(const gm_snapshot_t *self, size_t *count)
{
    *count = self->routes.size;
    return self->routes.items;
}

const gm_cidr_t *gm_snapshot_trusted_proxies(const gm_snapshot_t *self, size_t *count)
{
    *count = self->trusted_proxies.size;
    return self->trusted_proxies.items;
}

const gm_place_t *gm_snapshot_place_of(const gm_snapshot_t *self, const void *field)
{
    const gm_origin_t *origin = gm_config_find_origin(self->config, field);
    return origin != NULL ? &origin->place : NULL;
}
