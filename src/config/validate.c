/*
 * The checks that look at several options at once, or at the world (files). Called by config/load after the
 * rows have had their say; a mistake already reported is not reported again in other words.
 */
#include "config/validate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define MAX_ROUTES 4096

typedef struct validation {
    gm_config_t *config;
    const gm_checks_t *checks;
    gm_diagnostics_t *diagnostics;
    GM_VECTOR(gm_route_conf_t *) bad_routes; /* whose match is not understood: left out of comparisons */
} validation_t;

bool gm_validate_is_bad(gm_config_t *config, const void *field)
{
    const gm_origin_t *origin = gm_config_find_origin(config, field);
    return origin != NULL && origin->bad;
}

void gm_validate_complain(gm_config_t *config, gm_diagnostics_t *diagnostics, const void *field,
                          const gm_place_t *otherwise, const char *text)
{
    const gm_origin_t *origin = gm_config_find_origin(config, field);
    gm_diagnostics_add(diagnostics, GM_SEVERITY_ERROR, origin != NULL ? &origin->place : otherwise, "%s",
                       text);
}

static bool is_bad(const validation_t *v, const void *field)
{
    return gm_validate_is_bad(v->config, field);
}

static void complain(const validation_t *v, const void *field, const gm_place_t *otherwise, const char *text)
{
    gm_validate_complain(v->config, v->diagnostics, field, otherwise, text);
}

static const struct in6_addr any_ipv4 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
static const struct in6_addr loopback_ipv4 = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};

/* What a host stands for before any resolver is asked, IPv4 as "::ffff:a.b.c.d". @return how many */
static size_t list_addresses(const char *host, struct in6_addr list[2])
{
    list[0] = any_ipv4;
    list[1] = in6addr_any;
    if (host[0] == '\0') /* all addresses */
        return 2;
    if (inet_pton(AF_INET, host, &list[0].s6_addr[12]) == 1 || inet_pton(AF_INET6, host, &list[0]) == 1)
        return 1;
    list[0] = loopback_ipv4;
    list[1] = in6addr_loopback;
    return strcasecmp(host, "localhost") == 0 || strcasecmp(host, "localhost.") == 0 ? 2 : 0;
}

/* Does a connection to `to` arrive at a listener on `listen`? */
static bool arrives(struct in6_addr to, const struct in6_addr *listen)
{
    if (IN6_ARE_ADDR_EQUAL(&to, &any_ipv4)) /* nobody can be there, the kernel takes the loopback address */
        to = loopback_ipv4;
    else if (IN6_IS_ADDR_UNSPECIFIED(&to))
        to = in6addr_loopback;
    if (IN6_ARE_ADDR_EQUAL(listen, &any_ipv4))
        return IN6_IS_ADDR_V4MAPPED(&to) && to.s6_addr[12] == 127;
    if (IN6_IS_ADDR_UNSPECIFIED(listen))
        return IN6_IS_ADDR_LOOPBACK(&to);
    return IN6_ARE_ADDR_EQUAL(&to, listen);
}

bool gm_validate_leads_back(const char *to_host, const char *listen_host)
{
    struct in6_addr to[2], listen[2];
    size_t to_count = list_addresses(to_host, to), listen_count = list_addresses(listen_host, listen);

    for (size_t i = 0; i != to_count; ++i)
        for (size_t j = 0; j != listen_count; ++j)
            if (arrives(to[i], &listen[j]))
                return true;
    return strcasecmp(to_host, listen_host) == 0;
}

bool gm_validate_is_loopback(const char *listen_host)
{
    struct in6_addr list[2];
    size_t count = list_addresses(listen_host, list);

    for (size_t i = 0; i != count; ++i)
        if (!(IN6_IS_ADDR_V4MAPPED(&list[i]) && list[i].s6_addr[12] == 127) &&
            !IN6_IS_ADDR_LOOPBACK(&list[i]))
            return false;
    return count != 0;
}

/* A backend behind a unix socket has no port, and no name that a certificate could be for. */
static void check_socket(const validation_t *v, gm_backend_conf_t *backend)
{
    if (backend->host == NULL || gm_text_unix_path(backend->host) == NULL)
        return;
    if (gm_config_find_origin(v->config, &backend->port) != NULL && !is_bad(v, &backend->port) &&
        !is_bad(v, &backend->host))
        complain(v, &backend->port, NULL, "port: a unix socket has none; remove the line");
    if (backend->tls.present && backend->tls.server_name == NULL && !is_bad(v, &backend->tls.server_name))
        complain(v, &backend->tls.present, NULL,
                 "tls: on a unix socket it needs server_name: the host that the certificate is for");
    backend->port = 0;
}

