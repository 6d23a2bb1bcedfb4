/* The engine over option rows: types, guesses, and one message for each mistake. */
#include "config/fields.h"

#include "config_text.h"

static void test_values(void)
{
    config_text_t text = config_text_load(
        "proxy:\n  listen_host: \"::1\"\n  listen_port: ${PORT}\n  workers: 3\n  backend: { host: b.x, port: "
        "81 }\n"
        "  timeout: { read_timeout: 1m30s, request_timeout: 0s }\n"
        "  limits: { max_request_body: 64KiB, max_connections: 7 }\n"
        "  tls: { cert_file: c, key_file: k, min_version: \"1.3\" }\nlog: { level: warn, format: json }\n");
    const gm_config_t *config = text.snapshot != NULL ? gm_snapshot_config(text.snapshot) : NULL;

    ok(config != NULL && text.diagnostics.items.size == 0);
    if (config != NULL) {
        ok(strcmp(config->proxy.listen_host, "::1") == 0 && config->proxy.listen_port == 9000);
        ok(config->proxy.workers == 3);
        ok(strcmp(config->proxy.backend.host, "b.x") == 0 && config->proxy.backend.port == 81);
        ok(config->proxy.timeout.read_timeout_ms == 90000 && config->proxy.timeout.request_timeout_ms == 0);
        ok(config->proxy.timeout.idle_timeout_ms == 120000); /* a default */
        ok(config->proxy.limits.max_request_body_bytes == 65536 && config->proxy.limits.max_connections == 7);
        ok(config->proxy.tls.present && config->proxy.tls.min_version == GM_TLS_1_3);
        ok(config->proxy.tls.listen_port == 8443);
        ok(config->log.level == 2 && config->log.format == GM_LOG_FORMAT_JSON);
    }
    config_text_dispose(&text);
}

static void test_wrong_values(void)
{
    ok(says("proxy: { listen_port: 0 }",
            "1:23: error: listen_port: 0 is out of range, expected 1 to 65535\n"));
    ok(says("proxy: { listen_port: 65536 }",
            "1:23: error: listen_port: 65536 is out of range, expected 1 to 65535\n"));
    ok(says("proxy: { timeout: { read_timeout: 30 } }",
            "1:35: error: read_timeout: \"30\" has no unit; did you mean \"30s\"?\n"));
    ok(says("proxy: { timeout: { read_timeout: 0s } }",
            "1:35: error: read_timeout: 0s is out of range, expected 1ms to 24h\n"));
    ok(says("proxy: { limits: { max_connections: 0 } }",
            "1:37: error: max_connections: 0 is out of range, expected 1 to 1000000\n"));
    ok(says("proxy: { workers: many }",
            "1:19: error: workers: \"many\" is neither \"auto\" nor a whole number from 1 to 256\n"));
    ok(says("log: { level: inof }",
            "1:15: error: level: \"inof\" is not one of debug, info, warn, error; did you mean \"info\"?\n"));
    ok(says(
        "log: { level: warning }",
        "1:15: error: level: \"warning\" is not one of debug, info, warn, error; did you mean \"warn\"?\n"));
    ok(says("log: { level: err }",
            "1:15: error: level: \"err\" is not one of debug, info, warn, error; did you mean \"error\"?\n"));
    ok(says("log: { level: wa }", "1:15: error: level: \"wa\" is not one of debug, info, warn, error\n"));
    ok(says("log: { level: zzzzzzz }",
            "1:15: error: level: \"zzzzzzz\" is not one of debug, info, warn, error\n"));
    ok(says("proxy: { backend: { host: \"a b\" } }",
            "1:27: error: host: \"a b\" is not a host name or an address\n"));
    ok(says("proxy: { backend: { host: \"a:80\" } }",
            "1:27: error: host: \"a:80\" is a host with a port; give the port in a key of its own\n"));
    ok(says("proxy: { backend: { host: \"\" } }",
            "1:27: error: host: \"\" is not a host name or an address\n"));
    ok(says("proxy: { listen_port: \"${NONE}\" }", "1:23: error: listen_port: environment variable NONE is "
                                                   "not set; set it, or write ${NONE:-default}\n"));
    ok(says("proxy: { listen_port: }",
            "1:23: error: listen_port: no value; give one, or remove the line for the default\n"));
    ok(says("proxy: { listen_port: [1] }",
            "1:23: error: listen_port: expected a single value, found a list\n"));
}

