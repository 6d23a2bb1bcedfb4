/* Checks of policies. */
#include "config/validate.h"

#include "config_text.h"

#define ROUTE(path, policies) "routes:\n- { match: { path: " path " }, policies: [" policies "] }\n"
#define SERVED(path, policies)                                                                               \
    "routes:\n- { match: { path: " path " }, backend: { host: b, port: 1 }, policies: [" policies "] }\n"

static void test_kinds(void)
{
    ok(says("policies: null", ""));
    ok(says("policies: []", ""));
    ok(says("policies: [{}]", "1:12: error: policies: no key; give one such as \"access\"\n"));
    ok(says("policies: [{ acces: {} }]",
            "1:14: error: unknown key \"acces\" in policies; did you mean \"access\"?\n"));
    ok(says("policies: [{ zebra: {} }]", "1:14: error: unknown key \"zebra\" in policies\n"));
    ok(says("policies: [{ access: { deny: 1.2.3.4 }, rewrite: { host: a } }]",
            "1:41: error: policies: \"rewrite\" beside \"access\": one key only; begin a new item with \"- "
            "\"\n"));
    ok(says("policies: [access]", "1:12: error: policies: expected keys such as \"access\", found text\n"));
    ok(says("policies: { access: {} }",
            "1:11: error: policies: expected a list (lines that begin with \"- \"), found "
            "a mapping\n"));
}

static void test_access(void)
{
    ok(says("policies: [{ access: { allow: 10.0.0.0/8 } }, { access: { deny: ['::1'] } }]", ""));
    ok(says("policies: [{ access: }]", "1:22: error: access: names nobody; give \"allow\" or \"deny\"\n"));
    ok(says("policies: [{ access: {} }]", "1:22: error: access: names nobody; give \"allow\" or \"deny\"\n"));
    ok(says("policies: [{ access: { allow: [], deny: 1.2.3.4 } }]",
            "1:31: error: allow: the list is empty; leave it out to let in whom \"deny\" does not name\n"));
    ok(says("policies: [{ access: { allow: 10.0.0.0/33 } }]",
            "1:31: error: allow: \"10.0.0.0/33\": a length from 0 to 32 comes after the \"/\"\n"));
}

static void test_headers(void)
{
    ok(says("policies: [{ headers: { request: { set: [{ name: X-A, value: '%{path}' }], remove: X-B } } }]",
            ""));
    ok(says(
        "policies: [{ headers: { response: { add: [{ name: Set-Cookie, value: a }], remove: [Server] } } }]",
        ""));
    ok(says(
        "policies: [{ headers: { request: {} } }]",
        "1:23: error: headers: changes nothing; give \"request\" or \"response\" with \"set\", \"add\" or "
        "\"remove\"\n"));
    ok(says(
        "policies: [{ headers: { response: { remove: [Content-Length, Trailer, Date] } } }]",
        "1:46: error: remove: \"Content-Length\" belongs to one connection or frames a message: it is the "
        "proxy's\n"
        "1:62: error: remove: \"Trailer\" belongs to one connection or frames a message: it is the proxy's\n"
        "1:71: error: remove: \"Date\" is written by the proxy itself\n"));
    ok(says("policies: [{ headers: { request: { set: [{ name: x-forwarded-for, value: a }] } } }]",
            "1:50: error: name: \"x-forwarded-for\" is written by the proxy itself\n"));
    ok(says("policies: [{ headers: { request: { add: [{ name: X_Real_IP, value: '%{pth}' }] } } }]",
            "1:50: error: name: \"X_Real_IP\" could pass for a field of the proxy's; write it with \"-\"\n"
            "1:68: error: value: \"%{pth}\" is not known; did you mean \"%{path}\"?\n"));
    ok(says("policies: [{ headers: { request: { set: [{ name: X-A }, { value: b }] } } }]",
            "1:42: error: policies.headers: \"value\" is missing\n"
            "1:57: error: policies.headers: \"name\" is missing\n"));
    ok(says("policies: [{ headers: { request: { set: { X-A: b } } } }]",
            "1:41: error: set: expected a list (lines that begin with \"- \"), found a mapping\n"));
}

