/* Checks across options. */
#include "config/validate.h"

#include <stdlib.h>
#include <string.h>

#include "config_text.h"

#define BACKEND "backend: { host: b, port: 1 }"

static size_t sorted_items;

/* Stands in front of libc's: work is bounded by counting what is sorted, not by time. Small and slow. */
void qsort(void *items, size_t count, size_t item_bytes, int (*compare)(const void *, const void *))
{
    char *gap = gm_alloc(item_bytes), *base = items;

    sorted_items += count;
    for (size_t step = count / 2; step != 0; step /= 2) {
        for (size_t i = step, j; i < count; ++i) {
            memcpy(gap, base + i * item_bytes, item_bytes);
            for (j = i; j >= step && compare(base + (j - step) * item_bytes, gap) > 0; j -= step)
                memcpy(base + j * item_bytes, base + (j - step) * item_bytes, item_bytes);
            memcpy(base + j * item_bytes, gap, item_bytes);
        }
    }
    free(gap);
}

/* How much loading so many routes sorts. */
static size_t sorted_for(size_t routes, const char *host, bool valid)
{
    gm_buffer_t yaml = {0};
    config_text_t text;

    gm_buffer_append_text(&yaml, "routes:\n");
    for (size_t i = 0; i != routes; ++i)
        gm_buffer_printf(&yaml, "- { match: { host: \"%s%zu\" }, " BACKEND " }\n", host, i);
    sorted_items = 0;
    text = config_text_load(yaml.text);
    if ((text.snapshot != NULL) != valid || text.diagnostics.errors != (valid ? 0 : routes))
        note("%zu errors", text.diagnostics.errors);
    gm_buffer_dispose(&yaml);
    config_text_dispose(&text);
    return sorted_items;
}

/* Many mistakes cost as much as many routes, not their square. */
static void test_many_mistakes(void)
{
    size_t good = sorted_for(500, "a", true), bad = sorted_for(500, "a b", false);

    note("%zu items sorted without mistakes, %zu with", good, bad);
    ok(good > 500);
    ok(bad < 4 * good);
}

static void test_ports(void)
{
    ok(says("proxy: { listen_port: 8443, tls: { cert_file: c, key_file: k } }", /* a default meets a value */
            "1:23: error: tls.listen_port is the same as proxy.listen_port; they need two ports\n"));
    ok(says("proxy:\n  listen_port: 99\n  tls: { listen_port: 99, cert_file: c, key_file: k }\n",
            "3:23: error: tls.listen_port is the same as proxy.listen_port; they need two ports\n"));
    ok(says("proxy: { listen_port: 3000 }", "1:23: error: the backend localhost:3000 is this proxy itself: "
                                            "requests would go round in a circle\n"));
    ok(says("proxy: { backend: { host: 127.0.0.1, port: 8000 } }",
            "1:44: error: the backend 127.0.0.1:8000 is this proxy itself: requests would go round in a "
            "circle\n"));
    ok(says("proxy: { listen_host: 10.0.0.1, backend: { host: 127.0.0.1, port: 8000 } }", ""));
    ok(says("proxy: { backend: { host: other, port: 8000 } }", ""));
    ok(says("routes: [{ backend: { host: localhost, port: 8000 } }]",
            "1:46: error: the backend localhost:8000 is this proxy itself: requests would go round in a "
            "circle\n"));
}

static bool is_circle(const char *listen_host, const char *backend)
{
    gm_buffer_t yaml = {0};
    config_text_t text;
    bool found;

    gm_buffer_printf(&yaml, "proxy: { listen_host: \"%s\", backend: { host: \"%s\", port: 8000 } }",
                     listen_host, backend);
    text = config_text_load(yaml.text);
    found = text.printed.text != NULL && strstr(text.printed.text, "go round in a circle") != NULL;
    if ((text.snapshot == NULL) != found)
        note("%s: %s", yaml.text, text.printed.text != NULL ? text.printed.text : "nothing");
    gm_buffer_dispose(&yaml);
    config_text_dispose(&text);
    return found;
}

