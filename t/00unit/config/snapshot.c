/* The frozen form: clusters without repetition, routes in order of precedence. */
#include "config/snapshot.h"

#include "config_text.h"

static uint32_t seed = 3;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Paths are no names: their letters are what they are. */
static void test_sockets(void)
{
    config_text_t text = config_text_load(
        "proxy: { backend: \"unix:/run/a\" }\nroutes:\n"
        "- { name: x, match: { path: { exact: /x } }, backend: { host: \"unix:/run/a\" } }\n"
        "- { name: y, match: { path: { exact: /y } }, backend: { host: \"unix:/run/A\" } }\n");
    size_t count = 0;
    const gm_snapshot_cluster_t *clusters = gm_snapshot_clusters(text.snapshot, &count);

    ok(count == 2 && clusters[0].port == 0 && clusters[1].port == 0);
    ok(strcmp(clusters[0].authority, "unix:/run/a") == 0 &&
       strcmp(clusters[1].authority, "unix:/run/A") == 0);
    config_text_dispose(&text);
}

static void test_clusters(void)
{
    config_text_t text = config_text_load(
        "proxy: { backend: { host: a, port: 1 } }\nroutes:\n"
        "- { name: x, match: { path: { exact: /x } }, backend: { host: A, port: 1 } }\n"
        "- { name: y, match: { path: { exact: /y } }, backend: { host: \"::1\", port: 2 } }\n");
    size_t count = 0, route_count = 0;
    const gm_snapshot_cluster_t *clusters = gm_snapshot_clusters(text.snapshot, &count);
    const gm_snapshot_route_t *routes = gm_snapshot_routes(text.snapshot, &route_count);

    ok(count == 2 && strcmp(clusters[0].name, "backend") == 0 && strcmp(clusters[0].authority, "a:1") == 0);
    ok(strcmp(clusters[1].name, "y") == 0 && strcmp(clusters[1].authority, "[::1]:2") == 0);
    ok(route_count == 3 && strcmp(routes[2].name, "backend") == 0 && strcmp(routes[2].path, "/") == 0);
    ok(routes[0].cluster == 0 && routes[1].cluster == 1 && routes[2].cluster == 0);
    ok(gm_snapshot_retain(text.snapshot) == text.snapshot);
    gm_snapshot_release(text.snapshot);
    gm_snapshot_release(NULL);
    config_text_dispose(&text);
}

/* A connection is made with the settings of its cluster. */
static void test_tls(void)
{
    static const char *const settings[] = {"",
                                           ", tls: {}",
                                           ", tls: { verify: true }",
                                           ", tls: { verify: false }",
                                           ", tls: { ca_file: c }",
                                           ", tls: { ca_file: d }",
                                           ", tls: { server_name: c }",
                                           ", tls: { cert_file: c, key_file: k }",
                                           ", tls: { cert_file: c, key_file: l }",
                                           ", tls: { ca_file: c, verify: true }"};
    static const size_t clusters_of[] = {0, 1, 1, 2, 3, 4, 5, 6, 7, 3};
    size_t count = 0, route_count = 0;
    gm_buffer_t yaml = {0};
    config_text_t text;
    const gm_snapshot_cluster_t *clusters;
    const gm_snapshot_route_t *routes;

    gm_buffer_append_text(&yaml, "routes:\n");
    for (size_t i = 0; i != 10; ++i)
        gm_buffer_printf(&yaml, "- { match: { path: { exact: /%zu } }, backend: { host: b, port: 1%s } }\n",
                         i, settings[i]);
    text = config_text_load(yaml.text);
    clusters = gm_snapshot_clusters(text.snapshot, &count);
    routes = gm_snapshot_routes(text.snapshot, &route_count);
    ok(count == 8 && route_count == 10);
    for (size_t i = 0; i != route_count; ++i)
        ok(routes[i].cluster == clusters_of[i]);
    ok(clusters[0].tls == NULL && clusters[1].tls != NULL && clusters[1].tls->verify);
    ok(!clusters[2].tls->verify && strcmp(clusters[3].tls->ca_file, "c") == 0);
    gm_buffer_dispose(&yaml);
    config_text_dispose(&text);
}

