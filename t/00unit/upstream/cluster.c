/* A backend's addresses: known at once, or published by a resolver. */
#include "upstream/cluster.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "picotest.h"

static gm_address_t address_of(uint32_t host)
{
    gm_address_t address = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (void *)&address.bytes;

    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(host);
    in->sin_port = htons(80);
    return address;
}

static void test_known(void)
{
    static const struct {
        const char *host;
        size_t count;
        int family;
    } cases[] = {{"127.0.0.1", 1, AF_INET},
                 {"::1", 1, AF_INET6},
                 {"localhost", 2, AF_INET},
                 {"LOCALHOST", 2, AF_INET},
                 {"unix:/run/app.sock", 1, AF_UNIX}};

    for (size_t i = 0; i != sizeof(cases) / sizeof(cases[0]); ++i) {
        gm_cluster_t *cluster = gm_cluster_create("c", cases[i].host, 3000, "h:3000");
        gm_addresses_t addresses;
        gm_cluster_get_addresses(cluster, &addresses);
        ok(!gm_cluster_needs_resolver(cluster) && addresses.count == cases[i].count && !addresses.failed);
        ok(addresses.items[0].bytes.ss_family == cases[i].family);
        ok(gm_cluster_version(cluster) == addresses.version && addresses.version != 0);
        gm_cluster_release(cluster);
    }
}

static void test_socket(void)
{
    gm_cluster_t *cluster = gm_cluster_create("c", "unix:/run/app.sock", 0, "unix:/run/app.sock");
    gm_cluster_t *other = gm_cluster_create("c", "a.x", 80, "a.x:80");
    gm_addresses_t addresses;

    gm_cluster_get_addresses(cluster, &addresses);
    ok(strcmp(((struct sockaddr_un *)&addresses.items[0].bytes)->sun_path, "/run/app.sock") == 0);
    ok(addresses.items[0].length == sizeof(struct sockaddr_un));
    ok(strcmp(gm_cluster_host_field(cluster), "localhost") == 0);
    ok(strcmp(gm_cluster_host_field(other), "a.x:80") == 0);
    gm_cluster_release(cluster);
    gm_cluster_release(other);
}

static void test_published(void)
{
    const gm_look_up_error_t unknown = {GM_FAILURE_DNS_FAILED, "no such name"};
    gm_cluster_t *cluster = gm_cluster_create("users", "users.internal", 5000, "users.internal:5000");
    const gm_address_t list[] = {address_of(0x0a000001), address_of(0x0a000002)};
    const gm_address_t turned[] = {list[1], list[0]};
    gm_addresses_t addresses;
    uint32_t version;

    ok(gm_cluster_needs_resolver(cluster) && gm_cluster_version(cluster) == 0);
    ok(strcmp(gm_cluster_name(cluster), "users") == 0 &&
       strcmp(gm_cluster_host(cluster), "users.internal") == 0 &&
       strcmp(gm_cluster_authority(cluster), "users.internal:5000") == 0 && gm_cluster_port(cluster) == 5000);
    ok(gm_cluster_set_addresses(cluster, NULL, 0, &unknown)); /* a look-up that failed */
    gm_cluster_get_addresses(cluster, &addresses);
    ok(addresses.failed && addresses.count == 0 && addresses.error.failure == GM_FAILURE_DNS_FAILED &&
       addresses.error.why == unknown.why);
    ok(!gm_cluster_set_addresses(cluster, NULL, 0, &unknown)); /* still fails: no news */
    ok(gm_cluster_set_addresses(cluster, list, 2, NULL));
    version = gm_cluster_version(cluster);
    ok(!gm_cluster_set_addresses(cluster, list, 2, NULL) && gm_cluster_version(cluster) == version);
    ok(!gm_cluster_set_addresses(cluster, turned, 2, NULL) && gm_cluster_version(cluster) == version);
    ok(gm_cluster_set_addresses(cluster, NULL, 0, &unknown) && gm_cluster_has_failed(cluster));
    gm_cluster_get_addresses(cluster, &addresses);
    ok(addresses.failed && addresses.count == 2); /* the last good answer is kept */
    ok(gm_cluster_version(cluster) == version);   /* and so are connections to it */
    ok(gm_cluster_set_addresses(cluster, list, 2, NULL) && !gm_cluster_has_failed(cluster));
    ok(gm_cluster_version(cluster) == version);
    ok(gm_cluster_set_addresses(cluster, list, 1, NULL));
    gm_cluster_get_addresses(cluster, &addresses);
    ok(!addresses.failed && addresses.count == 1 && addresses.version != version);
    ok(gm_cluster_retain(cluster) == cluster);
    gm_cluster_release(cluster);
    gm_cluster_release(cluster);
    gm_cluster_release(NULL);
}

