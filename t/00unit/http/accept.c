/* Who is given JSON. */
#include "http/accept.h"

#include <string.h>

#include "picotest.h"

static bool prefers_json(const char *first, const char *second)
{
    gm_accept_t accept = {0};

    gm_accept_read(&accept, first, strlen(first));
    if (second != NULL)
        gm_accept_read(&accept, second, strlen(second));
    return gm_accept_prefers_json(&accept);
}

static bool check_all(const char *const *values, bool expected)
{
    bool is_right = true;

    for (; *values != NULL; ++values)
        if (prefers_json(*values, NULL) != expected) {
            note("%s", *values);
            is_right = false;
        }
    return is_right;
}

static void test_json(void)
{
    static const char *const values[] = {"application/json",
                                         "application/problem+json",
                                         "APPLICATION/JSON",
                                         "application/ld+json",
                                         "application/vnd.api+json;version=1",
                                         "application/json, text/plain, */*", /* axios */
                                         "application/json, */*;q=0.5",
                                         "*/*;q=0.1,application/json;q=0.2",
                                         "application/json;q=0.5",
                                         "text/html, application/json;q=0.5", /* there is no HTML here */
                                         "text/plain;q=0.2, */*, application/json;q=0.3",
                                         "text/*;q=0.2, */*, application/json;q=0.3",
                                         " \t application/json \t ;\t q=1.000 ,",
                                         ",,application/json",
                                         "application/json;profile=\"a,text/plain;q=1\"",
                                         "application/json;profile=\"\\\";q=0\"",
                                         "text/plain;q=2, application/json;q=0.1",
                                         NULL};

    ok(check_all(values, true));
}

static void test_text(void)
{
    static const char *const values[] = {
        "",
        "*/*",
        "text/plain",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", /* a browser */
        "application/json;q=0",
        "application/json;q=0.000",
        "application/json;q=0.5, text/plain",
        "application/json;q=0.5, */*",
        "application/json;q=0.299, text/*;q=0.3",
        "application/*",
        "application/jsonp",
        "application/json5",
        "+json",
        "/+json",
        "application+json",
        "text/plain;a=\"application/json",
        "text/plain;a=\"application/json,application/json\"",
        "application/json;q=",
        "application/json;q=1.1",
        "application/json;q=.5",
        "application/json;q=0.1234",
        "application/json;q=abc",
        "application/json/",
        NULL};

    ok(check_all(values, false));
}

static void test_several_fields(void)
{
    ok(prefers_json("text/plain;q=0.5", "application/json"));
    ok(prefers_json("application/json", "*/*;q=0.9"));
    ok(!prefers_json("application/json;q=0.4", "text/plain"));
}

int main(void)
{
    subtest("json", test_json);
    subtest("text", test_text);
    subtest("several fields", test_several_fields);
    return done_testing();
}