static void test_places(void)
{
    config_text_t text = config_text_load("proxy:\n  listen_port: 81\n");
    const gm_config_t *config = gm_snapshot_config(text.snapshot);
    const gm_place_t *place = gm_snapshot_place_of(text.snapshot, &config->proxy.listen_port);

    ok(place != NULL && place->line == 2 && place->column == 16);
    ok(gm_snapshot_place_of(text.snapshot, &config->proxy.workers) == NULL);
    config_text_dispose(&text);
}

/* The rule in words: host exact, wildcard by length, any; then exact path; then longer path; then file order.
 */
static bool comes_before(const gm_snapshot_route_t *a, const gm_snapshot_route_t *b)
{
    int a_host = a->host == NULL ? 0 : a->host[0] == '*' ? (int)strlen(a->host) : 1000;
    int b_host = b->host == NULL ? 0 : b->host[0] == '*' ? (int)strlen(b->host) : 1000;

    if (a_host != b_host)
        return a_host > b_host;
    if (a->exact != b->exact)
        return a->exact;
    if (strlen(a->path) != strlen(b->path))
        return strlen(a->path) > strlen(b->path);
    return atoi(a->name + 1) < atoi(b->name + 1);
}

static void test_precedence(void)
{
    static const char *const hosts[] = {"", "host: a.x, ", "host: b.x, ", "host: \"*.x\", ",
                                        "host: \"*.a.x\", "};
    static const char *const paths[] = {"/", "/a", "/b", "/a/b", "/c/d", "/abc"};
    size_t wrong = 0, tables = 0;

    for (int table = 0; table != 2000; ++table) {
        gm_buffer_t yaml = {0};
        config_text_t text;
        size_t count = 0;
        const gm_snapshot_route_t *routes;
        gm_buffer_append_text(&yaml, "routes:\n");
        for (uint32_t i = 0, wanted = 1 + next_random(7); i != wanted; ++i)
            gm_buffer_printf(
                &yaml, "- { name: r%u, match: { %spath: { %s: %s } }, backend: { host: b, port: %u } }\n", i,
                hosts[next_random(5)], next_random(2) != 0 ? "exact" : "prefix", paths[next_random(6)],
                i + 1);
        text = config_text_load(yaml.text);
        gm_buffer_dispose(&yaml);
        if (text.snapshot != NULL) { /* not refused for twins */
            routes = gm_snapshot_routes(text.snapshot, &count);
            ++tables;
            for (size_t i = 1; i < count; ++i)
                wrong += !comes_before(&routes[i - 1], &routes[i]);
        }
        config_text_dispose(&text);
    }
    ok(wrong == 0);
    ok(tables > 500);
}

static bool holds(const char *yaml, const char *name)
{
    config_text_t text = config_text_load(yaml);
    size_t count = 0;
    const gm_snapshot_route_t *routes = gm_snapshot_routes(text.snapshot, &count);
    bool holds_body = false;

    for (size_t i = 0; i != count; ++i)
        if (strcmp(routes[i].name, name) == 0)
            holds_body = routes[i].holds_body;
    config_text_dispose(&text);
    return holds_body;
}

static void test_buffering(void)
{
    static const char off[] =
        "proxy: { backend: { host: d } }\n"
        "routes:\n"
        "- { name: a, match: { path: { prefix: /a } }, backend: { host: b, port: 1 } }\n"
        "- { name: b, match: { path: { prefix: /b } }, backend: { host: b, port: 1 },\n"
        "    request_buffering: true }\n";
    static const char on[] = "proxy: { backend: { host: d }, request_buffering: true }\n"
                             "routes:\n"
                             "- { name: a, match: { path: { prefix: /a } }, backend: { host: b, port: 1 } }\n"
                             "- { name: b, match: { path: { prefix: /b } }, backend: { host: b, port: 1 },\n"
                             "    request_buffering: false }\n";

    ok(!holds(off, "a") && holds(off, "b") && !holds(off, "backend"));
    ok(holds(on, "a") && !holds(on, "b") && holds(on, "backend"));
}

int main(void)
{
    subtest("clusters", test_clusters);
    subtest("request_buffering", test_buffering);
    subtest("unix sockets", test_sockets);
    subtest("TLS", test_tls);
    subtest("places", test_places);
    subtest("precedence", test_precedence);
    return done_testing();
}
