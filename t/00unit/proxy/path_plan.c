/*
 * The plan of hostconfs and pathconfs, compared with naive first match on more than 100,000 pseudo-random
 * tables out of small alphabets, so that routes collide. What the library does with a request and what
 * proxy/handler does then is written down here a second time.
 */
#include "proxy/path_plan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "first_match.h"
#include "http/path.h"
#include "picotest.h"

#define TABLES 120000
#define REQUESTS 6
#define MAX_ROUTES 8
#define PICK(list) ((list)[next_random(sizeof(list) / sizeof((list)[0]))])

static uint32_t seed = 7;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* "[::1]" never fits a hostconf, as the library compares without brackets; "default" is the first one's name
 */
static const char *const route_hosts[] = {NULL,    NULL, "a.x",   "b.a.x",  "*.x",
                                          "*.a.x", "x",  "[::1]", "default"};
static const char *const request_hosts[] = {"a.x", "b.a.x", "c.b.a.x", "x",  "other",  "A.X",    "",
                                            "c.X", "a.x.",  "[::1]",   ".x", "b.A.x.", "default"};
static const char *const route_pieces[] = {"/", "/", "/a",  "/a",  "/b",  "/ab",
                                           "a", "b", "%2F", "%20", "/.a", "%C3%BC"};
static const char *const request_pieces[] = {"/",   "/a",  "/a",  "/b",  "/ab", "a", "b",   "//",  "/.",
                                             "/..", "%2F", "%2f", "%61", "%20", ".", "/.a", "%2e", "%c3%bc"};

typedef struct table {
    gm_snapshot_route_t routes[MAX_ROUTES];
    char paths[MAX_ROUTES][32];
    size_t count;
    gm_path_plan_t *plan;
} table_t;

typedef struct result {
    size_t wrong, found, fallback, quick, slow;
} result_t;

static void make_route(table_t *table)
{
    gm_snapshot_route_t *route = &table->routes[table->count];
    char *path = table->paths[table->count];
    gm_error_t err = {0};

    do { /* until it is one that config/validate lets through */
        path[0] = '\0';
        for (uint32_t parts = 1 + next_random(4); parts != 0; --parts)
            strcat(path, PICK(route_pieces));
    } while (gm_path_check(path, &err) != 0);
    *route = (gm_snapshot_route_t){.host = PICK(route_hosts), .path = path, .exact = next_random(2) != 0};
    for (size_t length = strlen(path); !route->exact && length > 1 && path[length - 1] == '/'; --length)
        path[length - 1] = '\0';
    ++table->count;
}

/* What server/generation and proxy/handler make of the plan. */
static const gm_snapshot_route_t *planned_match(const table_t *table, const char *host, const char *target,
                                                const gm_route_key_t *key, result_t *result)
{
    bool is_bracketed = host[0] == '['; /* the library takes the brackets off */
    const gm_planned_host_t *hostconf =
        first_match_hostconf(table->plan, is_bracketed ? "::1" : host, next_random(2) != 0);
    char *normalized = first_match_normalize(target);
    const gm_planned_path_t *pathconf;
    bool is_ours;

    pathconf = first_match_pathconf(hostconf, normalized);
    is_ours = strcmp(normalized, key->path) == 0;
    free(normalized);
    if (pathconf == NULL) {
        ++result->fallback;
        return NULL;
    }
    ++*(is_ours ? &result->quick : &result->slow);
    return is_ours ? gm_route_find_among(table->routes, pathconf->candidates, pathconf->count, key)
                   : gm_route_find(table->routes, table->count, key);
}

static void try_request(const table_t *table, result_t *result)
{
    const char *host = PICK(request_hosts), *why;
    char target[96] = "/", path[96], name[32];
    size_t length, query, host_length = strlen(host);
    const gm_snapshot_route_t *wanted, *got;
    gm_route_key_t key;

    if (table->count != 0 && next_random(3) != 0) /* at a route or near it */
        strcpy(target, table->paths[next_random((uint32_t)table->count)]);
    for (uint32_t parts = next_random(5); parts != 0; --parts)
        strcat(target, PICK(request_pieces));
    if (next_random(4) == 0)
        strcat(target, "?/a/../%2F");
    if ((length = gm_path_canonicalize(target, strlen(target), path, &query, &why)) == 0)
        return;
    path[query] = '\0';
    if (host_length > 1 && host[host_length - 1] == '.') /* as proxy/admission does */
        --host_length;
    for (size_t i = 0; i != host_length; ++i)
        name[i] = (char)tolower((unsigned char)host[i]);
    name[host_length] = '\0';
    key = (gm_route_key_t){name, host_length, path, query};
    wanted = first_match_naive(table->routes, table->count, name, path);
    got = planned_match(table, host, target, &key, result);
    result->found += wanted != NULL;
    if (got != wanted && result->wrong++ < 3)
        note("%s %s: route %d, wanted %d", host, target, got != NULL ? (int)(got - table->routes) : -1,
             wanted != NULL ? (int)(wanted - table->routes) : -1);
}