static void test_text_lists(void)
{
    config_text_t text = config_text_load("proxy: { trusted_proxies: [10.0.0.0/8, \"::${EMPTY}1\"] }");
    const gm_texts_t *list =
        text.snapshot != NULL ? &gm_snapshot_config(text.snapshot)->proxy.trusted_proxies : NULL;
    size_t count;

    ok(list != NULL && list->size == 2 && strcmp(list->items[0], "10.0.0.0/8") == 0 &&
       strcmp(list->items[1], "::1") == 0);
    if (text.snapshot != NULL) {
        const gm_place_t *place = gm_snapshot_place_of(text.snapshot, list->items[1]);
        ok(place != NULL && place->column == 40);
        ok(gm_snapshot_trusted_proxies(text.snapshot, &count) != NULL && count == 2);
    }
    config_text_dispose(&text);
    ok(says("proxy: { trusted_proxies: 10.1.2.3 }", ""));
    ok(says("proxy: { trusted_proxies: }", ""));
    ok(says("proxy: { trusted_proxies: [] }", ""));
    ok(says("proxy: { real_ip_from: 10.1.2.3 }",
            "1:10: warning: \"real_ip_from\" is accepted; its name here is \"trusted_proxies\"\n"));
    ok(says(
        "proxy: { trusted_proxies: [10.0.0.0/8, 10.1.2.3/8, a, [b], ~, \"\"] }",
        "1:40: error: trusted_proxies: \"10.1.2.3/8\" has bits set beyond its first 8; did you mean "
        "\"10.0.0.0/8\"?\n"
        "1:52: error: trusted_proxies: \"a\" is neither an address nor a network; write 10.1.2.3, 10.0.0.0/8 "
        "or fd00::/8\n"
        "1:55: error: trusted_proxies: expected text, found a list\n"
        "1:60: error: trusted_proxies: expected text, found nothing\n"
        "1:63: error: trusted_proxies: must not be empty\n"));
    ok(says("proxy: { trusted_proxies: { a: b } }",
            "1:27: error: trusted_proxies: expected text, found a mapping\n"));
    ok(says(
        "proxy: { engine: h2o, trusted_proxies: [\"::1\"] }",
        "1:40: error: trusted_proxies needs engine gomesh: engine h2o adds to the X-Forwarded-For of every "
        "client\n"));
}

static void test_choices(void)
{
    config_text_t text = config_text_load("proxy: { normalize_path: off }"), other = config_text_load("");

    ok(gm_snapshot_config(text.snapshot)->proxy.normalize_path == GM_NORMALIZE_PATH_OFF);
    ok(gm_snapshot_config(other.snapshot)->proxy.normalize_path == GM_NORMALIZE_PATH_STRICT);
    config_text_dispose(&text);
    config_text_dispose(&other);
    ok(says("proxy: { normalize_path: on }",
            "1:26: error: normalize_path: \"on\" is not one of strict, off\n"));
    ok(says("proxy: { normalize_path: strickt }",
            "1:26: error: normalize_path: \"strickt\" is not one of strict, "
            "off; did you mean \"strict\"?\n"));
}

static void test_wrong_shapes(void)
{
    ok(says("[]", "1:1: error: expected keys such as \"proxy:\", found a list\n"));
    ok(says("x", "1:1: error: expected keys such as \"proxy:\", found text\n"));
    ok(says("proxy: x", "1:8: error: proxy: expected keys such as \"listen_host\", found text\n"));
    ok(says("proxy: { tls: [a] }",
            "1:15: error: tls: expected keys such as \"listen_port\", found a list\n"));
    ok(says("routes: x", "1:9: error: routes: expected a list (lines that begin with \"- \"), found text\n"));
    ok(says("routes: [x]", "1:10: error: routes: expected keys such as \"name\", found text\n"));
    ok(says("proxy:\nlog:\nroutes:\n", ""));
    ok(says("proxy: { tls: }", ""));
    ok(says("proxy: { backend: ~ }", ""));
    ok(says("proxy:\n  listen_port:8000\n", "2:3: error: proxy: expected keys such as \"listen_host\", found "
                                            "text; after a key's colon comes a blank\n"));
    ok(says("routes: [~]", "1:10: error: routes: expected keys such as \"name\", found nothing\n"));
    ok(says("routes: [{}]", "1:10: error: routes: \"backend\" is missing\n"));
    ok(says("routes: [{ backend: }]",
            "1:21: error: backend: expected keys such as \"host\", found nothing\n"));
    ok(says("routes: [{ backend: [] }]",
            "1:21: error: backend: expected keys such as \"host\", found a list\n"));
}

