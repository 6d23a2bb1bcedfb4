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

static bool is_page(const char *origin, const char *site, const char *dest, bool may_be_link)
{
    const gm_guard_signs_t signs = {.origin = origin,
                                    .site = site,
                                    .dest = dest,
                                    .site_length = site != NULL ? strlen(site) : 0,
                                    .dest_length = dest != NULL ? strlen(dest) : 0};

    return gm_guard_is_foreign_page(&signs, may_be_link);
}

static void test_pages(void)
{
    ok(!is_page(NULL, NULL, NULL, false) && !is_page(NULL, NULL, NULL, true)); /* no browser */
    ok(!is_page(NULL, "none", "document", false) && !is_page(NULL, "same-origin", "empty", false));
    ok(is_page(NULL, "cross-site", NULL, false) && is_page(NULL, "same-site", NULL, true));
    ok(is_page(NULL, "", NULL, true) && is_page(NULL, "nonesuch", NULL, true));
    ok(!is_page(NULL, "cross-site", "document", true)); /* a link */
    ok(is_page(NULL, "cross-site", "document", false)); /* a form */
    ok(is_page(NULL, "cross-site", "iframe", true) && is_page(NULL, "cross-site", "", true));
    ok(is_page(NULL, "cross-site", "documents", true) && is_page(NULL, "same-site", "image", true));
    ok(is_page("null", NULL, NULL, true) && is_page("", "none", "document", true));
}

int main(void)
{
    subtest("hosts that mean this machine", test_served);
    subtest("hosts that may be a page's", test_refused);
    subtest("long hosts", test_long);
    subtest("pages", test_pages);
    return done_testing();
}