static void test_against_first_match(void)
{
    static table_t table;
    result_t result = {0};

    for (int i = 0; i != TABLES; ++i) {
        table.count = 0;
        for (uint32_t routes = next_random(MAX_ROUTES + 1); routes != 0; --routes)
            make_route(&table);
        table.plan = gm_path_plan_create(table.routes, table.count);
        for (int j = 0; j != REQUESTS; ++j)
            try_request(&table, &result);
        gm_path_plan_destroy(table.plan);
    }
    note("%zu found, %zu among candidates, %zu among all", result.found, result.quick, result.slow);
    ok(result.wrong == 0);
    ok(result.fallback == 0);
    ok(result.found > TABLES / 2); /* the rest says that the draw was not in vain */
    ok(result.quick > TABLES);
    ok(result.slow > TABLES / 2);
}

/* Candidates ascend and lie below the pathconf or above it; no hostconf or pathconf comes twice. */
static size_t count_faults(const gm_path_plan_t *plan)
{
    size_t faults = 0;

    for (size_t i = 0; i != plan->hosts.size; ++i) {
        const gm_planned_host_t *host = &plan->hosts.items[i];
        faults += (i == 0) != (host->host == NULL) || host->paths.size == 0;
        for (size_t j = 1; j < i; ++j)
            faults += strcmp(plan->hosts.items[j].host, host->host) == 0;
        for (size_t j = 0; j != host->paths.size; ++j) {
            const gm_planned_path_t *path = &host->paths.items[j];
            faults += (j == host->paths.size - 1) != (strcmp(path->path, "/") == 0);
            faults += j != 0 && strlen(path->path) > strlen(host->paths.items[j - 1].path);
            faults += j != 0 && strcmp(path->path, host->paths.items[j - 1].path) == 0;
            for (size_t k = 1; k < path->count; ++k)
                faults += path->candidates[k] <= path->candidates[k - 1];
        }
    }
    return faults;
}

static void test_order(void)
{
    static table_t table;
    size_t faults = 0;

    for (int i = 0; i != 2000; ++i) {
        table.count = 0;
        for (uint32_t routes = next_random(MAX_ROUTES + 1); routes != 0; --routes)
            make_route(&table);
        table.plan = gm_path_plan_create(table.routes, table.count);
        faults += count_faults(table.plan);
        gm_path_plan_destroy(table.plan);
    }
    ok(faults == 0);
}

static void test_shape(void)
{
    const gm_snapshot_route_t routes[] = {{.host = "a.x", .path = "/users"},
                                          {.host = "*.x", .path = "/"},
                                          {.path = "/a%2Fb", .exact = true},
                                          {.path = "/users"}};
    gm_path_plan_t *plan = gm_path_plan_create(routes, 4);

    ok(plan->hosts.size == 3);
    ok(plan->hosts.items[0].host == NULL);
    ok(strcmp(plan->hosts.items[1].host, "a.x") == 0);
    ok(strcmp(plan->hosts.items[2].host, "*.x") == 0);
    ok(plan->hosts.items[1].paths.size == 2);
    ok(strcmp(plan->hosts.items[1].paths.items[0].path, "/users") == 0);
    ok(strcmp(plan->hosts.items[1].paths.items[1].path, "/") == 0);
    ok(plan->hosts.items[1].paths.items[0].count == 4);
    ok(plan->hosts.items[1].paths.items[1].count == 2);
    gm_path_plan_destroy(plan);
    plan = gm_path_plan_create(NULL, 0);
    ok(plan->hosts.size == 1 && plan->hosts.items[0].paths.size == 1);
    gm_path_plan_destroy(plan);
    gm_path_plan_destroy(NULL);
}

int main(void)
{
    subtest("shape", test_shape);
    subtest("order", test_order);
    subtest("against naive first match", test_against_first_match);
    return done_testing();
}