/* A proxy that is its own backend sends the first request round and round until no socket is left. */
static void check_loop(const validation_t *v, const gm_backend_conf_t *backend, const gm_place_t *otherwise)
{
    const gm_proxy_conf_t *proxy = &v->config->proxy;
    const gm_origin_t *port;
    char address[300];
    gm_error_t err = {0};

    if (backend->host == NULL || gm_text_unix_path(backend->host) != NULL || is_bad(v, &backend->host) ||
        is_bad(v, &backend->port) || is_bad(v, &proxy->listen_port) || is_bad(v, &proxy->listen_host))
        return;
    if (backend->port != proxy->listen_port &&
        !(proxy->tls.present && backend->port == proxy->tls.listen_port))
        return;
    if (!gm_validate_leads_back(backend->host, proxy->listen_host))
        return;
    /* of two equal ports one is no default */
    port = gm_config_find_origin(v->config, backend->port == proxy->listen_port ? &proxy->listen_port
                                                                                : &proxy->tls.listen_port);
    if (otherwise == NULL && port != NULL)
        otherwise = &port->place;
    gm_text_format_hostport(address, sizeof(address), backend->host, (uint16_t)backend->port);
    gm_error_set(&err, NULL, "the backend %s is this proxy itself: requests would go round in a circle",
                 address);
    complain(v, &backend->port, otherwise, err.text);
}

static bool is_route_host(const char *host)
{
    return strncmp(host, "*.", 2) == 0 ? gm_text_is_host(host + 2) && strchr(host, ':') == NULL
                                       : gm_text_is_host(host);
}

/* Only noted here: a new origin makes the next look-up sort all of them again. */
static void set_bad(validation_t *v, gm_route_conf_t *route)
{
    *gm_vector_push(&v->bad_routes) = route;
}

/* "::1", "[0::1]" → "[::1]", as a request names it. @return whether it is an IPv6 address */
static bool set_ipv6_host(char **host)
{
    size_t length = strlen(*host);
    bool in_brackets = length > 2 && (*host)[0] == '[' && (*host)[length - 1] == ']';
    char *bare = in_brackets ? gm_strndup(*host + 1, length - 2) : gm_strdup(*host);
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    bool is_ipv6 = inet_pton(AF_INET6, bare, &address) == 1;

    free(bare);
    if (is_ipv6) {
        gm_buffer_t canonical = {0};
        gm_buffer_printf(&canonical, "[%s]", inet_ntop(AF_INET6, &address, text, sizeof(text)));
        free(*host);
        *host = gm_buffer_detach(&canonical);
    }
    return is_ipv6;
}

static void check_host(validation_t *v, gm_route_conf_t *route)
{
    gm_hostport_t both;
    gm_error_t err = {0};
    char *host = route->match.host;
    size_t length;

    if (is_bad(v, &route->match.host))
        set_bad(v, route);
    if (host == NULL)
        return;
    for (char *c = host; *c != '\0'; ++c)
        *c = (char)tolower((unsigned char)*c);
    if (set_ipv6_host(&route->match.host))
        return;
    if (is_route_host(host)) {
        length = strlen(host);
        if (host[length - 1] == '.') /* "example.com." is the same name; requests lose their dot, too */
            host[length - 1] = '\0';
        return;
    }
    if (gm_text_parse_hostport(host, false, &both, NULL) == 0)
        gm_error_set(&err, NULL, "host: \"%.200s\" can never match: give the name without a port", host);
    else
        gm_error_set(&err, NULL,
                     "host: \"%.200s\" is not a host name; write api.example.com or *.example.com", host);
    complain(v, &route->match.host, &route->place, err.text);
    set_bad(v, route);
}

/* Prefixes need no wildcard, and have none. */
static void warn_of_wildcard(const validation_t *v, const gm_path_conf_t *path)
{
    const char *given = path->exact != NULL ? path->exact : path->prefix;
    const void *field = path->exact != NULL ? &path->exact : &path->prefix;

    if (strchr(given, '*') != NULL)
        gm_diagnostics_add(v->diagnostics, GM_SEVERITY_WARNING,
                           &gm_config_find_origin(v->config, field)->place,
                           "path: \"*\" in \"%.200s\" stands for itself; a prefix such as /api matches "
                           "everything below it",
                           given);
}