/* One place has many names. */
/* With a path of so many bytes. */
static bool socket_is_taken(int length)
{
    config_text_t text;
    gm_buffer_t yaml = {0};
    bool is_taken;

    gm_buffer_printf(&yaml, "proxy: { backend: \"unix:/%0*d\" }", length - 1, 0);
    text = config_text_load(yaml.text);
    is_taken = text.snapshot != NULL;
    ok(is_taken || strstr(text.printed.text, "is too long, a socket's path has at most 107 bytes") != NULL);
    config_text_dispose(&text);
    gm_buffer_dispose(&yaml);
    return is_taken;
}

static void test_sockets(void)
{
    ok(says("proxy: { backend: { host: \"unix:/run/a.sock\" } }", ""));
    ok(says("proxy: { listen_port: 3000, backend: \"unix:/run/a.sock\" }", ""));
    ok(says("routes: [{ backend: { host: \"unix:/run/a.sock\" } }]", ""));
    ok(says("routes: [{ backend: \"unix:/run/${EMPTY}a.sock\" }]", ""));
    ok(says("proxy: { backend: { host: \"unix:/run/a.sock\", port: 80 } }",
            "1:53: error: port: a unix socket has none; remove the line\n"));
    ok(says("routes: [{ backend: { port: 80, host: \"unix:/run/a.sock\" } }]",
            "1:29: error: port: a unix socket has none; remove the line\n"));
    ok(says("routes: [{ backend: { host: a } }]", "1:21: error: routes.backend: \"port\" is missing\n"));
    ok(says("proxy: { backend: { host: \"unix:a.sock\" } }",
            "1:27: error: host: \"unix:a.sock\" names no socket: its path begins with \"/\"\n"));
    ok(says("proxy: { backend: \"unix:a.sock\" }",
            "1:19: error: backend: \"unix:a.sock\" names no socket: its path begins with \"/\"\n"));
    ok(says("proxy: { listen_host: \"unix:/a.sock\" }",
            "1:23: error: listen_host: \"unix:/a.sock\" is not a host name or an address\n"));
    ok(says(
        "proxy: { backend: { host: \"unix:/a\", tls: {} } }",
        "1:43: error: tls: on a unix socket it needs server_name: the host that the certificate is for\n"));
    ok(says("proxy: { backend: { host: \"unix:/a\", tls: { server_name: a.x } } }", ""));
    ok(socket_is_taken(107));
    ok(!socket_is_taken(108));
}

static void test_circles(void)
{
    static const char *const pairs[][2] = {
        {"127.0.0.1", "localhost"},
        {"127.0.0.1", "LOCALHOST"},
        {"127.0.0.1", "localhost."},
        {"127.0.0.1", "0.0.0.0"},
        {"::1", "localhost"},
        {"::1", "0:0::1"},
        {"::1", "::"},
        {"localhost", "127.0.0.1"},
        {"localhost", "::1"},
        {"localhost", "localhost"},
        {"0.0.0.0", "localhost"},
        {"0.0.0.0", "127.0.0.1"},
        {"::", "::1"},
        {"::", "localhost"},
        {"", "localhost"},
        {"", "127.0.0.2"},
        {"", "0.0.0.0"},
        {"", "::"},
        {"", "::ffff:127.0.0.1"},
        {"10.0.0.1", "10.0.0.1"},
        {"2001:DB8::1", "2001:db8:0::1"},
        {"Home", "hOME"},
    };
    static const char *const ways[][2] = {
        {"10.0.0.1", "localhost"}, {"127.0.0.2", "localhost"}, {"127.0.0.1", "127.0.0.2"},
        {"127.0.0.1", "::1"},      {"::1", "127.0.0.1"},       {"::", "127.0.0.1"},
        {"0.0.0.0", "::1"},        {"127.0.0.1", "::"},        {"::1", "0.0.0.0"},
        {"", "10.0.0.1"},          {"", "a.localhost"},        {"127.0.0.1", "localhost.example"},
        {"home", "away"},
    };

    for (size_t i = 0; i != sizeof(pairs) / sizeof(pairs[0]); ++i)
        if (!ok(is_circle(pairs[i][0], pairs[i][1])))
            note("from %s to %s", pairs[i][0], pairs[i][1]);
    for (size_t i = 0; i != sizeof(ways) / sizeof(ways[0]); ++i)
        if (!ok(!is_circle(ways[i][0], ways[i][1])))
            note("from %s to %s", ways[i][0], ways[i][1]);
    ok(says("proxy: { listen_host: 127.0.0.1 }\nroutes: [{ backend: { host: localhost, port: 8000 } }]",
            "2:46: error: the backend localhost:8000 is this proxy itself: requests would go round in a "
            "circle\n"));
    ok(says("proxy: { listen_host: \"::1\", tls: { cert_file: c, key_file: k, listen_port: 3000 } }",
            "1:77: error: the backend localhost:3000 is this proxy itself: requests would go round in a "
            "circle\n"));
}

