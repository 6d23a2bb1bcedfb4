/* The resolver's life, and what it does with answers; a fake stands for the system. */
#include "upstream/resolver.h"

#include <netinet/in.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "picotest.h"

/* The thread may outlive a test. "good.test" has the address `answer`, 0 = the look-up fails; "bad.test"
 * none. */
static atomic_uint answer, asked_good, asked_bad;

static size_t fake(void *data, const char *host, uint16_t port, gm_address_t *items,
                   gm_look_up_error_t *error)
{
    struct sockaddr_in *in = (void *)&items[0].bytes;
    uint32_t address = atomic_load(&answer);

    (void)data;
    if (strcmp(host, "bad.test") == 0) {
        atomic_fetch_add(&asked_bad, 1);
        *error = (gm_look_up_error_t){GM_FAILURE_DNS_FAILED, "no such name"};
        return 0;
    }
    atomic_fetch_add(&asked_good, 1);
    if (address == 0) {
        *error = (gm_look_up_error_t){GM_FAILURE_DNS_FAILED, "no answer"};
        return 0;
    }
    memset(items, 0, sizeof(*items));
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    in->sin_addr.s_addr = htonl(address);
    items[0].length = sizeof(*in);
    return 1;
}

static uint32_t address_of(gm_cluster_t *cluster)
{
    gm_addresses_t addresses;

    gm_cluster_get_addresses(cluster, &addresses);
    return addresses.count == 1 ? ntohl(((struct sockaddr_in *)&addresses.items[0].bytes)->sin_addr.s_addr)
                                : 0;
}

static void test_nothing_to_resolve(void)
{
    gm_cluster_t *cluster = gm_cluster_create("c", "127.0.0.1", 80, "127.0.0.1:80");
    const gm_resolver_options_t options = {.refresh_ms = 1000, .retry_ms = 1000};
    gm_resolver_t *resolver = gm_resolver_create(&cluster, 1, &options);

    ok(resolver != NULL);
    gm_resolver_destroy(resolver);
    gm_resolver_destroy(NULL);
    gm_cluster_release(cluster);
}

/* RFC 6761: a name that never exists, so the first look-up fails, with or without a network. */
static void test_unknown_name(void)
{
    gm_cluster_t *cluster = gm_cluster_create("c", "nosuch.invalid", 80, "nosuch.invalid:80");
    const gm_resolver_options_t options = {.refresh_ms = 3600 * 1000, .retry_ms = 3600 * 1000};
    gm_resolver_t *resolver = gm_resolver_create(&cluster, 1, &options);
    gm_addresses_t addresses;

    while (!gm_cluster_has_failed(cluster)) /* ends: getaddrinfo has its own time limit */
        sched_yield();
    gm_cluster_get_addresses(cluster, &addresses);
    ok(addresses.failed && addresses.count == 0 && addresses.version == 0);
    gm_resolver_destroy(resolver); /* in the middle of its pause: does not wait for it */
    gm_cluster_release(cluster);
}

/* The loops end because the thread asks again each millisecond. */
static void test_refresh(void)
{
    gm_cluster_t *cluster = gm_cluster_create("c", "good.test", 80, "good.test:80");
    const gm_resolver_options_t options = {.refresh_ms = 1, .retry_ms = 1, .look_up = fake};
    gm_resolver_t *resolver;
    uint32_t version;

    atomic_store(&answer, 0);
    resolver = gm_resolver_create(&cluster, 1, &options);
    while (!gm_cluster_has_failed(cluster))
        sched_yield();
    ok(address_of(cluster) == 0);
    for (uint32_t address = 0x7f000002; address != 0x7f000005; ++address) {
        atomic_store(&answer, address);
        while (address_of(cluster) != address)
            sched_yield();
    }
    ok(!gm_cluster_has_failed(cluster));
    version = gm_cluster_version(cluster);
    atomic_store(&answer, 0);
    while (!gm_cluster_has_failed(cluster))
        sched_yield();
    ok(address_of(cluster) == 0x7f000004 && gm_cluster_version(cluster) == version); /* the last good one */
    atomic_store(&answer, 0x7f000009);
    while (address_of(cluster) != 0x7f000009)
        sched_yield();
    ok(!gm_cluster_has_failed(cluster) && gm_cluster_version(cluster) != version);
    gm_resolver_destroy(resolver);
    gm_cluster_release(cluster);
}

/* A name that fails is asked for again soon, and no other is because of it. */
static void test_each_its_own_time(void)
{
    gm_cluster_t *clusters[] = {gm_cluster_create("a", "good.test", 80, "good.test:80"),
                                gm_cluster_create("b", "bad.test", 80, "bad.test:80")};
    const gm_resolver_options_t options = {.refresh_ms = 3600 * 1000, .retry_ms = 1, .look_up = fake};
    gm_resolver_t *resolver;
    unsigned before;

    atomic_store(&answer, 0x7f000002);
    atomic_store(&asked_bad, 0);
    before = atomic_load(&asked_good);
    resolver = gm_resolver_create(clusters, 2, &options);
    while (atomic_load(&asked_bad) < 5)
        sched_yield();
    ok(address_of(clusters[0]) == 0x7f000002 && !gm_cluster_has_failed(clusters[0]));
    ok(address_of(clusters[1]) == 0 && gm_cluster_has_failed(clusters[1]));
    ok(atomic_load(&asked_good) == before + 1);
    gm_resolver_destroy(resolver);
    gm_cluster_release(clusters[0]);
    gm_cluster_release(clusters[1]);
}

/* "hangs.test" is not answered until it is let go; look-ups of others go on. */
static atomic_bool is_let_go;
static atomic_uint asked_hanging;

static size_t hanging(void *data, const char *host, uint16_t port, gm_address_t *items,
                      gm_look_up_error_t *error)
{
    if (strcmp(host, "hangs.test") != 0)
        return fake(data, host, port, items, error);
    atomic_fetch_add(&asked_hanging, 1);
    while (!atomic_load(&is_let_go))
        sched_yield();
    return fake(data, "good.test", port, items, error);
}

static void test_one_that_hangs(void)
{
    gm_cluster_t *clusters[] = {gm_cluster_create("a", "hangs.test", 80, "hangs.test:80"),
                                gm_cluster_create("b", "good.test", 80, "good.test:80")};
    const gm_resolver_options_t options = {.refresh_ms = 1, .retry_ms = 1, .look_up = hanging};
    gm_resolver_t *resolver;

    atomic_store(&answer, 0x7f000002);
    resolver = gm_resolver_create(clusters, 2, &options);
    while (atomic_load(&asked_hanging) == 0)
        sched_yield();
    for (uint32_t address = 0x7f000002; address != 0x7f000005; ++address) {
        atomic_store(&answer, address);
        while (address_of(clusters[1]) != address)
            sched_yield();
    }
    ok(address_of(clusters[0]) == 0 && atomic_load(&asked_hanging) == 1); /* by one thread only */
    atomic_store(&is_let_go, true);
    while (address_of(clusters[0]) != 0x7f000004)
        sched_yield();
    ok(true);
    gm_resolver_destroy(resolver);
    gm_cluster_release(clusters[0]);
    gm_cluster_release(clusters[1]);
}

int main(void)
{
    subtest("one that hangs", test_one_that_hangs);
    subtest("nothing to resolve", test_nothing_to_resolve);
    subtest("an unknown name", test_unknown_name);
    subtest("each its own time", test_each_its_own_time);
    subtest("asked again and again", test_refresh); /* last: its thread may ask once more after its end */
    return done_testing();
}
