/* Origins and patterns of them. */
#include "http/cors_origin.h"

#include <string.h>

#include "picotest.h"

static bool is_refused(const char *pattern, const char *part)
{
    gm_error_t err = {0};
    bool refused = gm_cors_origin_check(pattern, &err) == -1 && strstr(err.text, part) != NULL;

    if (!refused)
        note("%s: %s", pattern, err.text);
    return refused;
}

static bool is_taken(const char *pattern)
{
    gm_error_t err = {0};

    if (gm_cors_origin_check(pattern, &err) != 0)
        note("%s: %s", pattern, err.text);
    return err.text[0] == '\0';
}

static bool matches(const char *pattern, const char *origin)
{
    return gm_cors_origin_matches(pattern, origin, strlen(origin));
}

static void test_check(void)
{
    ok(is_taken("*"));
    ok(is_taken("https://app.example"));
    ok(is_taken("http://localhost:3000"));
    ok(is_taken("https://*.example.com"));
    ok(is_taken("https://*.example.com:8443"));
    ok(is_taken("https://127.0.0.1:1"));
    ok(is_taken("https://[::1]:8443"));
    ok(is_taken("chrome-extension://abcdef"));
}

static void test_refusals(void)
{
    ok(is_refused("app.example", "scheme"));
    ok(is_refused("//app.example", "scheme"));
    ok(is_refused("://app.example", "scheme"));
    ok(is_refused("HTTPS://app.example", "scheme"));
    ok(is_refused("null", "sandboxed"));
    ok(is_refused("https://", "not an origin"));
    ok(is_refused("https://*", "not an origin"));
    ok(is_refused("https://*.", "not an origin"));
    ok(is_refused("https://*example.com", "not an origin"));
    ok(is_refused("https://a.*.com", "not an origin"));
    ok(is_refused("https://*.*.com", "not an origin"));
    ok(is_refused("https://app.example/", "ends with its host or port: https://app.example"));
    ok(is_refused("https://app.example/x", "path"));
    ok(is_refused("https://app.example:", "port"));
    ok(is_refused("https://app.example:0", "port"));
    ok(is_refused("https://app.example:65536", "port"));
    ok(is_refused("https://app.example:x", "port"));
    ok(is_refused("https://app.example:8443/", "port"));
    ok(is_refused("https://u@app.example", "port"));
    ok(is_refused("https://app.example:443", "own port"));
    ok(is_refused("http://app.example:80", "own port"));
    ok(is_refused("https://[::1", "not an origin"));
}

static void test_matches(void)
{
    ok(matches("*", "anything"));
    ok(matches("https://app.example", "https://app.example"));
    ok(matches("https://app.example", "HTTPS://App.Example"));
    ok(!matches("https://app.example", "http://app.example"));
    ok(!matches("https://app.example", "https://app.example.evil"));
    ok(!matches("https://app.example", "https://app.example:444"));
    ok(!matches("https://app.example", "https://app.exampl"));
    ok(!matches("https://app.example", ""));
}

static void test_wildcards(void)
{
    ok(matches("https://*.example.com", "https://a.example.com"));
    ok(matches("https://*.example.com", "https://a-b.c_d.Example.com"));
    ok(!matches("https://*.example.com", "https://example.com"));
    ok(!matches("https://*.example.com", "https://.example.com"));
    ok(!matches("https://*.example.com", "https://evilexample.com"));
    ok(!matches("https://*.example.com", "https://a.example.com:8443"));
    ok(matches("https://*.example.com:8443", "https://a.example.com:8443"));
    ok(!matches("https://*.example.com", "https://evil/.example.com"));
    ok(!matches("https://*.example.com", "https://evil:1@a.example.com"));
    ok(!matches("https://*.example.com", "https://evil#.example.com"));
    ok(!matches("https://*.example.com", "https://evil\\.example.com"));
    ok(!matches("https://*.example.com", "https://.example.co"));
}

int main(void)
{
    subtest("check", test_check);
    subtest("refusals", test_refusals);
    subtest("matches", test_matches);
    subtest("wildcards", test_wildcards);
    return done_testing();
}