static void test_unknown_keys(void)
{
    ok(says("prxy: 1", "1:1: error: unknown key \"prxy\" in the file; did you mean \"proxy\"?\n"));
    ok(says("proxy:\n  listen_prt: 8000\n",
            "2:3: error: unknown key \"listen_prt\" in proxy; did you mean \"listen_port\"?\n"));
    ok(says("proxy: { zebra: 1 }", "1:10: error: unknown key \"zebra\" in proxy\n"));
    ok(says("x-anything: { a: [1] }", ""));
    ok(says("proxy: { x-anything: 1 }", "1:10: error: unknown key \"x-anything\" in proxy\n"));
    ok(says("proxy: { tls: { cert_file: /dev/null } }", "1:15: error: proxy.tls: \"key_file\" is missing\n"));
    ok(says("proxy: { tls: {} }", "1:15: error: proxy.tls: \"cert_file\" is missing\n"
                                  "1:15: error: proxy.tls: \"key_file\" is missing\n"));
    ok(says("routes: [{ backend: { host: a } }]", "1:21: error: routes.backend: \"port\" is missing\n"));
}

static void test_guesses(void)
{
    ok(says("proxy: { limits: { \"max_body_size client_max_body_size\": 1 } }", /* two guesses are no name */
            "1:20: error: unknown key \"max_body_size client_max_body_size\" in proxy.limits\n"));
    ok(says("proxy: { port: 81 }",
            "1:10: warning: \"port\" is accepted; its name here is \"listen_port\"\n"));
    ok(says("proxy: { timeouts: { read: 1s } }",
            "1:10: warning: \"timeouts\" is accepted; its name here is \"timeout\"\n"
            "1:22: warning: \"read\" is accepted; its name here is \"read_timeout\"\n"));
    ok(says("proxy: { backend: \"b.x:81\" }", "1:19: warning: \"host:port\" is accepted for \"backend\"; "
                                              "written out it is { host: b.x, port: 81 }\n"));
    ok(says("proxy: { listen: \":81\" }", "1:18: warning: \"listen\" is accepted; its names here are "
                                          "\"listen_host\" and \"listen_port\"\n"));
    ok(says("proxy: { port: 81, listen_port: 82 }",
            "1:10: warning: \"port\" is accepted; its name here is \"listen_port\"\n"
            "1:20: error: \"listen_port\" and \"port\" in line 1 are the same option\n"));
    ok(says("proxy: { backend: nonsense }", "1:19: error: backend: \"nonsense\" has no port, expected "
                                            "host:port such as 127.0.0.1:8080 or [::1]:8080\n"));
}

static void test_guesses_act(void)
{
    config_text_t text = config_text_load("proxy: { listen: \"127.0.0.1:81\", backend: \"[::1]:82\" }");
    const gm_config_t *config = text.snapshot != NULL ? gm_snapshot_config(text.snapshot) : NULL;

    ok(config != NULL && strcmp(config->proxy.listen_host, "127.0.0.1") == 0 &&
       config->proxy.listen_port == 81);
    ok(config != NULL && strcmp(config->proxy.backend.host, "::1") == 0 && config->proxy.backend.port == 82);
    config_text_dispose(&text);
}

static void test_homes(void)
{
    ok(says("listen_port: 1", "1:1: error: unknown key \"listen_port\" in the file; it belongs in proxy\n"));
    ok(says("proxy: { read_timeout: 1s }",
            "1:10: error: unknown key \"read_timeout\" in proxy; it belongs in proxy.timeout\n"));
    ok(says("routes: [{ host: x, backend: { host: a, port: 1 } }]", /* the nearest of two */
            "1:12: error: unknown key \"host\" in routes; it belongs in match\n"));
    ok(says("exact: /x", "1:1: error: unknown key \"exact\" in the file; it belongs in match.path\n"));
}

/* Nothing is concluded from what an unknown key may have been. */
static void test_consequences(void)
{
    ok(says("proxy: { listen_pot: 9, tls: { listen_port: 8000, cert_file: c, key_file: k } }",
            "1:10: error: unknown key \"listen_pot\" in proxy; did you mean \"listen_port\"?\n"));
    ok(says("proxy: { tls: { cert_fil: c, key_file: /dev/null } }",
            "1:17: error: unknown key \"cert_fil\" in proxy.tls; did you mean \"cert_file\"?\n"));
    ok(says("routes: [{ bakend: { host: a, port: 1 } }]",
            "1:12: error: unknown key \"bakend\" in routes; did you mean \"backend\"?\n"));
    ok(says("proxy: { tls: { cert: c, certificate: d, key: k } }",
            "1:17: warning: \"cert\" is accepted; its name here is \"cert_file\"\n"
            "1:26: error: \"certificate\" and \"cert\" in line 1 are the same option\n"
            "1:42: warning: \"key\" is accepted; its name here is \"key_file\"\n"));
}