static void test_tls(void)
{
    ok(says("proxy: { tls: { cert_file: bad, key_file: /dev/null } }", "1:28: error: cannot be used\n"));
    ok(says("proxy: { tls: { cert_file: c, key_file: bad } }", "1:41: error: cannot be used\n"));
    ok(says("proxy: { tls: { cert_file: old, key_file: k } }", "1:28: warning: has expired\n"));
}

#define PAIR "cert_file: c, key_file: k"

static void test_certificates(void)
{
    ok(says("proxy: { tls: { certificates: [{ " PAIR " }, { " PAIR ", names: [a.b, \"*.A.b.\"] }] } }", ""));
    ok(says("proxy: { tls: { " PAIR ", certificates: [{ " PAIR ", names: a }] } }", ""));
    ok(says("proxy: { tls: { certificates: [{ " PAIR
            ", names: [a, \"a:1\", 1.2.3.4, \"::1\", \"a b\", \"\"] }] } }",
            "1:72: error: names: \"a:1\" is not a host name; write www.example.com or *.example.com\n"
            "1:79: error: names: \"1.2.3.4\" is not a host name; write www.example.com or *.example.com\n"
            "1:88: error: names: \"::1\" is not a host name; write www.example.com or *.example.com\n"
            "1:95: error: names: \"a b\" is not a host name; write www.example.com or *.example.com\n"
            "1:102: error: names: must not be empty\n"));
    ok(says("proxy: { tls: { certificates: [{ " PAIR ", names: [[], null] }] } }",
            "1:69: error: names: expected text, found a list\n1:73: error: names: expected text, found "
            "nothing\n"));
    ok(says("proxy: { tls: { certificates: [{ cert_file: bad, key_file: /dev/null }, { cert_file: old, "
            "key_file: k "
            "}] } }",
            "1:45: error: cannot be used\n1:86: warning: has expired\n"));
    ok(says("proxy: { tls: { certificates: [{ cert_file: nameless, key_file: k }, { cert_file: nameless, "
            "key_file: k "
            "}] } }",
            "1:83: error: this certificate can never be chosen: it names no host; give it names: "
            "[www.example.com]\n"));
    ok(says("proxy: { tls: { certificates: [{ " PAIR " }], cert_file: /dev/null } }",
            "1:75: error: proxy.tls: \"key_file\" is missing\n"));
    ok(says("proxy: { tls: { certificates: [] } }",
            "1:31: error: certificates: the list is empty; give one, or cert_file and key_file\n"));
    ok(says("proxy: { tls: { certificates: [c] } }",
            "1:32: error: certificates: expected keys such as \"cert_file\", found text\n"));
    ok(says("proxy: { tls: { certificates: [{}] } }",
            "1:32: error: tls.certificates: \"cert_file\" is missing\n"
            "1:32: error: tls.certificates: \"key_file\" is missing\n"));
}

static void test_client_auth(void)
{
    ok(says("proxy: { tls: { " PAIR ", client_ca_file: c } }", ""));
    ok(says("proxy: { tls: { " PAIR ", client_ca_file: c, client_auth: optional } }", ""));
    ok(says("proxy: { tls: { " PAIR ", client_auth: auto } }", ""));
    ok(says("proxy: { tls: { " PAIR ", client_auth: require } }",
            "1:57: error: client_auth needs client_ca_file: the authorities whose certificates clients may "
            "show\n"));
    ok(says("proxy: { tls: { " PAIR ", client_ca_file: bad } }",
            "1:60: error: client_ca_file cannot be used\n"));
    ok(says("proxy: { tls: { " PAIR ", client_ca_file: old } }",
            "1:60: warning: client_ca_file has expired\n"));
}

