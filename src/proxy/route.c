/*
 * Matching one request against one route, and the first match of a list. Pure; called by proxy/handler on
 * workers.
 */
#include "proxy/route.h"

#include <string.h>

static bool matches_host(const char *host, const gm_route_key_t *key)
{
    size_t length;

    if (host == NULL)
        return true;
    length = strlen(host);
    if (host[0] != '*')
        return length == key->host_length && memcmp(host, key->host, length) == 0;
    /* "*.example.com": one label or more in front of ".example.com" */
    return key->host_length > length - 1 &&
           memcmp(host + 1, key->host + key->host_length - (length - 1), length - 1) == 0;
}

bool gm_route_matches(const gm_snapshot_route_t *route, const gm_route_key_t *key)
{
    size_t length = strlen(route->path);

    if (key->path_length < length || memcmp(route->path, key->path, length) != 0)
        return false;
    if (key->path_length != length && (route->exact || (length != 1 && key->path[length] != '/')))
        return false; /* prefixes end at a segment */
    return matches_host(route->host, key);
}

const gm_snapshot_route_t *gm_route_find(const gm_snapshot_route_t *routes, size_t count,
                                         const gm_route_key_t *key)
{
    for (size_t i = 0; i != count; ++i)
        if (gm_route_matches(&routes[i], key))
            return &routes[i];
    return NULL;
}

const gm_snapshot_route_t *gm_route_find_among(const gm_snapshot_route_t *routes, const uint32_t *candidates,
                                               size_t count, const gm_route_key_t *key)
{
    for (size_t i = 0; i != count; ++i)
        if (gm_route_matches(&routes[candidates[i]], key))
            return &routes[candidates[i]];
    return NULL;
}
