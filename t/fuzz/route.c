/*
 * Fuzz target: a small route table and requests out of any bytes. The library's choice of a pathconf and then
 * proxy/handler's of a candidate lead to the same route as naive first match, and canonical paths are stable.
 *
 * Input: lines. "H host" and "P path" / "E path" make routes (a host counts for the paths after it), each
 * other line is "host path" of a request to the routes so far.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../00unit/proxy/first_match.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/vector.h"
#include "http/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef GM_VECTOR(gm_snapshot_route_t) routes_t;

/* Not assert: a build with NDEBUG must find mistakes, too. */
static void require(bool condition)
{
    if (!condition)
        abort();
}

static void lower(char *text)
{
    for (; *text != '\0'; ++text)
        *text = (char)(*text >= 'A' && *text <= 'Z' ? *text | 0x20 : *text);
}

static void check_path(const char *target, size_t length)
{
    char *once = gm_alloc(length + 1), *twice = gm_alloc(length + 1);
    size_t query, query_again, canonical;
    const char *why = NULL;

    canonical = gm_path_canonicalize(target, length, once, &query, &why);
    require((canonical == 0) == (why != NULL));
    if (canonical != 0) {
        require(canonical <= length && query <= canonical && once[0] == '/');
        require(gm_path_canonicalize(once, canonical, twice, &query_again, &why) == canonical);
        require(memcmp(once, twice, canonical) == 0 && query == query_again);
    }
    if (gm_path_is_canonical(target, length))
        require(canonical == length && memcmp(once, target, length) == 0);
    free(once);
    free(twice);
}

/* What server/generation, the library and proxy/handler make of the plan. */
static const gm_snapshot_route_t *planned_match(const gm_path_plan_t *plan, const routes_t *routes,
                                                const char *host, bool default_port, const char *target,
                                                const gm_route_key_t *key)
{
    char *normalized = first_match_normalize(target);
    const gm_planned_path_t *pathconf =
        first_match_pathconf(first_match_hostconf(plan, host, default_port), normalized);
    bool is_ours = strcmp(normalized, key->path) == 0;

    free(normalized);
    require(pathconf != NULL); /* "/" is always there */
    return is_ours ? gm_route_find_among(routes->items, pathconf->candidates, pathconf->count, key)
                   : gm_route_find(routes->items, routes->size, key);
}

static void check_plan(const routes_t *routes, const char *host, const char *target)
{
    char *path = gm_alloc(strlen(target) + 1), *name = gm_strdup(host);
    const char *why;
    gm_route_key_t key = {name, strlen(name), path, 0};
    const gm_snapshot_route_t *wanted;
    gm_path_plan_t *plan;

    if (gm_path_canonicalize(target, strlen(target), path, &key.path_length, &why) != 0) {
        path[key.path_length] = '\0';
        lower(name);
        if (key.host_length > 1 && name[key.host_length - 1] == '.') /* as proxy/admission does */
            name[--key.host_length] = '\0';
        wanted = first_match_naive(routes->items, routes->size, name, path);
        plan = gm_path_plan_create(routes->items, routes->size);
        for (int default_port = 0; default_port != 2; ++default_port)
            require(planned_match(plan, routes, host, default_port, target, &key) == wanted);
        gm_path_plan_destroy(plan);
    }
    free(path);
    free(name);
}

/* As config/validate: lower case, no final dot; NULL = any, also where the text is not a host. */
static const char *take_host(char *text)
{
    char *host = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
    size_t length = strlen(host);

    if (strchr(host, ':') != NULL || !gm_text_is_host(host))
        return NULL;
    lower(text);
    if (host[length - 1] == '.')
        host[length - 1] = '\0';
    return text;
}

/* As config/validate: canonical, prefixes without final slashes. */
static void take_route(routes_t *routes, const char *host, char *path, bool exact)
{
    gm_snapshot_route_t *route;

    if (gm_path_check(path, NULL) != 0 || strchr(path, '?') != NULL)
        return;
    for (size_t length = strlen(path); !exact && length > 1 && path[length - 1] == '/'; --length)
        path[length - 1] = '\0';
    route = gm_vector_push(routes);
    *route = (gm_snapshot_route_t){.host = host, .path = path, .exact = exact};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    routes_t routes = {0};
    char *text = gm_strndup((const char *)data, size), *line, *rest = text;
    const char *host = NULL;
    bool has_asked = false;

    check_path((const char *)data, size);
    while ((line = strsep(&rest, "\n")) != NULL && routes.size < 64) {
        char kind = line[0] != '\0' && line[1] == ' ' ? line[0] : '\0';
        if (kind == 'H') {
            host = take_host(line + 2);
        } else if (kind == 'P' || kind == 'E') {
            take_route(&routes, host, line + 2, kind == 'E');
        } else {
            const char *name = strsep(&line, " "), *target = line != NULL ? line : "/";
            check_path(target, strlen(target));
            check_plan(&routes, name, target);
            has_asked = true;
        }
    }
    if (!has_asked)
        check_plan(&routes, "", "/");
    gm_vector_dispose(&routes);
    free(text);
    return 0;
}