/* A mistake below an anchor is said once, where it was written. */
static void test_aliases(void)
{
    ok(says("x-b: &b { host: a, port: 0 }\nproxy: { backend: *b }\n"
            "routes: [{ match: { host: h }, backend: *b }, { backend: *b }]",
            "1:26: error: port: 0 is out of range, expected 1 to 65535\n"));
    ok(says("x-t: &t { read_timeout: 5, idle: 1m }\nproxy: { timeout: { <<: *t, read_timeout: 7s } }",
            "1:28: warning: \"idle\" is accepted; its name here is \"idle_timeout\"\n"));
}

static void test_texts(void)
{
    ok(says("proxy: { tls: { cert_file: \"\", key_file: \"${EMPTY}\" } }",
            "1:28: error: cert_file: must not be empty\n1:42: error: key_file: must not be empty\n"));
    ok(says("proxy: { listen_host: \"${TRICKY}\" }", /* what a variable holds is not expanded */
            "1:23: error: listen_host: \"${PORT}\" is not a host name or an address\n"));
    ok(says("proxy: { listen_host: \"${EMPTY}\" }", ""));
    ok(says("log: { level: \"${NONE:-debug}\" }", ""));
    ok(says("log: { level: INFO }",
            "1:15: error: level: \"INFO\" is not one of debug, info, warn, error; did "
            "you mean \"info\"?\n"));
    ok(says("proxy: { backend: \"b:${NONE}\" }",
            "1:19: error: backend: environment variable NONE is not set; "
            "set it, or write ${NONE:-default}\n"));
}

static void test_numbers(void)
{
    ok(says("proxy: { listen_port: 0x10 }",
            "1:23: error: listen_port: \"0x10\" is not a whole number, expected 1 to 65535\n"));
    ok(says("proxy: { listen_port: \"8000 \" }",
            "1:23: error: listen_port: \"8000 \" is not a whole number, expected 1 to 65535\n"));
    ok(says("proxy: { listen_port: 18446744073709551617 }",
            "1:23: error: listen_port: 18446744073709551617 is out of range, expected 1 to 65535\n"));
    ok(says("proxy: { workers: 257 }",
            "1:19: error: workers: \"257\" is neither \"auto\" nor a whole number from 1 to 256\n"));
    ok(says("proxy: { timeout: { read_timeout: 25h } }",
            "1:35: error: read_timeout: 25h is out of range, expected 1ms to 24h\n"));
    ok(says("proxy: { limits: { max_request_body: 2TiB } }",
            "1:38: error: max_request_body: 2TiB is out of range, expected 0 to 1TiB\n"));
    ok(says(
        "proxy: { limits: { max_request_body: 64KX } }",
        "1:38: error: max_request_body: unknown unit \"KX\" in \"64KX\", expected a size such as 64KiB or "
        "10MB; the units are B, KB, MB, GB, KiB, MiB, GiB, TiB\n"));
}

static void test_listen(void)
{
    ok(says("proxy: { listen: \"a:b\" }", "1:18: error: listen: the port in \"a:b\": \"b\" is not a whole "
                                          "number, expected 1 to 65535, as in 127.0.0.1:8080\n"));
    ok(says("proxy: { listen: 8000 }",
            "1:18: error: listen: \"8000\" has no port, expected host:port such as "
            "127.0.0.1:8080 or [::1]:8080\n"));
    ok(says("proxy: { listen_port: 8080, listen: \":81\" }",
            "1:29: error: \"listen\" and \"listen_port\" in line 1 are the same option\n"));
    ok(says("proxy: { listen: \":81\", host: 10.0.0.1 }",
            "1:18: warning: \"listen\" is accepted; its names here are \"listen_host\" and \"listen_port\"\n"
            "1:25: error: \"host\" and \"listen\" in line 1 are the same option\n"));
}

static void test_all_at_once(void)
{
    ok(says("proxy:\n  listen_port: x\n  timeout: { idle_timeout: 5 }\nlog: { fromat: text }\n",
            "2:16: error: listen_port: \"x\" is not a whole number, expected 1 to 65535\n"
            "3:28: error: idle_timeout: \"5\" has no unit; did you mean \"5s\"?\n"
            "4:8: error: unknown key \"fromat\" in log; did you mean \"format\"?\n"));
}

int main(void)
{
    subtest("values", test_values);
    subtest("wrong values", test_wrong_values);
    subtest("lists of texts", test_text_lists);
    subtest("choices", test_choices);
    subtest("wrong shapes", test_wrong_shapes);
    subtest("unknown keys", test_unknown_keys);
    subtest("guesses", test_guesses);
    subtest("guesses act", test_guesses_act);
    subtest("homes", test_homes);
    subtest("consequences", test_consequences);
    subtest("aliases", test_aliases);
    subtest("texts", test_texts);
    subtest("numbers", test_numbers);
    subtest("listen", test_listen);
    subtest("all mistakes at once", test_all_at_once);
    return done_testing();
}
