/* Which Host may speak to the admin window, and which page may not. */
#include "admin/guard.h"

#include <string.h>

#include "picotest.h"

static bool is_host(const char *host, const char *listen_host)
{
    return gm_guard_is_host(host, strlen(host), listen_host);
}

static void test_served(void)
{
    static const char *const hosts[] = {"localhost",
                                        "localhost:9901",
                                        "LocalHost",
                                        "localhost.",
                                        "127.0.0.1",
                                        "127.0.0.1:1",
                                        "192.0.2.7:65535",
                                        "[::1]",
                                        "[::1]:9901",
                                        "[fe80::1]:1",
                                        "localhost.localdomain",
                                        "localhost.localdomain:1"};

    for (size_t i = 0; i != sizeof(hosts) / sizeof(hosts[0]); ++i)
        if (!ok(is_host(hosts[i], "")))
            note("refused: %s", hosts[i]);
    ok(is_host("ops.internal:9901", "ops.internal") && is_host("OPS.internal", "ops.internal"));
}

static void test_refused(void)
{
    static const char *const hosts[] = {"",
                                        ":9901",
                                        "evil.example",
                                        "evil.example:9901",
                                        "localhost.x",
                                        "x.localhost",
                                        "127.1",
                                        "2130706433",
                                        "0x7f.0.0.1",
                                        "127.0.0.1.x.example",
                                        "[::1",
                                        "[]",
                                        "[localhost.x]",
                                        "ops.internal",
                                        "."};

    for (size_t i = 0; i != sizeof(hosts) / sizeof(hosts[0]); ++i)
        if (!ok(!is_host(hosts[i], "")))
            note("served: %s", hosts[i]);
    ok(!is_host("", "") && !gm_guard_is_host("localhost\0.evil.example", 23, ""));
    ok(!is_host("other.internal", "ops.internal"));
}

static void test_long(void)
{
    char host[400];

    memset(host, 'a', sizeof(host));
    ok(!gm_guard_is_host(host, sizeof(host), ""));
    ok(!gm_guard_is_host(host, 256, "a"));
    ok(!gm_guard_is_host(host, 255, "a"));
}

static void test_sites(void)
{
    ok(!gm_guard_is_foreign_site("none", 4) && !gm_guard_is_foreign_site("same-origin", 11));
    ok(gm_guard_is_foreign_site("cross-site", 10) && gm_guard_is_foreign_site("same-site", 9));
    ok(gm_guard_is_foreign_site("", 0) && gm_guard_is_foreign_site("nonesuch", 8));
}

int main(void)
{
    subtest("hosts that mean this machine", test_served);
    subtest("hosts that may be a page's", test_refused);
    subtest("long hosts", test_long);
    subtest("sites", test_sites);
    return done_testing();
}