static void test_redirect(void)
{
    ok(says(ROUTE("{ prefix: /a }", "{ redirect: { prefix: /b, status: 308 } }"), ""));
    ok(says(ROUTE("{ prefix: /a }", "{ redirect: { prefix: /ab } }"), ""));
    ok(says(ROUTE("{ exact: /a }", "{ redirect: { prefix: /a/b } }"), ""));
    ok(says(SERVED("{ prefix: /a }", "{ redirect: { path: /a/b } }"), ""));
    ok(says(ROUTE("{ prefix: /a }", "{ redirect: { prefix: /a/b, port: 81 } }"),
            "")); /* another listener may be there */
    ok(says("policies: [{ redirect: { path: /closed } }, { redirect: { scheme: https } }]", ""));
    ok(says(ROUTE("{ prefix: /a }", "{ redirect: { status: 304 } }"),
            "2:71: error: status: \"304\" is not one of 301, 302, 303, 307, 308; did you mean \"301\"?\n"));
    ok(says("policies: [{ redirect: { status: 301 } }]",
            "1:24: error: redirect: leads nowhere; give \"scheme\", \"host\", \"port\", \"path\" or "
            "\"prefix\"\n"));
    ok(says(ROUTE("{ prefix: /a }", "{ redirect: { path: /b, prefix: /c } }"),
            "2:81: error: redirect: \"path\" and \"prefix\" exclude each other; keep one\n"));
    ok(says("policies: [{ redirect: { prefix: /a } }]",
            "1:34: error: prefix: it replaces the path of a route; put this policy into one\n"));
    ok(says("policies: [{ redirect: { path: a } }]",
            "1:32: error: path: \"a\" is not a path: paths begin with \"/\"\n"));
    ok(says("policies: [{ redirect: { path: //evil } }]",
            "1:32: error: path: \"//evil\" would be taken for a host by some programs\n"));
    ok(says("policies: [{ redirect: { path: '/a?b' } }]",
            "1:32: error: path: \"/a?b\" has a query in it; that of the request is kept\n"));
    ok(says("policies: [{ redirect: { host: 'http://a' } }]",
            "1:32: error: host: \"http://a\" is not a host name or an address\n"));
}

static void test_circles(void)
{
    ok(says(ROUTE("{ prefix: /a }", "{ redirect: { prefix: /a/b } }"),
            "2:71: error: prefix: \"/a/b\" is a path of this route: clients would go round in a circle\n"));
    ok(says(ROUTE("{ prefix: / }", "{ redirect: { prefix: /x } }"),
            "2:70: error: prefix: \"/x\" is a path of this route: clients would go round in a circle\n"));
    ok(says(ROUTE("{ prefix: /a }", "{ redirect: { prefix: /a, scheme: https } }"),
            "2:71: error: prefix: \"/a\" is a path of this route: clients would go round in a circle\n"));
    ok(says("routes:\n- match: { host: a.b, path: { prefix: /a } }\n"
            "  policies: [{ redirect: { prefix: /a/b, host: A.b } }]\n",
            "3:36: error: prefix: \"/a/b\" is a path of this route: clients would go round in a circle\n"));
    ok(says("routes:\n- match: { host: a.b, path: { prefix: /a } }\n"
            "  policies: [{ redirect: { prefix: /a/b, host: c.b } }]\n",
            ""));
    ok(says(ROUTE("{ exact: /a }", "{ redirect: { prefix: /a } }"),
            "2:70: error: prefix: \"/a\" is a path of this route: clients would go round in a circle\n"));
    ok(says(ROUTE("{ prefix: /a }", "{ redirect: { path: /a/b } }"),
            "2:69: error: path: \"/a/b\" is a path of this route, which has no backend to answer there\n"));
}

static void test_rewrite(void)
{
    ok(says(SERVED("{ prefix: /a }", "{ rewrite: { prefix: /, host: '::1' } }"), ""));
    ok(says("policies: [{ rewrite: { host: a.b } }]", ""));
    ok(says("policies: [{ rewrite: {} }]",
            "1:23: error: rewrite: changes nothing; give \"prefix\" or \"host\"\n"));
    ok(says("policies: [{ rewrite: { prefix: /a } }]",
            "1:33: error: prefix: it replaces the path of a route; put this policy into one\n"));
    ok(says(SERVED("{ prefix: /a }", "{ rewrite: { prefix: /b/../c } }"),
            "2:101: error: prefix: \"/b/../c\" is no canonical path: no dot segments, no blanks, no needless "
            "percent-codes\n"));
    ok(says(SERVED("{ prefix: /a }", "{ rewrite: { host: 'a:1' } }"),
            "2:99: error: host: \"a:1\" is a host with a port; give the port in a key of its own\n"));
}

