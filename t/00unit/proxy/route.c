/* One route against one request: by hand, and many pseudo-random ones against a reading by strings. */
#include "proxy/route.h"

#include <stdlib.h>
#include <string.h>

#include "first_match.h"
#include "picotest.h"

#define ROUTES 6
#define PICK(list) ((list)[next_random(sizeof(list) / sizeof((list)[0]))])

static uint32_t seed = 11;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static bool matches(const char *route_host, const char *route_path, bool exact, const char *host,
                    const char *path)
{
    gm_snapshot_route_t route = {.host = route_host, .path = route_path, .exact = exact};
    gm_route_key_t key = {host, strlen(host), path, strlen(path)};

    return gm_route_matches(&route, &key);
}

static void test_paths(void)
{
    ok(matches(NULL, "/", false, "", "/"));
    ok(matches(NULL, "/", false, "", "/x/y"));
    ok(matches(NULL, "/", false, "", "//"));
    ok(matches(NULL, "/users", false, "", "/users"));
    ok(matches(NULL, "/users", false, "", "/users/"));
    ok(matches(NULL, "/users", false, "", "/users/7"));
    ok(!matches(NULL, "/users", false, "", "/users2"));
    ok(!matches(NULL, "/users", false, "", "/users%2F7"));
    ok(!matches(NULL, "/users", false, "", "/user"));
    ok(!matches(NULL, "/users", false, "", "/Users"));
    ok(matches(NULL, "/health", true, "", "/health"));
    ok(!matches(NULL, "/health", true, "", "/health/"));
    ok(!matches(NULL, "/health/", true, "", "/health"));
    ok(!matches(NULL, "/", true, "", "/x"));
    ok(matches(NULL, "/a//b", false, "", "/a//b/c"));
    ok(!matches(NULL, "/a//b", false, "", "/a/b"));
}

static void test_hosts(void)
{
    ok(matches("a.example", "/", false, "a.example", "/"));
    ok(!matches("a.example", "/", false, "b.example", "/"));
    ok(!matches("a.example", "/", false, "a.example.org", "/"));
    ok(!matches("a.example", "/", false, "", "/"));
    ok(matches("*.example", "/", false, "a.example", "/"));
    ok(matches("*.example", "/", false, "b.a.example", "/"));
    ok(!matches("*.example", "/", false, "example", "/"));
    ok(!matches("*.example", "/", false, ".example", "/"));
    ok(!matches("*.example", "/", false, "aexample", "/"));
    ok(!matches("*.example", "/", false, "", "/"));
    ok(matches(NULL, "/", false, "anything", "/"));
    ok(matches(NULL, "/", false, "", "/"));
}

static void test_first_match(void)
{
    const gm_snapshot_route_t routes[] = {{.path = "/a", .exact = true}, {.path = "/a"}, {.path = "/"}};
    const uint32_t some[] = {1, 2};
    gm_route_key_t key = {"", 0, "/a", 2}, other = {"", 0, "b", 1};

    ok(gm_route_find(routes, 3, &key) == &routes[0]);
    ok(gm_route_find_among(routes, some, 2, &key) == &routes[1]);
    ok(gm_route_find(routes, 3, &other) == NULL);
    ok(gm_route_find_among(routes, some, 0, &key) == NULL);
    ok(gm_route_find(NULL, 0, &key) == NULL);
}

/* The key's texts have no NUL after them: each lies at the end of a block of its own, where ASan sees a step.
 */
static size_t count_wrong(const gm_snapshot_route_t *routes, const char *host, const char *path,
                          size_t *found)
{
    size_t host_length = strlen(host), path_length = strlen(path), wrong = 0;
    char *host_bytes = gm_alloc(host_length + 1), *path_bytes = malloc(path_length);
    gm_route_key_t key = {memcpy(host_bytes + 1, host, host_length), host_length,
                          memcpy(path_bytes, path, path_length), path_length};
    const uint32_t all[ROUTES] = {0, 1, 2, 3, 4, 5};
    const gm_snapshot_route_t *wanted = first_match_naive(routes, ROUTES, host, path);

    wrong += gm_route_find(routes, ROUTES, &key) != wanted;
    wrong += gm_route_find_among(routes, all, ROUTES, &key) != wanted;
    for (size_t i = 0; i != ROUTES; ++i)
        wrong += gm_route_matches(&routes[i], &key) != (first_match_naive(&routes[i], 1, host, path) != NULL);
    *found += wanted != NULL;
    free(host_bytes);
    free(path_bytes);
    return wrong;
}

static void test_against_strings(void)
{
    static const char *const hosts[] = {NULL, "a", "a.a", "*.a", "*.a.a", "b.a", "*.b"};
    static const char *const names[] = {"", "a", "a.a", "b.a.a", ".a", "aa", "b", "a.b", "b.a"};
    static const char *const pieces[] = {"/", "/a", "a", "/%2F", "/b", "%2F", "/a"};
    size_t wrong = 0, found = 0;

    for (int i = 0; i != 120000; ++i) {
        gm_snapshot_route_t routes[ROUTES];
        char paths[ROUTES + 1][24];
        for (size_t j = 0; j <= ROUTES; ++j) {
            strcpy(paths[j], PICK(pieces)[0] == '/' ? "/a" : "/");
            for (uint32_t parts = next_random(4); parts != 0; --parts)
                strcat(paths[j], PICK(pieces));
            if (j != ROUTES)
                routes[j] = (gm_snapshot_route_t){
                    .host = PICK(hosts), .path = paths[j], .exact = next_random(2) != 0};
        }
        wrong += count_wrong(routes, PICK(names), paths[ROUTES], &found);
    }
    ok(wrong == 0);
    ok(found > 10000);
}

int main(void)
{
    subtest("paths", test_paths);
    subtest("hosts", test_hosts);
    subtest("the first match", test_first_match);
    subtest("against a reading by strings", test_against_strings);
    return done_testing();
}