/* Can a request's path be this one? Fills *err if not. */
static void judge_path(const validation_t *v, const char *given, gm_error_t *err)
{
    if (given[0] != '/')
        gm_error_set(err, NULL, "path: \"%.200s\" can never match: paths begin with \"/\"", given);
    else if (strpbrk(given, "?#") != NULL)
        gm_error_set(err, NULL, "path: \"%.200s\" can never match: the query is not part of the path", given);
    else if (strlen(given) > v->config->proxy.limits.max_target_bytes)
        gm_error_set(err, NULL,
                     "path: \"%.60s...\" can never match: it is longer than proxy.limits.max_target", given);
    else if (v->checks != NULL && v->checks->check_path != NULL)
        v->checks->check_path(given, err);
}

static void check_path(validation_t *v, gm_route_conf_t *route)
{
    gm_path_conf_t *path = &route->match.path;
    char *given = path->exact != NULL ? path->exact : path->prefix;
    gm_error_t err = {0};
    size_t length;

    if (is_bad(v, &path->exact) || is_bad(v, &path->prefix))
        set_bad(v, route);
    if (path->exact != NULL && path->prefix != NULL)
        gm_error_set(&err, NULL, "path: \"exact\" and \"prefix\" exclude each other; keep one");
    else if (given == NULL)
        return;
    else if (given[0] == '/' && path->prefix != NULL && strlen(given) > 1 &&
             strcmp(given + strlen(given) - 2, "//") == 0)
        gm_error_set(&err, NULL, "path: \"%.200s\" ends in an empty segment; write it with one \"/\" or none",
                     given);
    else
        judge_path(v, given, &err);
    if (err.text[0] != '\0') {
        complain(v, path->exact != NULL ? &path->exact : &path->prefix, &route->place, err.text);
        set_bad(v, route);
        return;
    }
    warn_of_wildcard(v, path);
    /* "/users/" as a prefix says the same as "/users": whole segments */
    length = path->prefix != NULL ? strlen(path->prefix) : 0;
    if (length > 1 && path->prefix[length - 1] == '/')
        path->prefix[length - 1] = '\0';
}

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

static const char *prefix_of(const gm_route_conf_t *route)
{
    return route->match.path.prefix != NULL || route->match.path.exact != NULL ? route->match.path.prefix
                                                                               : "/";
}

static int compare_matches(const void *a, const void *b)
{
    const gm_route_conf_t *x = *(gm_route_conf_t *const *)a, *y = *(gm_route_conf_t *const *)b;
    int order = compare_texts(x->match.host, y->match.host);

    if (order == 0)
        order = compare_texts(x->match.path.exact, y->match.path.exact);
    if (order == 0)
        order = compare_texts(prefix_of(x), prefix_of(y));
    return order;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(gm_route_conf_t *const *)a)->name, (*(gm_route_conf_t *const *)b)->name);
}