static void test_cors(void)
{
    ok(says("policies: [{ cors: { allow_origins: ['*'], allow_methods: '*', allow_headers: ['*'] } }]", ""));
    ok(says(
        "policies: [{ cors: { allow_origins: ['https://*.a.b'], allow_credentials: true, max_age: 0s } }]",
        ""));
    ok(says("policies: [{ cors: }]", "1:20: error: policies.cors: \"allow_origins\" is missing\n"));
    ok(says("policies: [{ cors: { allow_origins: [] } }]",
            "1:37: error: allow_origins: the list is empty\n"));
    ok(says("policies: [{ cors: { allow_origins: ['*'], allow_headers: '*', allow_credentials: true } }]",
            "1:37: error: allow_origins: \"*\" does not go together with allow_credentials; name them\n"
            "1:59: error: allow_headers: \"*\" does not go together with allow_credentials; name them\n"));
    ok(says(
        "policies: [{ cors: { allow_origins: [a.b], allow_methods: ['a b'] } }]",
        "1:38: error: allow_origins: \"a.b\" is not an origin; write https://app.example, with its scheme\n"
        "1:60: error: allow_methods: \"a b\" is not a name\n"));
    ok(says("policies: [{ cors: { allow_origins: '*' } }, { cors: { allow_origins: '*' } }]",
            "1:54: error: cors: a second one; the first answers for both\n"));
    ok(says("policies: [{ cors: { allow_origins: '*' } }]\n" SERVED("{ prefix: /a }",
                                                                    "{ cors: { allow_origins: '*' } }"),
            "3:88: error: cors: the policies for all routes have one, which answers for this, too\n"));
}

static void test_without_backend(void)
{
    config_text_t text = config_text_load(ROUTE("{ prefix: /a }", "{ redirect: { path: /b } }"));
    const gm_snapshot_route_t *routes;
    size_t count = 0, clusters = 1;

    ok(text.snapshot != NULL);
    routes = text.snapshot != NULL ? gm_snapshot_routes(text.snapshot, &count) : NULL;
    ok(count == 1 && routes[0].cluster == GM_NO_CLUSTER && routes[0].policies->size == 1);
    ok(text.snapshot != NULL && gm_snapshot_clusters(text.snapshot, &clusters) == NULL && clusters == 0);
    config_text_dispose(&text);
    ok(says(ROUTE("{ prefix: /a }", "{ rewrite: { host: a } }"),
            "2:3: error: routes: \"backend\" is missing, and no policy here is a redirect\n"));
    ok(says("routes: [{ name: a, policies: [] }]",
            "1:10: error: routes: \"backend\" is missing, and no policy here is a redirect\n"));
    ok(says("routes: [{ name: a }]", "1:10: error: routes: \"backend\" is missing\n"));
    ok(says(ROUTE("{ prefix: /a }", "{ redirct: { path: /b } }"),
            "2:51: error: unknown key \"redirct\" in policies; did you mean \"redirect\"?\n"));
}

/* Those that are at the head of every chain. */
static void test_settings(void)
{
    ok(says("policies: [{ recovery: {} }, { tracing: }, { metrics: {} }, { logging: {} }]", ""));
    ok(says("policies: [{ recovery: { on_failure: pass } }, { logging: { sample: 0.5, slower_than: auto } "
            "}]\n" SERVED("{ prefix: /a }",
                          "{ recovery: { on_failure: answer } }, { logging: { sample: auto } }"),
            ""));
    ok(says(
        "policies:\n- { tracing: { enabled: false } }\n- { access: { deny: 1.2.3.4 } }\n- { tracing: {} }",
        "4:14: error: tracing: a second one in this list; the first is in line 2\n"));
    ok(says(SERVED("{ prefix: /a }", "{ recovery: {} }, { logging: {} }, { recovery: {} }, { logging: {} }"),
            "2:127: error: recovery: a second one in this list; the first is in line 2\n"
            "2:144: error: logging: a second one in this list; the first is in line 2\n"));
    ok(says("policies: [{ metrics: { enabled: maybe } }]",
            "1:34: error: enabled: \"maybe\" is not one of auto, false, true\n"));
    ok(says("policies: [{ recovery: { on_failure: ignore } }]",
            "1:38: error: on_failure: \"ignore\" is not one of auto, answer, pass\n"));
    ok(says("policies: [{ logging: { slower_than: 25h } }]",
            "1:38: error: slower_than: 25h is out of range, expected 0s to 24h\n"));
    ok(says("policies: [{ logging: { path: a } }]",
            "1:25: error: unknown key \"path\" in policies.logging\n"));
    ok(says("metrics: { path: '' }\nadmin: { listen: '' }\npolicies: [{ metrics: { enabled: true } }]",
            "3:34: warning: metrics: nobody can read them: metrics.path is \"\", and there is no admin "
            "window\n"));
    ok(says("policies: [{ metrics: { enabled: true } }]", ""));
    ok(says(ROUTE("{ prefix: /a }", "{ logging: {} }"),
            "2:3: error: routes: \"backend\" is missing, and no policy here is a redirect\n"));
}

int main(void)
{
    subtest("kinds", test_kinds);
    subtest("access", test_access);
    subtest("headers", test_headers);
    subtest("redirect", test_redirect);
    subtest("circles", test_circles);
    subtest("rewrite", test_rewrite);
    subtest("cors", test_cors);
    subtest("routes without a backend", test_without_backend);
    subtest("settings of those that are always there", test_settings);
    return done_testing();
}