static void test_backend_tls(void)
{
    ok(says("proxy: { backend: { host: b, port: 1, tls: {} } }", ""));
    ok(says("proxy: { backend: { host: b, port: 1, tls: } }", ""));
    ok(says("proxy: { backend: { host: b, port: 1, tls: true } }",
            "1:44: error: tls: expected keys such as \"ca_file\", found text\n"));
    ok(says("routes: [{ backend: { host: b, port: 1, tls: { ca_file: bad, cert_file: /dev/null } } }]",
            "1:57: error: ca_file cannot be used\n1:73: error: backend.tls: \"key_file\" is missing\n"));
    ok(says("routes: [{ backend: { host: b, port: 1, tls: { cert_file: c, key_file: bad } } }]",
            "1:72: error: cannot be used\n"));
    ok(says("routes: [{ backend: { host: b, port: 1, tls: { server_name: \"a:1\", verify: no } } }]",
            "1:61: error: server_name: \"a:1\" is a host with a port; give the port in a key of its own\n"
            "1:76: error: verify: \"no\" is not one of false, true\n"));
    ok(says(
        "routes: [{ backend: { host: b, port: 1, tls: { verify: false } } }]",
        "1:56: warning: verify: false accepts any certificate: whoever stands between proxy and backend can "
        "read and change everything\n"));
}

static void test_hosts(void)
{
    ok(says("routes: [{ match: { host: \"a:80\" }, " BACKEND " }]",
            "1:27: error: host: \"a:80\" can never match: give the name without a port\n"));
    ok(says("routes: [{ match: { host: \"a b\" }, " BACKEND " }]",
            "1:27: error: host: \"a b\" is not a host name; write api.example.com or *.example.com\n"));
    ok(says("routes: [{ match: { host: \"a.*.b\" }, " BACKEND " }]",
            "1:27: error: host: \"a.*.b\" is not a host name; write api.example.com or *.example.com\n"));
    ok(says("routes: [{ match: { host: \"*.A.b\" }, " BACKEND " }]", ""));
    ok(says("routes: [{ match: { host: \"a.b..\" }, " BACKEND " }]",
            "1:27: error: host: \"a.b..\" is not a host name; write api.example.com or *.example.com\n"));
    ok(says("routes: [{ match: { host: \"*.::1\" }, " BACKEND " }]",
            "1:27: error: host: \"*.::1\" is not a host name; write api.example.com or *.example.com\n"));
    ok(says("routes: [{ match: { host: \"[::1]:80\" }, " BACKEND " }]",
            "1:27: error: host: \"[::1]:80\" can never match: give the name without a port\n"));
}

static bool host_becomes(const char *given, const char *wanted)
{
    gm_buffer_t yaml = {0};
    config_text_t text;
    const char *host = NULL;
    bool same;

    gm_buffer_printf(&yaml, "routes: [{ match: { host: \"%s\" }, " BACKEND " }]", given);
    text = config_text_load(yaml.text);
    if (text.snapshot != NULL)
        host = gm_snapshot_config(text.snapshot)->routes.items[0]->match.host;
    if (!(same = host != NULL && strcmp(host, wanted) == 0))
        note("%s became %s", given, host != NULL ? host : text.printed.text);
    gm_buffer_dispose(&yaml);
    config_text_dispose(&text);
    return same;
}

/* A route's host has the one form in which the host of a request arrives, or the route never matches. */
static void test_host_forms(void)
{
    ok(host_becomes("A.B", "a.b"));
    ok(host_becomes("a.b.", "a.b"));
    ok(host_becomes("*.A.b.", "*.a.b"));
    ok(host_becomes("127.0.0.1", "127.0.0.1"));
    ok(host_becomes("::1", "[::1]"));
    ok(host_becomes("[::1]", "[::1]"));
    ok(host_becomes("0:0:0:0:0:0:0:1", "[::1]"));
    ok(host_becomes("2001:DB8::", "[2001:db8::]"));
    ok(says("routes:\n- { match: { host: \"::1\" }, " BACKEND " }\n- { match: { host: \"[0::1]\" }, " BACKEND
            " }\n- { match: { host: a }, " BACKEND " }\n- { match: { host: a. }, " BACKEND " }\n",
            "3:3: error: route \"route-2\" can never match: the route in line 2 takes the same requests\n"
            "5:3: error: route \"route-4\" can never match: the route in line 4 takes the same requests\n"));
}

