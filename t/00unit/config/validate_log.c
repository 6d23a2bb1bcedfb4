/* Checks of lines about requests. */
#include "config/validate.h"

#include "config_text.h"

#define ACCESS(text) "log: { access: { " text " } }"

static void test_names(void)
{
    ok(says(ACCESS("request_headers: [User-Agent, Referer], response_headers: Content-Type"), ""));
    ok(says(ACCESS("request_headers: [], response_headers: [User-Agent], redact: [User-Agent]"), ""));
    ok(says(ACCESS("request_headers: [A, b, a]"), "1:42: error: request_headers: \"a\" is there already\n"));
    ok(says(ACCESS("response_headers: [Server, 'a b', SERVER]"),
            "1:45: error: response_headers: \"a b\" is not the name of a header field\n"
            "1:52: error: response_headers: \"SERVER\" is there already\n"));
    ok(says(ACCESS("redact: [Cookie, X:Y, cookie]"),
            "1:35: error: redact: \"X:Y\" is not the name of a header field\n"
            "1:40: error: redact: \"cookie\" is there already\n"));
    ok(says(ACCESS("request_headers: Host, response_headers: [Trailer]"),
            "1:35: error: request_headers: \"Host\" is in each line already, as \"host\"\n"
            "1:60: error: response_headers: \"Trailer\" is about one connection and not kept: it cannot be "
            "shown\n"));
    ok(says(ACCESS("request_headers: { a: b }"),
            "1:35: error: request_headers: expected text, found a mapping\n"));
}

static void test_many(void)
{
    gm_buffer_t yaml = {0};

    gm_buffer_append_text(&yaml, "log:\n  access:\n    request_headers:\n");
    for (int i = 0; i != 32; ++i)
        gm_buffer_printf(&yaml, "    - a%d\n", i);
    ok(says(yaml.text, ""));
    gm_buffer_append_text(&yaml, "    - z\n    - y\n");
    ok(says(yaml.text, "36:7: error: request_headers: more than 32 names\n"));
    gm_buffer_dispose(&yaml);
}

static void test_secrets(void)
{
    ok(says(ACCESS("show_secrets: false"), ""));
    ok(says(ACCESS("show_secrets: true"),
            "1:32: warning: show_secrets: passwords, cookies and keys in request_headers and "
            "response_headers are logged as they are\n"));
    ok(says(ACCESS("show_secrets: perhaps"),
            "1:32: error: show_secrets: \"perhaps\" is not one of false, true\n"));
}

int main(void)
{
    subtest("names of fields", test_names);
    subtest("too many", test_many);
    subtest("secrets", test_secrets);
    return done_testing();
}