static bool is_before(const gm_place_t *a, const gm_place_t *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

typedef int (*compare_t)(const void *a, const void *b);

/* Routes that are equal for `compare`: all but the first in the file are complained about. */
static void check_twins(const validation_t *v, compare_t compare, size_t field_offset, const char *text)
{
    size_t count = v->config->routes.size;
    gm_route_conf_t **sorted;

    if (count < 2)
        return;
    sorted = gm_alloc(count * sizeof(*sorted));
    memcpy(sorted, v->config->routes.items, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare);
    for (size_t i = 1; i < count; ++i) {
        gm_route_conf_t *a = sorted[i - 1], *b = sorted[i], *first, *second;
        gm_error_t err = {0};
        if (compare(&a, &b) != 0 || is_bad(v, &a->place) || is_bad(v, &b->place))
            continue;
        first = is_before(&a->place, &b->place) ? a : b;
        second = first == a ? b : a;
        gm_error_set(&err, NULL, text, second->name, first->place.line);
        complain(v, (char *)second + field_offset, &second->place, err.text);
        sorted[i] = first;
    }
    free(sorted);
}

static void check_routes(validation_t *v)
{
    gm_config_t *config = v->config;

    if (config->routes.size > MAX_ROUTES) {
        gm_diagnostics_add(v->diagnostics, GM_SEVERITY_ERROR, &config->routes.items[MAX_ROUTES]->place,
                           "more than %d routes", MAX_ROUTES);
        return;
    }
    for (size_t i = 0; i != config->routes.size; ++i) {
        gm_route_conf_t *route = config->routes.items[i];
        if (route->name == NULL) {
            gm_buffer_t name = {0};
            gm_buffer_printf(&name, "route-%zu", i + 1);
            route->name = gm_buffer_detach(&name);
        }
        check_host(v, route);
        check_path(v, route);
        check_socket(v, &route->backend);
        if (route->backend.present)
            check_loop(v, &route->backend, &route->place);
    }
    for (size_t i = 0; i != v->bad_routes.size; ++i)
        gm_config_set_origin(config, &v->bad_routes.items[i]->place, &v->bad_routes.items[i]->place, true);
    check_twins(v, compare_matches, offsetof(gm_route_conf_t, place),
                "route \"%.64s\" can never match: the route in line %d takes the same requests");
    check_twins(v, compare_names, offsetof(gm_route_conf_t, name),
                "name \"%.64s\" is already taken by the route in line %d");
}

/* Its path comes before all routes, also where nobody has asked for it. */
static void check_metrics(const validation_t *v)
{
    const gm_config_t *config = v->config;
    const char *given = config->metrics.path;
    gm_error_t err = {0};

    if (given == NULL || given[0] == '\0' || is_bad(v, &config->metrics.path))
        return;
    judge_path(v, given, &err);
    if (err.text[0] != '\0') {
        complain(v, &config->metrics.path, NULL, err.text);
        return;
    }
    for (size_t i = 0; i != config->routes.size; ++i) {
        const gm_route_conf_t *route = config->routes.items[i];
        const gm_origin_t *exact = gm_config_find_origin(v->config, &route->match.path.exact);
        if (exact != NULL && route->match.path.exact != NULL && strcmp(route->match.path.exact, given) == 0)
            gm_diagnostics_add(v->diagnostics, GM_SEVERITY_WARNING, &exact->place,
                               "route \"%.64s\" can never match: this path shows GoMesh's own metrics; "
                               "change metrics.path, or set it to \"\"",
                               route->name);
    }
}

/* What the library's own proxy cannot be told. */
static void check_engine(const validation_t *v)
{
    const gm_proxy_conf_t *proxy = &v->config->proxy;

    if (proxy->engine != GM_ENGINE_H2O || is_bad(v, &proxy->engine))
        return;
    if (proxy->trusted_proxies.size != 0)
        complain(
            v, &proxy->trusted_proxies, NULL,
            "trusted_proxies needs engine gomesh: engine h2o adds to the X-Forwarded-For of every client");
}

static bool holds_bodies(const gm_config_t *config)
{
    for (size_t i = 0; i != config->routes.size; ++i)
        if (config->routes.items[i]->request_buffering == GM_REQUEST_BUFFERING_ON)
            return true;
    return config->proxy.request_buffering != 0;
}

/* A default that nobody needs is not looked at. */
static void check_temp_dir(const validation_t *v)
{
    const gm_proxy_conf_t *proxy = &v->config->proxy;
    const gm_origin_t *given = gm_config_find_origin(v->config, &proxy->temp_dir);
    gm_error_t err = {0};
    struct stat info;

    if (proxy->temp_dir == NULL || is_bad(v, &proxy->temp_dir) || (given == NULL && !holds_bodies(v->config)))
        return;
    if (stat(proxy->temp_dir, &info) != 0)
        gm_error_set(&err, NULL, "temp_dir: %.200s: %s", proxy->temp_dir, strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        gm_error_set(&err, NULL, "temp_dir: %.200s is not a folder", proxy->temp_dir);
    else if (access(proxy->temp_dir, W_OK | X_OK) != 0)
        gm_error_set(&err, NULL, "temp_dir: %.200s cannot be written to: %s", proxy->temp_dir,
                     strerror(errno));
    else
        return;
    complain(v, given != NULL ? &proxy->temp_dir : (const void *)&proxy->request_buffering, NULL, err.text);
}

void gm_config_validate(gm_config_t *config, const gm_checks_t *checks, gm_diagnostics_t *diagnostics)
{
    validation_t v = {.config = config, .checks = checks, .diagnostics = diagnostics};

    if (config->routes.size == 0)
        config->proxy.backend.present = true;
    gm_config_validate_tls(config, checks, diagnostics);
    check_engine(&v);
    check_temp_dir(&v);
    check_socket(&v, &config->proxy.backend);
    if (config->proxy.backend.present)
        check_loop(&v, &config->proxy.backend, NULL);
    check_routes(&v);
    check_metrics(&v);
    gm_config_validate_log(config, checks, diagnostics);
    gm_config_validate_admin(config, diagnostics);
    gm_config_validate_policies(config, checks, diagnostics);
    gm_config_validate_tracing(config, checks, diagnostics);
    gm_vector_dispose(&v.bad_routes);
}