static void test_paths(void)
{
    ok(says("routes: [{ match: { path: { prefix: a } }, " BACKEND " }]",
            "1:37: error: path: \"a\" can never match: paths begin with \"/\"\n"));
    ok(says("routes: [{ match: { path: { exact: \"/a?b\" } }, " BACKEND " }]",
            "1:36: error: path: \"/a?b\" can never match: the query is not part of the path\n"));
    ok(says("routes: [{ match: { path: { exact: /a/../b } }, " BACKEND " }]",
            "1:36: error: path: \"/a/../b\" can never match: requests for it arrive as \"/b\"\n"));
    ok(says("routes: [{ match: { path: { prefix: /a// } }, " BACKEND " }]",
            "1:37: error: path: \"/a//\" ends in an empty segment; write it with one \"/\" or none\n"));
    ok(says("routes: [{ match: { path: { exact: /a, prefix: /b } }, " BACKEND " }]",
            "1:36: error: path: \"exact\" and \"prefix\" exclude each other; keep one\n"));
}

static void test_metrics(void)
{
    ok(says("metrics: { path: \"\" }", ""));
    ok(says("metrics: { path: /, max_series: 1 }", ""));
    ok(says("metrics: { path: a }", "1:18: error: path: \"a\" can never match: paths begin with \"/\"\n"));
    ok(says("metrics: { path: \"/a?b\" }",
            "1:18: error: path: \"/a?b\" can never match: the query is not part of the path\n"));
    ok(says("metrics: { path: /a/../b }",
            "1:18: error: path: \"/a/../b\" can never match: requests for it arrive as \"/b\"\n"));
    ok(says("metrics: { max_series: 0 }",
            "1:24: error: max_series: 0 is out of range, expected 1 to 10000\n"));
    ok(says(
        "proxy: { limits: { max_target: 64 } }\n"
        "metrics: { path: /0123456789012345678901234567890123456789012345678901234567890123 }",
        "2:18: error: path: \"/01234567890123456789012345678901234567890123456789012345678...\" can never "
        "match: it is longer than proxy.limits.max_target\n"));
}

/* Also where nobody has asked for the page. */
static void test_metrics_and_routes(void)
{
    ok(says("routes: [{ match: { path: { exact: /metrics } }, " BACKEND " }]",
            "1:36: warning: route \"route-1\" can never match: this path shows GoMesh's own metrics; change "
            "metrics.path, or set it to \"\"\n"));
    ok(says("metrics: { path: /m }\nroutes:\n- { match: { path: { exact: /metrics } }, " BACKEND " }\n"
            "- { name: m, match: { host: a, path: { exact: /m } }, " BACKEND " }\n",
            "4:47: warning: route \"m\" can never match: this path shows GoMesh's own metrics; change "
            "metrics.path, or set it to \"\"\n"));
    ok(says("metrics: { path: \"\" }\nroutes: [{ match: { path: { exact: /metrics } }, " BACKEND " }]", ""));
    ok(says("routes: [{ match: { path: { prefix: /metrics } }, " BACKEND " }]", ""));
}

static void test_twins(void)
{
    ok(says("routes:\n- { name: a, match: { path: { prefix: /x } }, " BACKEND " }\n"
            "- { name: b, match: { path: { prefix: /x/ } }, " BACKEND " }\n",
            "3:3: error: route \"b\" can never match: the route in line 2 takes the same requests\n"));
    ok(says("routes:\n- { name: a, match: { host: H.x }, " BACKEND
            " }\n- { name: b, match: { host: h.X, path: { prefix: "
            "/ } }, " BACKEND " }\n",
            "3:3: error: route \"b\" can never match: the route in line 2 takes the same requests\n"));
    ok(says("routes:\n- { name: a, match: { path: { exact: /x } }, " BACKEND " }\n"
            "- { name: b, match: { path: { prefix: /x } }, " BACKEND " }\n",
            ""));
    ok(says("routes:\n- { name: a, match: { path: { exact: /x } }, " BACKEND " }\n- { name: a, " BACKEND
            " }\n",
            "3:11: error: name \"a\" is already taken by the route in line 2\n"));
    /* a route that is not understood is not compared with others */
    ok(says("routes:\n- { match: { path: { prefix: x } }, " BACKEND
            " }\n- { match: { path: { prefix: x } }, " BACKEND " }\n",
            "2:30: error: path: \"x\" can never match: paths begin with \"/\"\n"
            "3:30: error: path: \"x\" can never match: paths begin with \"/\"\n"));
}