static void test_too_many(void)
{
    gm_cluster_t *cluster = gm_cluster_create("c", "many.internal", 80, "many.internal:80");
    gm_address_t list[GM_CLUSTER_MAX_ADDRESSES + 3];
    gm_addresses_t addresses;

    for (uint32_t i = 0; i != GM_CLUSTER_MAX_ADDRESSES + 3; ++i)
        list[i] = address_of(i);
    ok(gm_cluster_set_addresses(cluster, list, GM_CLUSTER_MAX_ADDRESSES + 3, NULL));
    gm_cluster_get_addresses(cluster, &addresses);
    ok(addresses.count == GM_CLUSTER_MAX_ADDRESSES);
    gm_cluster_release(cluster);
}

static void test_addresses_as_text(void)
{
    static const char *const hosts[][2] = {
        {"127.0.0.2", "127.0.0.2:81"}, {"::1", "[::1]:81"}, {"unix:/run/x.sock", "unix:/run/x.sock"}};
    char text[GM_ADDRESS_TEXT_BYTES];

    for (size_t i = 0; i != sizeof(hosts) / sizeof(hosts[0]); ++i) {
        gm_cluster_t *cluster = gm_cluster_create("x", hosts[i][0], 81, "x");
        gm_addresses_t addresses;
        gm_cluster_get_addresses(cluster, &addresses);
        ok(addresses.count == 1 && strcmp(gm_address_format(&addresses.items[0], text), hosts[i][1]) == 0);
        gm_cluster_release(cluster);
    }
}

static void test_last_failure(void)
{
    gm_cluster_t *cluster = gm_cluster_create("c", "127.0.0.1", 80, "127.0.0.1:80");
    gm_failure_t failure = GM_FAILURE_INTERNAL;
    uint64_t at_s = 0, before_s = gm_clock_real_us() / 1000000;

    ok(!gm_cluster_last_failure(cluster, &failure, &at_s) && at_s == 0);
    for (int i = 0; i != GM_FAILURE_COUNT; ++i)
        gm_cluster_note_failure(cluster, (gm_failure_t)i);
    ok(gm_cluster_last_failure(cluster, &failure, &at_s) && failure == GM_FAILURE_COUNT - 1);
    ok(at_s >= before_s && at_s <= before_s + 100);
    gm_cluster_note_failure(cluster, (gm_failure_t)0);
    ok(gm_cluster_last_failure(cluster, &failure, &at_s) && failure == 0);
    gm_cluster_release(cluster);
}

static void test_reach(void)
{
    const gm_look_up_error_t unknown = {GM_FAILURE_DNS_FAILED, "no such name"};
    const gm_address_t list[] = {address_of(0x0a000001), address_of(0x0a000002)};
    gm_cluster_t *cluster = gm_cluster_create("c", "127.0.0.1", 80, "127.0.0.1:80");
    gm_cluster_t *named = gm_cluster_create("n", "n.internal", 80, "n.internal:80");

    ok(gm_cluster_reach(cluster) == GM_REACH_UNKNOWN);
    gm_cluster_note_attempt(cluster, gm_cluster_version(cluster), false);
    ok(gm_cluster_reach(cluster) == GM_UNREACHED);
    gm_cluster_note_attempt(cluster, gm_cluster_version(cluster), true);
    ok(gm_cluster_reach(cluster) == GM_REACHED);
    gm_cluster_note_attempt(cluster, gm_cluster_version(cluster), false);
    ok(gm_cluster_reach(cluster) == GM_UNREACHED);

    ok(gm_cluster_reach(named) == GM_REACH_UNKNOWN); /* its name was not looked up yet */
    gm_cluster_set_addresses(named, NULL, 0, &unknown);
    ok(gm_cluster_reach(named) == GM_UNREACHED);
    gm_cluster_set_addresses(named, list, 1, NULL);
    ok(gm_cluster_reach(named) == GM_REACH_UNKNOWN);
    gm_cluster_note_attempt(named, gm_cluster_version(named), true);
    ok(gm_cluster_reach(named) == GM_REACHED);
    gm_cluster_set_addresses(named, list, 2, NULL); /* other machines, of which nobody knows */
    ok(gm_cluster_reach(named) == GM_REACH_UNKNOWN);
    gm_cluster_note_attempt(named, gm_cluster_version(named) - 1, true); /* began before that */
    ok(gm_cluster_reach(named) == GM_REACH_UNKNOWN);
    gm_cluster_note_attempt(named, gm_cluster_version(named), true);
    gm_cluster_set_addresses(named, NULL, 0, &unknown);
    ok(gm_cluster_reach(named) == GM_UNREACHED);
    gm_cluster_release(cluster);
    gm_cluster_release(named);
}

int main(void)
{
    subtest("whether it is reachable", test_reach);
    subtest("addresses as text", test_addresses_as_text);
    subtest("the last failure", test_last_failure);
    subtest("known at once", test_known);
    subtest("a unix socket", test_socket);
    subtest("published", test_published);
    subtest("too many", test_too_many);
    return done_testing();
}
