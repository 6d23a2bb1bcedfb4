/* first_match: the library's choice of a pathconf in the words of a test, and naive first match to compare
 * with */
#ifndef GM_TEST_FIRST_MATCH_H
#define GM_TEST_FIRST_MATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "proxy/path_plan.h"
#include "proxy/route.h"

static inline int first_match_hex(char c)
{
    static const char digits[] = "00112233445566778899aAbBcCdDeEfF";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) / 2 : -1;
}

/* If the last segment of out[0..length) is a dot segment, takes it off as the library does; else NULL. */
static inline char *first_match_rewind(char *out, char *slash, char *end)
{
    if (end - slash == 2 && slash[1] == '.')
        return end - 1;
    if (end - slash != 3 || slash[1] != '.' || slash[2] != '.')
        return NULL;
    end -= 2;
    if (end - out > 1)
        do
            --end;
        while (end[-1] != '/');
    return end;
}

/**
 * The path that the library compares with its pathconfs (h2o_url_normalize_path): every code decoded, those
 * of
 * "/" and "." too, dot segments removed on the way; untouched where it sees nothing to do.
 * @param target  of a request, begins with "/"
 * @return owned by the caller, without query
 */
static inline char *first_match_normalize(const char *target)
{
    size_t length = strcspn(target, "?"), at = 1;
    char *path = gm_strndup(target, length), *out, *end, *slash, *shorter;

    if (strstr(path, "/.") == NULL && strchr(path, '%') == NULL)
        return path;
    out = slash = gm_alloc(length + 2);
    end = out + 1;
    for (out[0] = '/'; at < length;) {
        char c = path[at++];
        if (c == '%' && first_match_hex(path[at]) != -1 && first_match_hex(path[at + 1]) != -1) {
            c = (char)(first_match_hex(path[at]) << 4 | first_match_hex(path[at + 1]));
            at += 2;
        }
        if (c == '/') {
            if ((shorter = first_match_rewind(out, slash, end)) != NULL) {
                end = shorter; /* ends with the slash that this one would be */
                slash = end - 1;
                continue;
            }
            slash = end;
        }
        *end++ = c;
    }
    if ((shorter = first_match_rewind(out, slash, end)) != NULL)
        end = shorter;
    *end = '\0';
    free(path);
    return out;
}

/**
 * The hostconf (find_hostconf): in order, without regard to case; a star stands for one character or more.
 * The first one serves whoever fits no other, and all who name a port that no listener of the library has.
 * Its name is "default", so server/generation can register no second one of that name.
 * @param host  without port and brackets
 */
static inline const gm_planned_host_t *first_match_hostconf(const gm_path_plan_t *plan, const char *host,
                                                            bool default_port)
{
    for (size_t i = 1; default_port && i < plan->hosts.size; ++i) {
        const char *name = plan->hosts.items[i].host;
        bool any = name[0] == '*';
        size_t tail = strlen(name) - any, given = strlen(host);
        if ((any ? given > tail : given == tail) && strcasecmp(host + given - tail, name + any) == 0)
            return &plan->hosts.items[strcmp(name, "default") == 0 ? 0 : i];
    }
    return &plan->hosts.items[0];
}

/** The pathconf (process_hosted_request): the first whose path is a whole-segment prefix; NULL = the
 * fallback. */
static inline const gm_planned_path_t *first_match_pathconf(const gm_planned_host_t *host, const char *path)
{
    for (size_t i = 0; i != host->paths.size; ++i) {
        const char *prefix = host->paths.items[i].path;
        size_t length = strlen(prefix);
        if (strncmp(path, prefix, length) == 0 &&
            (prefix[length - 1] == '/' || path[length] == '\0' || path[length] == '/'))
            return &host->paths.items[i];
    }
    return NULL;
}

static inline bool first_match_ends_with(const char *text, const char *end)
{
    return strlen(text) > strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/**
 * All routes in order, strings only.
 * @param host  in lower case, without port and final dot
 * @param path  canonical, without query
 */
static inline const gm_snapshot_route_t *first_match_naive(const gm_snapshot_route_t *routes, size_t count,
                                                           const char *host, const char *path)
{
    for (size_t i = 0; i != count; ++i) {
        const gm_snapshot_route_t *route = &routes[i];
        const char *rest =
            strncmp(path, route->path, strlen(route->path)) == 0 ? path + strlen(route->path) : NULL;
        bool here = rest != NULL && (*rest == '\0' || (!route->exact && (*rest == '/' || rest == path + 1)));
        if (here && (route->host == NULL || strcmp(route->host, host) == 0 ||
                     (route->host[0] == '*' && first_match_ends_with(host, route->host + 1))))
            return route;
    }
    return NULL;
}

#endif
