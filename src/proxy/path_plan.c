/*
 * Translates our routes (first match of an ordered list) into what libh2o offers (longest whole-segment
 * prefix per host). Each route gets an anchor, a plain path at or above it; the anchors become pathconfs, and
 * a pathconf's candidates are the routes whose anchor covers it. Pure; called by server/generation on the
 * main thread.
 */
#include "proxy/path_plan.h"

#include <string.h>

/*
 * A route for any host has its path in every hostconf, so a thousand of each would make a million pathconfs:
 * half a minute and half a gigabyte. The library asks a hostconf's paths one by one, as we ask candidates, so
 * "/" with all of them loses nothing there.
 */
#define MAX_PATHS 16384 /* in the hostconf for any host; and in all others together */

/* Length of the longest plain path at or above the route's: the library decodes percent-codes before it
 * compares. */
static size_t anchor_length(const char *path)
{
    size_t length = strcspn(path, "%");

    if (path[length] == '\0')
        return length;
    while (path[length] != '/')
        --length;
    return length != 0 ? length : 1;
}

/* Whether whole segments of `path` begin with the anchor. */
static bool covers(const char *anchor, size_t anchor_length, const char *path, size_t path_length)
{
    if (path_length < anchor_length || memcmp(anchor, path, anchor_length) != 0)
        return false;
    return path_length == anchor_length || anchor[anchor_length - 1] == '/' || path[anchor_length] == '/';
}

/* Whether a request that lands in the hostconf of `host` can match a route for `route_host`. */
static bool can_meet(const char *route_host, const char *host)
{
    size_t length;

    if (route_host == NULL || host == NULL)
        return true; /* the hostconf for any host also gets requests whose port the library does not know */
    if (strcmp(route_host, host) == 0)
        return true;
    if (route_host[0] != '*')
        return false;
    length = strlen(route_host) - 1;
    return strlen(host) > length && strcmp(host + strlen(host) - length, route_host + 1) == 0;
}

static gm_planned_path_t *add_path(gm_planned_host_t *host, const char *path, size_t length)
{
    gm_planned_path_t *planned;

    for (size_t i = 0; i != host->paths.size; ++i) {
        planned = &host->paths.items[i];
        if (strlen(planned->path) == length && memcmp(planned->path, path, length) == 0)
            return planned;
    }
    planned = gm_vector_push(&host->paths);
    planned->path = gm_strndup(path, length);
    return planned;
}

static int compare_paths(const void *a, const void *b)
{
    const char *x = ((const gm_planned_path_t *)a)->path, *y = ((const gm_planned_path_t *)b)->path;
    size_t x_length = strlen(x), y_length = strlen(y);

    if (x_length != y_length)
        return x_length > y_length ? -1 : 1;
    return strcmp(x, y);
}

/* @param all  whether the path stands for every path of the host */
static void add_candidates(const gm_planned_host_t *host, gm_planned_path_t *path, bool all,
                           const gm_snapshot_route_t *routes, size_t count)
{
    path->candidates = gm_alloc((count + 1) * sizeof(*path->candidates));
    for (size_t i = 0; i != count; ++i)
        if (can_meet(routes[i].host, host->host) &&
            (all || covers(routes[i].path, anchor_length(routes[i].path), path->path, strlen(path->path))))
            path->candidates[path->count++] = (uint32_t)i;
    path->candidates = gm_realloc(path->candidates, (path->count + 1) * sizeof(*path->candidates));
}

static void dispose_paths(gm_planned_host_t *host)
{
    for (size_t i = 0; i != host->paths.size; ++i) {
        free(host->paths.items[i].path);
        free(host->paths.items[i].candidates);
    }
    gm_vector_dispose(&host->paths);
}

static void plan_host(gm_planned_host_t *host, const gm_snapshot_route_t *routes, size_t count,
                      size_t max_paths)
{
    bool too_many = false;

    for (size_t i = 0; i != count && !too_many; ++i)
        if (can_meet(routes[i].host, host->host)) {
            add_path(host, routes[i].path, anchor_length(routes[i].path));
            too_many = host->paths.size > max_paths;
        }
    if (too_many)
        dispose_paths(host);
    add_path(host, "/", 1);
    qsort(host->paths.items, host->paths.size, sizeof(host->paths.items[0]), compare_paths);
    for (size_t i = 0; i != host->paths.size; ++i)
        add_candidates(host, &host->paths.items[i], too_many, routes, count);
}

static int host_class(const char *host)
{
    return host == NULL ? 0 : host[0] != '*' ? 1 : 2;
}

static int compare_hosts(const void *a, const void *b)
{
    const char *x = ((const gm_planned_host_t *)a)->host, *y = ((const gm_planned_host_t *)b)->host;

    if (host_class(x) != host_class(y))
        return host_class(x) - host_class(y);
    if (x == NULL || y == NULL)
        return 0;
    if (strlen(x) != strlen(y))
        return strlen(x) > strlen(y) ? -1 : 1;
    return strcmp(x, y);
}

static void add_host(gm_path_plan_t *self, const char *host)
{
    for (size_t i = 1; i < self->hosts.size; ++i)
        if (strcmp(self->hosts.items[i].host, host) == 0)
            return;
    gm_vector_push(&self->hosts)->host = host;
}

gm_path_plan_t *gm_path_plan_create(const gm_snapshot_route_t *routes, size_t count)
{
    gm_path_plan_t *self = gm_alloc(sizeof(*self));

    gm_vector_push(&self->hosts)->host = NULL;
    for (size_t i = 0; i != count; ++i)
        if (routes[i].host != NULL)
            add_host(self, routes[i].host);
    qsort(self->hosts.items, self->hosts.size, sizeof(self->hosts.items[0]), compare_hosts);
    for (size_t i = 0; i != self->hosts.size; ++i)
        plan_host(&self->hosts.items[i], routes, count, i == 0 ? MAX_PATHS : MAX_PATHS / self->hosts.size);
    return self;
}

void gm_path_plan_destroy(gm_path_plan_t *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i != self->hosts.size; ++i)
        dispose_paths(&self->hosts.items[i]);
    gm_vector_dispose(&self->hosts);
    free(self);
}
