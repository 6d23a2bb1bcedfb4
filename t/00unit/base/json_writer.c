/*
 * Commas, nesting and escapes of the JSON writer.
 */
#include "base/json_writer.h"

#include <stdlib.h>
#include <string.h>

#include "picotest.h"

static bool holds(gm_buffer_t *buffer, const char *expected)
{
    bool is_equal = buffer->text != NULL && strcmp(buffer->text, expected) == 0;

    if (!is_equal)
        note("got %s", buffer->text != NULL ? buffer->text : "nothing");
    gm_buffer_dispose(buffer);
    return is_equal;
}

static void write_sample(gm_json_t *json)
{
    gm_json_open(json, '{');
    gm_json_key(json, "name");
    gm_json_string(json, "a");
    gm_json_key(json, "list");
    gm_json_open(json, '[');
    gm_json_integer(json, 1);
    gm_json_integer(json, INT64_MIN);
    gm_json_boolean(json, true);
    gm_json_boolean(json, false);
    gm_json_string(json, NULL);
    gm_json_open(json, '{');
    gm_json_close(json, '}');
    gm_json_close(json, ']');
    gm_json_key(json, "empty");
    gm_json_open(json, '[');
    gm_json_close(json, ']');
    gm_json_close(json, '}');
}

static void test_compact(void)
{
    gm_buffer_t buffer = {0};
    gm_json_t json = {.out = &buffer};

    write_sample(&json);
    ok(json.depth == 0);
    ok(holds(&buffer, "{\"name\":\"a\",\"list\":[1,-9223372036854775808,true,false,null,{}],\"empty\":[]}"));
}

static void test_pretty(void)
{
    gm_buffer_t buffer = {0};
    gm_json_t json = {.out = &buffer, .pretty = true};

    write_sample(&json);
    ok(holds(&buffer, "{\n"
                      "  \"name\": \"a\",\n"
                      "  \"list\": [\n"
                      "    1,\n"
                      "    -9223372036854775808,\n"
                      "    true,\n"
                      "    false,\n"
                      "    null,\n"
                      "    {}\n"
                      "  ],\n"
                      "  \"empty\": []\n"
                      "}"));
}

static void test_depth(void)
{
    gm_buffer_t buffer = {0};
    gm_json_t json = {.out = &buffer};

    for (int i = 0; i < GM_JSON_MAX_DEPTH; ++i)
        gm_json_open(&json, '[');
    for (int i = 0; i < GM_JSON_MAX_DEPTH; ++i)
        gm_json_close(&json, ']');
    ok(buffer.length == 2 * GM_JSON_MAX_DEPTH && strchr(buffer.text, ',') == NULL);
    gm_buffer_dispose(&buffer);
}

static bool escapes(const char *bytes, size_t length, const char *expected)
{
    gm_buffer_t buffer = {0};
    gm_json_t json = {.out = &buffer};

    gm_json_bytes(&json, bytes, length);
    return holds(&buffer, expected);
}

#define ESCAPES(literal, expected) escapes(literal, sizeof(literal) - 1, expected)
#define BAD "\xef\xbf\xbd"

static void test_escapes(void)
{
    ok(ESCAPES("", "\"\""));
    ok(ESCAPES("plain /text", "\"plain /text\""));
    ok(ESCAPES("a\"b\\c", "\"a\\\"b\\\\c\""));
    ok(ESCAPES("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""));
    ok(ESCAPES("\0\x01\x1f", "\"\\u0000\\u0001\\u001f\""));
    ok(ESCAPES("\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80\""));
    ok(ESCAPES("\xf4\x8f\xbf\xbf\xed\x9f\xbf", "\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\""));
}

static void test_broken_utf8(void)
{
    ok(ESCAPES("\xff", "\"" BAD "\""));
    ok(ESCAPES("a\x80z", "\"a" BAD "z\""));
    ok(ESCAPES("\xc3", "\"" BAD "\""));
    ok(ESCAPES("\xe2\x82", "\"" BAD "\""));
    ok(ESCAPES("\xe2\x82z", "\"" BAD "z\""));
    ok(ESCAPES("\xf0\x9f\x98\"", "\"" BAD "\\\"\""));
    ok(ESCAPES("\xc0\xaf", "\"" BAD BAD "\""));                 /* an overlong slash */
    ok(ESCAPES("\xe0\x80\xaf", "\"" BAD BAD BAD "\""));         /* likewise */
    ok(ESCAPES("\xed\xa0\x80", "\"" BAD BAD BAD "\""));         /* a surrogate */
    ok(ESCAPES("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"")); /* above U+10FFFF */
    ok(ESCAPES("\xf0\x80\x80\x80", "\"" BAD BAD BAD BAD "\""));
    ok(ESCAPES("\xf8\x88\x80\x80\x80", "\"" BAD BAD BAD BAD BAD "\""));
}

static void test_keys_are_escaped(void)
{
    gm_buffer_t buffer = {0};
    gm_json_t json = {.out = &buffer};

    gm_json_open(&json, '{');
    gm_json_key(&json, "a\"b");
    gm_json_string(&json, "");
    gm_json_close(&json, '}');
    ok(holds(&buffer, "{\"a\\\"b\":\"\"}"));
}

/* Every byte, at every place, in every length that is looked at in another way; against a naive look. */
static void test_plain(void)
{
    char text[32];
    int wrong = 0;

    for (size_t length = 1; length != 20; ++length)
        for (size_t at = 0; at != length; ++at)
            for (int c = 0; c != 256; ++c) {
                bool is_plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
                for (int other = 0; other != 3; ++other) { /* beside what could carry over, or borrow */
                    memset(text, " ~a"[other], sizeof(text));
                    text[at] = (char)c;
                    wrong += gm_json_is_plain(text, length) != is_plain;
                }
            }
    ok(wrong == 0);
    ok(gm_json_is_plain("", 0));
}

int main(void)
{
    subtest("compact", test_compact);
    subtest("pretty", test_pretty);
    subtest("depth", test_depth);
    subtest("escapes", test_escapes);
    subtest("broken UTF-8", test_broken_utf8);
    subtest("keys are escaped", test_keys_are_escaped);
    subtest("plain texts", test_plain);
    return done_testing();
}