static void test_final_form(void)
{
    config_text_t text =
        config_text_load("routes: [{ match: { host: A.B, path: { prefix: /x/ } }, " BACKEND " }]");
    const gm_config_t *config = text.snapshot != NULL ? gm_snapshot_config(text.snapshot) : NULL;

    ok(config != NULL && config->routes.size == 1);
    ok(config != NULL && strcmp(config->routes.items[0]->name, "route-1") == 0);
    ok(config != NULL && strcmp(config->routes.items[0]->match.host, "a.b") == 0);
    ok(config != NULL && strcmp(config->routes.items[0]->match.path.prefix, "/x") == 0);
    ok(config != NULL && !config->proxy.backend.present);
    config_text_dispose(&text);
}

/* A window that was written down is an error where it cannot be; the default gives way. */
static void test_admin(void)
{
    config_text_t text = config_text_load("");

    ok(strcmp(gm_snapshot_config(text.snapshot)->admin.listen, "127.0.0.1:9901") == 0);
    config_text_dispose(&text);
    text = config_text_load("proxy: { listen_port: 9901 }");
    ok(text.snapshot != NULL && gm_snapshot_config(text.snapshot)->admin.listen[0] == '\0');
    config_text_dispose(&text);
    ok(says("admin: { listen: off }", "") && says("admin: { listen: \"\", socket: \"\" }", ""));
    ok(says("admin: { listen: \"localhost:1\" }", "") && says("admin: { listen: \"[::1]:1\" }", ""));
    ok(says("admin: { listen: 9901 }",
            "1:18: error: listen: \"9901\" has no port, expected host:port such as "
            "127.0.0.1:8080 or [::1]:8080; write 127.0.0.1:9901, or \"\" for none\n"));
    ok(says("admin: { listen: \"10.0.0.1:1\" }",
            "1:18: warning: listen: \"10.0.0.1:1\" is not on loopback: whoever reaches it may read the "
            "configuration and end the proxy\n"));
    ok(says("admin: { listen: \"127.0.0.1:8000\" }",
            "1:18: error: listen: \"127.0.0.1:8000\" is the address of "
            "proxy.listen_port too; choose another port\n"));
    ok(says("proxy: { listen_host: 127.0.0.2 }\nadmin: { listen: \"127.0.0.1:8000\" }", ""));
    ok(says("proxy: { listen_host: 127.0.0.2 }\nadmin: { listen: \":8000\" }",
            "2:18: error: listen: \":8000\" is the address of proxy.listen_port too; choose another port\n"));
    ok(says(
        "admin: { listen: \"127.0.0.1:3000\" }",
        "1:18: error: listen: \"127.0.0.1:3000\" is the address of a backend too; choose another port\n"));
    ok(says("routes: [{ backend: { host: localhost, port: 9901 } }]",
            "1:46: warning: the admin window stays shut: its default address 127.0.0.1:9901 is that of a "
            "backend; "
            "give admin.listen another, or \"\"\n"));
    ok(says("routes: [{ backend: { host: b.example, port: 9901 } }]", ""));
    ok(says("proxy: { backend: \"unix:/a\" }\nadmin: { socket: /a }",
            "2:18: error: socket: \"/a\" is the socket of a backend too; choose another\n"));
}

int main(void)
{
    subtest("the admin window", test_admin);
    subtest("ports", test_ports);
    subtest("unix sockets", test_sockets);
    subtest("circles", test_circles);
    subtest("TLS", test_tls);
    subtest("certificates", test_certificates);
    subtest("client certificates", test_client_auth);
    subtest("TLS to backends", test_backend_tls);
    subtest("hosts", test_hosts);
    subtest("forms of hosts", test_host_forms);
    subtest("paths", test_paths);
    subtest("metrics", test_metrics);
    subtest("metrics and routes", test_metrics_and_routes);
    subtest("twins", test_twins);
    subtest("final form", test_final_form);
    subtest("many mistakes", test_many_mistakes);
    return done_testing();
}
