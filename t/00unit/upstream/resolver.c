/* The resolver's life; that it resolves is seen in end-to-end tests. */
#include "upstream/resolver.h"

#include <sched.h>

#include "picotest.h"

static void test_nothing_to_resolve(void)
{
    gm_cluster_t *cluster = gm_cluster_create("c", "127.0.0.1", 80, "127.0.0.1:80");
    gm_resolver_t *resolver = gm_resolver_create(&cluster, 1);

    ok(resolver != NULL);
    gm_resolver_destroy(resolver);
    gm_resolver_destroy(NULL);
    gm_cluster_release(cluster);
}

/* RFC 6761: a name that never exists, so the first look-up fails, with or without a network. */
static void test_unknown_name(void)
{
    gm_cluster_t *cluster = gm_cluster_create("c", "nosuch.invalid", 80, "nosuch.invalid:80");
    gm_resolver_t *resolver = gm_resolver_create(&cluster, 1);
    gm_addresses_t addresses;

    do { /* ends: getaddrinfo has its own time limit */
        sched_yield();
        gm_cluster_get_addresses(cluster, &addresses);
    } while (addresses.version == 0);
    ok(addresses.failed && addresses.count == 0);
    gm_resolver_destroy(resolver); /* in the middle of its pause: does not wait for it */
    gm_cluster_release(cluster);
}

int main(void)
{
    subtest("nothing to resolve", test_nothing_to_resolve);
    subtest("an unknown name", test_unknown_name);
    return done_testing();
}
